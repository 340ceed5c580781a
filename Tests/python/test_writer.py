"""Sets written as images come, onto what is there, and by copying blocks."""

import io
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading

import libae
import numpy as np
import pytest

LABELS = np.arange(700) % 10
NAMES = [f"bild-{index:04}-ä.png" for index in range(700)]


def pieces(images, sizes):
    """The images in pieces of these sizes, over and over."""
    first = 0
    for size in itertools.cycle(sizes):
        if first >= len(images):
            return
        yield slice(first, first + size)
        first += size


@pytest.mark.parametrize("sizes", [(1,), (700,), (64,), (100, 1, 333)])
@pytest.mark.parametrize(
    "options", [{}, {"exact": True}, {"max_error": 3}, {"quality": 2, "embed_model": True}]
)
def test_pieces_give_the_bytes_of_all_at_once(model, images, sizes, options, tmp_path):
    expected = libae.compress(images, model, labels=LABELS, names=NAMES, block_images=64, **options)
    path = tmp_path / "set.aez"
    parts: list[bytes] = []
    for target in (path, str(path), io.BytesIO(), parts.append):
        with libae.ImageSetWriter(target, model, block_images=64, **options) as writer:
            for part in pieces(images, sizes):
                writer.add(images[part], LABELS[part], NAMES[part])
            assert writer.count == 700
            assert "700 images" in repr(writer)
        assert writer.closed
        if isinstance(target, io.BytesIO):
            assert target.getvalue() == expected
        elif target == parts.append:
            assert b"".join(parts) == expected
        else:
            assert path.read_bytes() == expected
            path.unlink()
    with libae.ImageSet.open(expected, model) as opened:
        np.testing.assert_array_equal(opened.labels, LABELS)
        assert opened.names == NAMES


def test_raw_and_buffered_files_get_all_bytes(model, images, tmp_path):
    expected = libae.compress(images, model)
    for buffering in (0, -1):
        with (tmp_path / "set.aez").open("wb", buffering=buffering) as file:
            with libae.ImageSetWriter(file, model) as writer:
                writer.add(images)
            assert not file.closed
        assert (tmp_path / "set.aez").read_bytes() == expected


def test_a_writer_takes_a_pipe_and_a_socket(model, images):
    expected = libae.compress(images, model)
    here, there = socket.socketpair()
    got = []

    def receive():
        while part := there.recv(100):
            got.append(part)

    other = threading.Thread(target=receive)
    other.start()
    with libae.ImageSetWriter(here.sendall, model) as writer:
        writer.add(images)
    here.close()
    other.join()
    there.close()
    assert b"".join(got) == expected


