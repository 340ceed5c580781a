"""Images of every kind go out by name; nothing is replaced unasked, nothing is half-written."""

import gzip
import json
import os
import pty
import shutil
import subprocess
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from conftest import TOOL, environment, fails, ok, run
from imagefiles import idx, png, read_idx, read_npy, read_pgm, read_png


def draw(*arguments, cwd, **options):
    return ok("draw", "--count", 6, "--seed", 3, "--size", "9x7", *arguments, cwd=cwd, **options)


@pytest.fixture
def images(tmp_path) -> np.ndarray:
    """What draw() draws."""
    return read_idx(draw("-o", "-", cwd=tmp_path).out)


@pytest.mark.parametrize("name", ["a.idx", "a-idx3-ubyte", "a.idx3-ubyte", "A.IDX"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_by_name(tmp_path, images, name, suffix):
    assert draw("-o", name + suffix, cwd=tmp_path).text == "images  6 of 9 x 7\nseed    3\n"
    data = (tmp_path / (name + suffix)).read_bytes()
    assert (data[:2] == b"\x1f\x8b") == bool(suffix)
    assert np.array_equal(read_idx(data), images)
    assert (gzip.decompress(data) if suffix else data) == idx(images)


def test_npy_by_name(tmp_path, images):
    draw("-o", "a.npy", cwd=tmp_path)
    array = read_npy((tmp_path / "a.npy").read_bytes())
    assert array.dtype == np.uint8
    assert np.array_equal(array, images)


@pytest.mark.parametrize("kind", ["png", "pgm"])
def test_a_picture_is_a_grid(tmp_path, images, kind):
    reader = read_png if kind == "png" else read_pgm
    for columns in [None, 4, 1, 100]:
        options = [] if columns is None else ["--columns", columns]
        draw("-o", f"a.{kind}", "--force", *options, cwd=tmp_path)
        across = min(columns or 3, 6)
        down = -(-6 // across)
        expected = np.full((down * 8 - 1, across * 10 - 1), 64, np.uint8)
        for cell in range(across * down):
            y, x = cell // across * 8, cell % across * 10
            expected[y : y + 7, x : x + 9] = images[cell] if cell < 6 else 0
        assert np.array_equal(reader((tmp_path / f"a.{kind}").read_bytes()), expected)


@pytest.mark.parametrize(
    ("path", "form", "kind"),
    [
        ("out/", [], "png"),
        ("out", ["--as", "png"], "png"),
        ("out", ["--as", "pgm"], "pgm"),
        ("out/", ["--as", "pgm"], "pgm"),
    ],
)
def test_a_folder_by_its_slash_or_by_as(tmp_path, images, path, form, kind):
    draw("-o", path, *form, cwd=tmp_path)
    names = sorted(os.listdir(tmp_path / "out"))
    assert names == [f"{i:05}.{kind}" for i in range(6)] + ["labels-idx1-ubyte"]
    reader = read_png if kind == "png" else read_pgm
    for image, name in zip(images, names, strict=False):
        assert np.array_equal(reader((tmp_path / "out" / name).read_bytes()), image)
    assert len(read_idx((tmp_path / "out/labels-idx1-ubyte").read_bytes())) == 6
    assert os.listdir(tmp_path) == ["out"]


def test_an_existing_folder_is_written_to_if_it_is_empty(tmp_path):
    (tmp_path / "out").mkdir()
    draw("-o", "out", cwd=tmp_path)
    assert len(os.listdir(tmp_path / "out")) == 7
    message = "out: exists already and is not empty (--force replaces a folder of pictures)"
    fails(1, message, "draw", "-o", "out", "--count", 2, cwd=tmp_path)
    ok("draw", "-o", "out", "--count", 2, "--force", cwd=tmp_path)
    assert sorted(os.listdir(tmp_path / "out")) == ["00000.png", "00001.png", "labels-idx1-ubyte"]
    (tmp_path / "out/thesis.tex").write_text("dear")
    message = "out: holds more than pictures, such as thesis.tex, and is not replaced"
    fails(1, message, "draw", "-o", "out", "--count", 2, "--force", cwd=tmp_path)
    assert (tmp_path / "out/thesis.tex").read_text() == "dear"
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("kind", ["png", "pgm"])
def test_a_folder_comes_back_as_that_folder(tmp_path, shared, kind):
    ok("decompress", shared / "set.aez", "-o", "first/", "--as", kind, cwd=tmp_path)
    for old, new in [("00000", "zebra"), ("00001", "10"), ("00002", "9"), ("00003", "ünï")]:
        os.rename(tmp_path / f"first/{old}.{kind}", tmp_path / f"first/{new}.{kind}")
    ok("compress", "first", "--model", shared / "small.aew", "-o", "a.aez", cwd=tmp_path)
    ok("decompress", "a.aez", "--model", shared / "small.aew", "-o", "second/", cwd=tmp_path)
    assert sorted(os.listdir(tmp_path / "second")) == sorted(os.listdir(tmp_path / "first"))
    labels = "labels-idx1-ubyte"
    assert (tmp_path / "second" / labels).read_bytes() == (tmp_path / "first" / labels).read_bytes()
    # A grid shows the order: that of the folder, not of the names.
    facts = json.loads(ok("info", "second", "--json", cwd=tmp_path).out)
    assert facts["source"] == f"folder of {kind.upper()} files"
    ok("decompress", "a.aez", "--model", shared / "small.aew", "-o", "other/", "--as", "pgm", cwd=tmp_path)
    expected = sorted(name.replace(".png", ".pgm") for name in os.listdir(tmp_path / "first"))
    assert sorted(os.listdir(tmp_path / "other")) == expected


def test_names_that_lead_out_of_the_folder_are_refused(tmp_path, shared):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ["q7xkw30.png", "zb5vtm1.png"]:
        (folder / name).write_bytes(png(np.zeros((28, 28))))
    ok("compress", "in", "--model", shared / "small.aew", "-o", "a.aez", cwd=tmp_path)
    data = (tmp_path / "a.aez").read_bytes()
    # Two short names are stored as they are, so that they can be changed here, with their checksum.
    old = b"\x0bq7xkw30.png\x0bzb5vtm1.png"
    assert data.count(old) == 1
    for evil in [b"../evil.png", b"/etc/a1.png", b"a/b/c/d.png", b".hidden.png"]:
        new = b"\x0b" + evil + b"\x0bzb5vtm1.png"
        # Before them stand their head, three bytes, and a checksum of both.
        at = data.index(old)
        head = data[at - 7 : at - 4]
        assert data[at - 4 : at] == zlib.crc32(head + old).to_bytes(4, "little")
        changed = data[: at - 4] + zlib.crc32(head + new).to_bytes(4, "little") + new + data[at + len(old) :]
        (tmp_path / "evil.aez").write_bytes(changed)
        done = run("decompress", "evil.aez", "--model", shared / "small.aew", "-o", "x/", cwd=tmp_path)
        assert (done.code, done.out) == (1, b"")
        if b"/" in evil:
            assert done.err == 'aez: evil.aez, names: name 0 holds a "/" (byte 12)\n'
        else:
            assert done.err == f'aez: the file name "{evil.decode()}" in the set cannot be used in a folder\n'
        assert not (tmp_path / "x").exists()


def test_nothing_is_replaced_without_force(tmp_path):
    (tmp_path / "a.idx").write_bytes(b"dear")
    fails(1, "a.idx: exists already (--force replaces it)", "draw", "-o", "a.idx", cwd=tmp_path)
    assert (tmp_path / "a.idx").read_bytes() == b"dear"
    draw("-o", "a.idx", "--force", cwd=tmp_path)
    assert len((tmp_path / "a.idx").read_bytes()) == 16 + 6 * 63
    for extra in ["--labels", "--parameters"]:
        message = "a.idx: exists already (--force replaces it)"
        fails(1, message, "draw", "-o", "b.idx", extra, "a.idx", cwd=tmp_path)
    assert os.listdir(tmp_path) == ["a.idx"]


def test_outputs_that_cannot_be_are_told_before_any_work(tmp_path, shared):
    (tmp_path / "folder").mkdir()
    fails(1, "no/a.idx: there is no folder no", "draw", "-o", "no/a.idx", cwd=tmp_path)
    fails(1, "no/a/: there is no folder no", "draw", "-o", "no/a/", cwd=tmp_path)
    train = ["train", shared / "digits.idx", "--steps", 1 << 30, "-o"]
    fails(1, "no/a.aew: there is no folder no", *train, "no/a.aew", cwd=tmp_path)
    fails(1, "folder: is a folder", *train, "folder", cwd=tmp_path)
    (tmp_path / "file").write_bytes(b"")
    fails(1, "file: is not a folder", "draw", "-o", "file/", cwd=tmp_path)
    message = (
        "a.txt does not tell what to write: end it in .idx, -idx3-ubyte (or either with .gz), .npy, "
        ".png, .pgm, .ppm, .pam, or / for a folder; or say --as."
    )
    fails(64, message, "draw", "-o", "a.txt", cwd=tmp_path)
    fails(
        64, "a.png is a name for png, but --as says idx.", "draw", "-o", "a.png", "--as", "idx", cwd=tmp_path
    )
    fails(
        64,
        "A folder holds png, pgm, ppm or pam files, not npy.",
        "draw",
        "-o",
        "a/",
        "--as",
        "npy",
        cwd=tmp_path,
    )
    message = "Codes are written as .npy: end the name a.txt in that."
    fails(64, message, "encode", "x", "-o", "a.txt", cwd=tmp_path)
    message = "A picture is written as .png, .pgm, .ppm or .pam: end the name a.idx in one of these."
    fails(64, message, "reconstruct", "x", "-o", "a.idx", cwd=tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_a_full_disk_is_an_error(tmp_path, shared):
    for arguments in [
        ("draw", "-o", "/dev/full", "--as", "idx"),
        ("encode", shared / "digits.idx", "--model", shared / "small.aew", "-o", "/dev/full.npy"),
        ("compress", shared / "digits.idx", "--model", shared / "small.aew", "-o", "/dev/full"),
        ("export", shared / "small.aew", "-o", "/dev/full"),
    ]:
        if "/dev/full.npy" in arguments:
            continue
        fails(1, "/dev/full: cannot write: No space left on device", *arguments, cwd=tmp_path)
    with open("/dev/full", "wb") as full:
        for arguments in [
            ("draw", "-o", "-"),
            ("info", shared / "small.aew"),
            ("--help",),
            ("info", "--json"),
        ]:
            done = subprocess.run(
                [TOOL, *arguments], stdout=full, stderr=subprocess.PIPE, env=environment(), check=False
            )
            assert done.returncode == 1
            assert done.stderr == b"aez: standard output: cannot write: No space left on device\n"


def test_a_reader_that_has_gone_is_an_error(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [TOOL, "draw", "-o", "-"], stdout=writing, stderr=subprocess.PIPE, env=environment(), check=False
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"aez: standard output: cannot write: Broken pipe\n")


def on_terminal(*arguments, cwd=None, stdin=subprocess.DEVNULL) -> tuple[int, bytes, bytes]:
    """Runs the tool with standard output on a terminal: status, what the terminal got, standard error."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [TOOL, *map(str, arguments)],
        stdin=stdin,
        stdout=theirs,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env=environment(),
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:
            # How a terminal says that the other side has gone.
            pass
        os.close(ours)
        return process.wait(), shown, process.stderr.read()


def test_binary_is_not_written_to_a_terminal(tmp_path, shared):
    message = b"aez: binary data is not written to a terminal: redirect it, or name a file with -o\n"
    model = ["--model", shared / "small.aew"]
    for arguments in [
        ("draw", "-o", "-"),
        ("encode", shared / "digits.idx", *model, "-o", "-"),
        ("compress", shared / "digits.idx", *model, "-o", "-"),
        ("decompress", shared / "set.aez", "-o", "-"),
        ("export", shared / "small.aew", "-o", "-"),
        ("train", shared / "digits.idx", "-o", "-", "--steps", 1),
        ("reconstruct", shared / "digits.idx", *model, "-o", "-"),
    ]:
        assert on_terminal(*arguments) == (1, b"", message)
    # C source is text.
    code, shown, error = on_terminal("export", shared / "small.aew", "--c-array", "digits", "-o", "-")
    assert (code, error) == (0, b"")
    assert shown.startswith(b"/* The weights of")


def test_a_terminal_named_as_a_path_is_refused_too():
    ours, theirs = pty.openpty()
    fails(
        1,
        "binary data is not written to a terminal: redirect it, or name a file with -o",
        *("draw", "--as", "idx", "-o", os.ttyname(theirs)),
    )
    os.close(ours)
    os.close(theirs)


def test_images_are_not_read_from_a_terminal():
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [TOOL, "info", "-"], stdin=theirs, capture_output=True, env=environment(), check=False
    )
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 64
    assert done.stderr.startswith(
        b"aez: Images are expected on standard input, which is a terminal: redirect it.\n"
    )


def test_unreadable_and_unwritable_places(tmp_path):
    if os.geteuid() != 0:
        folder = tmp_path
        user = {}
    else:
        # Permissions do not stop root: be someone else, in a place that all can enter.
        folder = Path(tempfile.mkdtemp(prefix="aez-", dir="/tmp"))
        folder.chmod(0o755)
        user = {"user": 65534, "group": 65534, "extra_groups": []}
    try:
        tool = folder / "aez"
        shutil.copy(TOOL, tool)
        tool.chmod(0o755)
        (folder / "secret.idx").write_bytes(idx(np.zeros((1, 2, 2))))
        (folder / "secret.idx").chmod(0)
        (folder / "locked").mkdir(mode=0o555)
        for arguments, message in [
            (["info", "secret.idx"], "secret.idx: cannot open: Permission denied"),
            (["draw", "-o", "locked/a.idx"], "locked/a.idx: cannot create: Permission denied"),
            (["draw", "-o", "locked/a/"], "locked/a: cannot make a folder beside it: Permission denied"),
        ]:
            done = subprocess.run(
                [tool, *arguments], capture_output=True, cwd=folder, env=environment(), check=False, **user
            )
            assert (done.returncode, done.stdout) == (1, b"")
            assert done.stderr.decode() == f"aez: {message}\n"
        assert os.listdir(folder / "locked") == []
    finally:
        if folder != tmp_path:
            shutil.rmtree(folder)


def test_reports_leave_standard_output_to_data(tmp_path):
    assert draw("-o", "-", "--quiet", cwd=tmp_path).out == draw("-o", "-", cwd=tmp_path).out
    assert draw("-o", "a.idx", "--quiet", cwd=tmp_path).out == b""
    message = "--json and -o - both write to standard output: name a file with -o."
    fails(64, message, "draw", "-o", "-", "--json", cwd=tmp_path)
    facts = json.loads(draw("-o", "b.idx", "--json", "--quiet", cwd=tmp_path).out)
    assert facts.pop("parameters") > 10
    assert facts == {"output": "b.idx", "images": 6, "width": 9, "height": 7, "channels": 1, "seed": "3"}
