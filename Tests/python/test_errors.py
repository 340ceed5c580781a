"""The exceptions: one for each status, each of them also the built-in one."""

import errno
import os
import pickle
import re
import stat
import threading

import libae
import pytest
from libae import _errors


def statuses(root) -> "dict[str, int]":
    header = (root / "include" / "ae.h").read_text()
    return {name: int(value) for name, value in re.findall(r"(AE_(?:OK|ERROR_\w+)) = (\d+)", header)}


def test_every_status_of_the_header_has_its_exception(root):
    found = statuses(root)
    assert len(found) == 14
    for name, value in found.items():
        assert libae._library.lib.ae_status_string(value).decode() == name
        if value != 0:
            error = _errors.error_for(value, "why")
            assert (error.status, error.name, str(error)) == (value, name, "why")
            assert isinstance(error, libae.Error)
            assert type(error).__name__ in libae.__all__


def test_a_status_that_is_not_known_is_an_internal_error():
    error = _errors.error_for(99, "why")
    assert isinstance(error, libae.InternalError)
    assert "99" in str(error)


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (libae.ArgumentError, ValueError),
        (libae.OutOfMemoryError, MemoryError),
        (libae.FileError, OSError),
        (libae.FormatError, ValueError),
        (libae.ShapeError, ValueError),
        (libae.DivergedError, ArithmeticError),
        (libae.InternalError, RuntimeError),
    ],
)
def test_exceptions_are_the_built_in_ones_too_and_pickle(kind, builtin):
    error = kind("what was wrong")
    assert isinstance(error, builtin)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == "what was wrong"


def test_the_name_of_the_base_class_is_not_that_of_a_status():
    assert (libae.Error.status, libae.Error.name) == (0, "")


def test_file_errors_are_the_system_errors_too(model, images, tmp_path):
    folder, file = tmp_path / "folder", tmp_path / "file"
    folder.mkdir()
    file.write_bytes(b"no model")
    nowhere = tmp_path / "none" / "x"
    trainer = libae.Trainer((12, 10), hidden=(4,))
    saves = (
        model.save,
        trainer.save,
        lambda path: libae.compress_file(path, images[:3], model),
    )
    opens = (libae.Model.open, libae.ImageSet.open, libae.decompress, libae.Trainer.resume)
    cases = [(call, nowhere, FileNotFoundError, errno.ENOENT) for call in (*saves, *opens)]
    cases += [(call, folder, IsADirectoryError, errno.EISDIR) for call in (*saves, *opens)]
    cases += [(call, file / "x", NotADirectoryError, errno.ENOTDIR) for call in (*saves, *opens)]
    for call, path, kind, number in cases:
        with pytest.raises(kind) as caught:
            call(path)
        error = caught.value
        assert isinstance(error, libae.FileError)
        assert (error.status, error.name) == (3, "AE_ERROR_IO")
        assert (error.errno, error.strerror, error.filename) == (number, os.strerror(number), str(path))
        assert str(path) in str(error)
        assert "\n" not in str(error)
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), again.errno, again.filename) == (type(error), number, str(path))
        assert (str(again), again.strerror) == (str(error), error.strerror)
    with pytest.raises(libae.FormatError):
        libae.Model.open(file)


def test_a_file_error_that_no_system_call_made_has_no_errno():
    error = _errors.error_for(3, "x: is longer than 5 bytes")
    assert type(error) is libae.FileError
    assert (error.errno, error.strerror, error.filename) == (None, None, None)
    assert str(pickle.loads(pickle.dumps(error))) == "x: is longer than 5 bytes"


def test_files_that_may_not_be_touched_are_permission_errors(root, tmp_path):
    if os.geteuid() == 0:
        error = _errors.error_for(3, "why", errno.EACCES, "x")
        assert isinstance(error, PermissionError)
        return
    (tmp_path / "closed").touch(0)
    with pytest.raises(PermissionError):
        libae.Model.open(tmp_path / "closed")


def test_whatever_writes_a_file_leaves_links_devices_and_permissions(model, images, tmp_path):
    trainer = libae.Trainer((12, 10), hidden=(4,))
    for name, save, expected in (
        ("model", model.save, model.to_bytes()),
        ("trainer", trainer.save, trainer.to_bytes()),
        ("set", lambda path: libae.compress_file(path, images, model), libae.compress(images, model)),
    ):
        target, link = tmp_path / name, tmp_path / f"{name}-link"
        target.write_bytes(b"old")
        target.chmod(0o600)
        link.symlink_to(name)
        save(link)
        assert link.is_symlink()
        assert stat.S_IMODE(target.lstat().st_mode) == 0o600
        assert target.read_bytes() == expected
        save("/dev/null")
        assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
        reader, writer = os.pipe()
        with open(reader, "rb") as file:
            got = []
            thread = threading.Thread(target=lambda got=got, file=file: got.append(file.read()))
            thread.start()
            save(f"/dev/fd/{writer}")
            os.close(writer)
            thread.join()
        assert got == [expected]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "model",
        "model-link",
        "set",
        "set-link",
        "trainer",
        "trainer-link",
    ]


def test_the_package_writes_files_through_the_engine_alone(root):
    # But for shards, in a folder of their own that goes with the call.
    shards = 'open(paths[place], "wb")'
    for path in (root / "bindings" / "python" / "src" / "libae").glob("*.py"):
        text = path.read_text()
        if path.name == "dask.py":
            assert "TemporaryDirectory" in text
            text = text.replace(shards, "", 1)
        writing = r'\bopen\([^)]*"\w*[wax+]|write_bytes|write_text|os\.(replace|rename)'
        assert not re.search(writing, text), path