def test_memory_stays_small_however_many_images_come(root):
    program = (
        "import resource, sys\n"
        f"sys.path.insert(0, {str(root / 'bindings' / 'python' / 'src')!r})\n"
        "import libae, numpy as np\n"
        "random = np.random.default_rng(1)\n"
        "written = []\n"
        "count = lambda data: written.append(len(data))\n"
        "with libae.ImageSetWriter(count, method='contexts', exact=True) as writer:\n"
        "    writer.add(random.integers(0, 256, (2000, 28, 28), np.uint8))\n"
        "    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "    for _ in range(4):\n"
        "        writer.add(random.integers(0, 256, (2000, 28, 28), np.uint8))\n"
        "after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "assert sum(written) > 7_000_000\n"
        "assert after - before < 8 << 10, (before, after)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_file_is_there_once_all_is_written_and_not_before(model, images, tmp_path):
    path = tmp_path / "set.aez"
    path.write_bytes(b"old")

    def fails():
        with libae.ImageSetWriter(path, model) as writer:
            writer.add(images)
            raise KeyError("half way")

    with pytest.raises(KeyError, match="half way"):
        fails()
    assert path.read_bytes() == b"old"
    writer = libae.ImageSetWriter(path, model)
    writer.add(images)
    writer.close()
    assert path.read_bytes() == b"old"
    del writer
    assert [each.name for each in tmp_path.iterdir()] == ["set.aez"]
    writer = libae.ImageSetWriter(path, model)
    writer.add(images)
    writer.finish()
    assert path.read_bytes() == libae.compress(images, model)
    for call in (writer.finish, lambda: writer.add(images), writer.__enter__):
        with pytest.raises(libae.ArgumentError, match="this ImageSetWriter is closed"):
            call()
    writer.close()


def test_a_set_may_have_no_images(model, tmp_path):
    for options in ({"model": model}, {"exact": True, "image_shape": (5, 7)}):
        with libae.ImageSetWriter(tmp_path / "none.aez", **options):
            pass
        with libae.ImageSet.open(tmp_path / "none.aez", options.get("model")) as opened:
            assert opened.shape == (0, *options.get("image_shape", (12, 10)))


class OddError(Exception):
    """None that anyone else raises."""


def test_what_a_target_raises_comes_through(model, images):
    def refuse(data):
        raise OddError("full")

    with pytest.raises(OddError, match="full"):
        with libae.ImageSetWriter(refuse, model) as writer:
            writer.add(images)
    for wrong in (3, None, object()):
        with pytest.raises(TypeError, match="target: a path, a binary file or a function"):
            libae.ImageSetWriter(wrong, model)
    with pytest.raises(FileNotFoundError):
        with libae.ImageSetWriter("/nowhere/at/all.aez", model) as writer:
            writer.add(images)


def test_a_writer_tells_how_far_it_is_and_stops_when_asked(tmp_path):
    noise = np.random.default_rng(3).integers(0, 256, (20000, 28, 28), np.uint8)
    told = []
    with libae.ImageSetWriter(
        tmp_path / "set.aez", exact=True, method="contexts", progress=lambda *counts: told.append(counts)
    ) as writer:
        for part in range(4):
            writer.add(noise[part * 1000 : part * 1000 + 1000])
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    for result in (False, np.False_):
        with pytest.raises(libae.StoppedError):
            with libae.ImageSetWriter(
                tmp_path / "other.aez",
                exact=True,
                method="contexts",
                progress=lambda done, count, result=result: result,
            ) as writer:
                writer.add(noise)
    assert [each.name for each in tmp_path.iterdir()] == ["set.aez"]


def test_signals_are_heard_while_a_writer_works(tmp_path):
    class LateError(Exception):
        pass

    def late(number, frame):
        raise LateError

    noise = np.random.default_rng(3).integers(0, 256, (60000, 28, 28), np.uint8)
    before = signal.signal(signal.SIGALRM, late)
    try:
        with libae.ImageSetWriter(tmp_path / "set.aez", exact=True, method="contexts") as writer:
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            with pytest.raises(LateError):
                writer.add(noise)
            writer.close()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_images_labels_and_names_go_together(model, images):
    with libae.ImageSetWriter(io.BytesIO(), model) as writer:
        writer.add(images[:5], LABELS[:5])
        for wrong in (
            {"labels": LABELS[:4]},
            {"labels": LABELS[:5], "names": NAMES[:4]},
        ):
            with pytest.raises(libae.ShapeError, match="one for each of 5 images expected, 4 came"):
                writer.add(images[:5], **wrong)
        with pytest.raises(TypeError, match="names"):
            writer.add(images[:5], LABELS[:5], "names")
        with pytest.raises(libae.ShapeError, match=r"\(12, 10\)"):
            writer.add(np.zeros((3, 10, 12), np.uint8), LABELS[:3])
        with pytest.raises(TypeError, match="uint8"):
            writer.add(images / 255, LABELS)
        # For all images or for none.
        with pytest.raises(libae.ArgumentError, match="label"):
            writer.add(images[:5])
        writer.add(images[:5].reshape(5, 120), LABELS[:5])
        assert writer.count == 10


def test_the_first_images_settle_the_size():
    with libae.ImageSetWriter(out := io.BytesIO(), exact=True) as writer:
        writer.add(np.zeros((3, 20, 30), np.uint8))
        with pytest.raises(libae.ShapeError, match=r"\(20, 30\)"):
            writer.add(np.zeros((3, 30, 20), np.uint8))
    assert libae.decompress(out.getvalue()).shape == (3, 20, 30)
    for colour in ((4, 3, 32, 32), (32, 32, 4)):
        with pytest.raises(libae.ShapeError, match="colour"):
            with libae.ImageSetWriter(io.BytesIO(), exact=True) as writer:
                writer.add(np.zeros(colour, np.uint8))
    for large in ((2, 257, 10), (2, 10, 257), (2, 257, 10, 3), (1, 256, 193, 4)):
        with pytest.raises(libae.ShapeError, match="sides of 1 to 256 pixels and at most 196608 bytes"):
            libae.compress(np.zeros(large, np.uint8), exact=True)


def test_a_writer_is_used_by_one_thread_at_a_time(model, images):
    raised = []

    def nested(data):
        try:
            writer.add(images)
        except libae.ArgumentError as error:
            raised.append(str(error))

    with libae.ImageSetWriter(nested, model) as writer:
        writer.add(images)
    assert raised
    assert "in use" in raised[0]


@pytest.mark.parametrize("options", [{}, {"exact": True}, {"max_error": 5}])
def test_what_is_appended_gives_the_bytes_of_all_at_once(model, images, options, tmp_path):
    path = tmp_path / "set.aez"
    given = {"block_images": 64, **options}
    libae.compress_file(path, images[:640], model, labels=LABELS[:640], names=NAMES[:640], **given)
    libae.append(path, images[640:], model, labels=LABELS[640:], names=NAMES[640:])
    assert path.read_bytes() == libae.compress(images, model, labels=LABELS, names=NAMES, **given)
    # Where the last block is not full, it stays as it is.
    libae.compress_file(path, images[:100], model, **given)
    with libae.ImageSetWriter.append(path, model) as writer:
        assert writer.count == 100
        writer.add(images[100:300])
        writer.add(images[300:])
        assert writer.count == 700
    with libae.ImageSet.open(path, model) as opened:
        assert len(opened) == 700
        whole = libae.decompress(libae.compress(images, model, **given), model)
        np.testing.assert_array_equal(opened[:], whole)
        np.testing.assert_array_equal(opened[[699, 99, 100, 0]], whole[[699, 99, 100, 0]])


def test_an_append_that_fails_leaves_the_set_as_it_was(model, vae, images, tmp_path):
    path = tmp_path / "set.aez"
    libae.compress_file(path, images[:100], model, labels=LABELS[:100])
    before = path.read_bytes()
    with pytest.raises(libae.ArgumentError, match="label"):
        libae.append(path, images[:9], model)
    with pytest.raises(libae.ModelError, match="strokes"):
        libae.append(path, images[:9], vae, labels=LABELS[:9])
    with pytest.raises(libae.ShapeError):
        libae.append(path, images[:9, :5], model, labels=LABELS[:9])
    with pytest.raises(FileNotFoundError):
        libae.append(tmp_path / "nowhere.aez", images, model)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["set.aez"]


def test_shards_concatenated_are_the_bytes_of_one_run(model, images, tmp_path):
    given = {"block_images": 64}
    paths = []
    for first in range(0, 700, 192):
        paths.append(tmp_path / f"{first}.aez")
        part = slice(first, first + 192)
        libae.compress_file(paths[-1], images[part], model, labels=LABELS[part], names=NAMES[part], **given)
    out = tmp_path / "all.aez"
    libae.concatenate(paths, out)
    whole = libae.compress(images, model, labels=LABELS, names=NAMES, **given)
    assert out.read_bytes() == whole
    libae.split(out, 192, 192, tmp_path / "part.aez")
    assert (tmp_path / "part.aez").read_bytes() == paths[1].read_bytes()
    libae.split(out, 576, 124, tmp_path / "part.aez", context=libae.Context(threads=1))
    assert (tmp_path / "part.aez").read_bytes() == paths[3].read_bytes()
    with pytest.raises(libae.ArgumentError, match=r"192|256"):
        libae.split(out, 200, 100, tmp_path / "other.aez")
    with pytest.raises(libae.ArgumentError, match="700"):
        libae.split(out, 640, 100, tmp_path / "other.aez")
    assert not (tmp_path / "other.aez").exists()


def test_sets_that_do_not_go_together_are_not_concatenated(model, vae, images, tmp_path):
    sets = {
        "a": libae.compress(images[:64], model),
        "b": libae.compress(images[:64], vae),
        "c": libae.compress(images[:64], exact=True),
        "d": libae.compress(images[:64], model, quality=1),
        "e": libae.compress(np.zeros((9, 9, 9), np.uint8), exact=True),
    }
    for name, data in sets.items():
        (tmp_path / name).write_bytes(data)
    for pair in ("ab", "ac", "ad", "ce"):
        with pytest.raises((libae.ArgumentError, libae.ModelError, libae.ShapeError)):
            libae.concatenate([tmp_path / name for name in pair], tmp_path / "out")
    with pytest.raises(libae.ArgumentError):
        libae.concatenate([], tmp_path / "out")
    with pytest.raises(TypeError, match="a sequence of paths"):
        libae.concatenate(str(tmp_path / "a"), tmp_path / "out")
    with pytest.raises(FileNotFoundError):
        libae.concatenate([tmp_path / "a", tmp_path / "nowhere"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_blocks_are_copied_from_set_to_set(model, images, packed, tmp_path):
    with libae.ImageSet.open(packed, model) as opened:
        out = io.BytesIO()
        with libae.ImageSetWriter.like(opened, out) as writer:
            writer.add_set(opened)
            assert writer.count == 700
        assert out.getvalue() == packed
        out = io.BytesIO()
        with libae.ImageSetWriter.like(opened, out) as writer:
            writer.add_set(opened, 64, 128)
            writer.add(images[:64], LABELS[:64])
            writer.add_set(opened, 640)
            with pytest.raises(libae.ArgumentError, match=r"64|128"):
                writer.add_set(opened, 100, 10)
        with libae.ImageSet.open(out.getvalue(), model) as mixed:
            chosen = np.r_[64:192, 0:64, 640:700]
            np.testing.assert_array_equal(mixed[:], opened[:][chosen])
            np.testing.assert_array_equal(mixed.labels, LABELS[chosen])
        with pytest.raises(TypeError, match="a path came"):
            libae.ImageSetWriter.like(opened, tmp_path / "set.aez")
        with pytest.raises(libae.Error):
            with libae.ImageSetWriter(io.BytesIO(), exact=True) as writer:
                writer.add_set(opened)


def test_names_come_back_as_they_went_in(images):
    names = ["a", "ä" * 127, "日本.png", " ", "b.PNG"]
    with libae.ImageSet.open(libae.compress(images[:5], exact=True, names=names)) as opened:
        assert opened.names == names
        assert opened.info.has_names
    for wrong, words in (("ä" * 128, "255 bytes"), ("", "empty"), ("a/b", "/")):
        with pytest.raises(libae.ArgumentError, match=words):
            libae.compress(images[:1], exact=True, names=[wrong])
    with pytest.raises(libae.ArgumentError, match="NUL"):
        libae.compress(images[:1], exact=True, names=["a\0b"])
    with pytest.raises(TypeError, match="names"):
        libae.compress(images[:1], exact=True, names=[b"a"])


def test_a_closed_pipe_is_an_exception(model, images):
    reader, end = os.pipe()
    os.close(reader)
    with os.fdopen(end, "wb", buffering=0) as file, pytest.raises(BrokenPipeError):
        with libae.ImageSetWriter(file, model) as writer:
            writer.add(images)
