"""Image sets of 3 and 4 channels and of larger sides: what goes in comes back, and nothing is guessed at."""

import base64
import io
import pickle
import re
import struct
import zlib

import libae
import numpy as np
import pytest

SHAPES = [
    (11, 12, 16, 3),
    (11, 9, 7, 4),
    (3, 256, 256, 3),
    (2, 192, 256, 4),
    (3, 256, 2),
    (2, 256, 256),
    (4, 2, 1, 3),
]


def pictures(shape):
    """Ramps with a little noise, each channel its own."""
    values = np.indices(shape).astype(np.int64)
    noise = np.random.default_rng(3).integers(0, 4, shape)
    return (sum((3 + axis) * place for axis, place in enumerate(values)) + noise).astype(np.uint8)


@pytest.fixture(scope="module")
def colours():
    return pictures((50, 12, 16, 3))


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_comes_back(shape):
    images = pictures(shape)
    for options, most in (({"exact": True}, 0), ({"max_error": 3}, 3)):
        with libae.ImageSet.open(libae.compress(images, block_images=2, **options)) as opened:
            assert opened.shape == shape
            assert (opened.ndim, opened.size, opened.nbytes) == (len(shape), images.size, images.nbytes)
            assert opened.info.channels == (shape[3] if len(shape) == 4 else 1)
            assert np.abs(opened[:].astype(int) - images).max() <= most
            assert opened[-1].shape == shape[1:]


def test_a_set_in_colour_is_a_sequence(colours):
    data = libae.compress(colours, exact=True, labels=np.arange(50), block_images=8)
    with libae.ImageSet.open(data) as opened:
        for index in (0, -1, slice(3, 20), slice(None, None, -7), [4, 4, 49, 0], np.arange(50) % 2 == 0):
            np.testing.assert_array_equal(opened[index], colours[index])
        np.testing.assert_array_equal(np.stack(list(opened)), colours)
        np.testing.assert_array_equal(np.asarray(opened), colours)
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(opened))[7], colours[7])
        assert "50 images of 12 x 16 pixels in 3 channels, lossless" in repr(opened)
        images, lost = opened.salvage()
        np.testing.assert_array_equal(images, colours)
        assert not lost.any()
    np.testing.assert_array_equal(libae.decompress(data), colours)


def test_lost_images_in_colour_are_zeros(colours):
    data, front = (libae.compress(colours[:count], exact=True, block_images=25) for count in (50, 25))
    bad = bytearray(data)
    at = next(place for place, (a, b) in enumerate(zip(data, front)) if a != b)
    bad[at + 8] ^= 4
    with libae.ImageSet.open(bytes(bad)) as opened:
        images, lost = opened.salvage()
        assert np.flatnonzero(lost).tolist() == list(range(25, 50))
        np.testing.assert_array_equal(images[:25], colours[:25])
        assert not images[25:].any()
        with pytest.raises(libae.ChecksumError, match="25 to 49"):
            opened[:]


@pytest.mark.parametrize("channels", [3, 4])
def test_a_notebook_shows_colours(channels):
    images = pictures((30, 12, 16, channels))
    with libae.ImageSet.open(libae.compress(images, exact=True)) as opened:
        html = opened._repr_html_()
    data = base64.b64decode(re.search(r'src="data:image/png;base64,([^"]*)"', html).group(1))
    width, height, depth, kind = struct.unpack(">IIBB", data[16:26])
    assert (depth, kind) == (8, {3: 2, 4: 6}[channels])
    rows = np.frombuffer(zlib.decompress(data[41 : 41 + int.from_bytes(data[33:37], "big")]), np.uint8)
    sheet = rows.reshape(height, width * channels + 1)[:, 1:].reshape(height, width, channels)
    np.testing.assert_array_equal(sheet[1:13, 1:17], images[0])
    np.testing.assert_array_equal(sheet[14:26, 154:170], images[19])


def test_large_images_are_shown_few_at_a_time():
    data = libae.compress(pictures((9, 256, 256, 3)), exact=True, method="contexts")
    with libae.ImageSet.open(data) as opened:
        assert 'width="515" height="515"' in opened._repr_html_()


def test_an_axis_of_one_channel_is_grey(colours):
    grey = colours[..., 0]
    packed = libae.compress(grey, exact=True)
    for form in (grey[..., None], grey[:, None]):
        assert libae.compress(form, exact=True) == packed
    assert libae.decompress(packed).shape == (50, 12, 16)
    # Which is how images of 3 or 4 pixels a row are said to be grey.
    narrow = grey[:, :, :3]
    with pytest.raises(libae.ShapeError, match=r"\[None\].*\[\.\.\., None\]"):
        libae.compress(narrow, exact=True)
    assert libae.decompress(libae.compress(narrow[..., None], exact=True)).shape == narrow.shape
    one = libae.decompress(libae.compress(colours[:1, :, :, :], exact=True))
    np.testing.assert_array_equal(one, colours[:1])


def test_what_may_be_two_shapes_is_refused():
    for shape in ((5, 1, 28, 3), (5, 1, 28, 4)):
        given = pictures(shape)
        with pytest.raises(libae.ShapeError, match=r"1 x 28.*28 x [34].*image_shape"):
            libae.compress(given, exact=True)
        colour = libae.decompress(libae.compress(given, exact=True, image_shape=shape[1:]))
        grey = libae.decompress(libae.compress(given, exact=True, image_shape=shape[2:]))
        np.testing.assert_array_equal(colour, given)
        np.testing.assert_array_equal(grey, given[:, 0])
    with pytest.raises(libae.ShapeError, match="moveaxis"):
        libae.compress(pictures((5, 3, 12, 16)), exact=True)
    for shape in ((5, 12, 16, 2), (5, 12, 16, 5), (2, 2, 12, 16, 3)):
        with pytest.raises(libae.ShapeError, match=r"\(N, H, W\)"):
            libae.compress(np.zeros(shape, np.uint8), exact=True)
    for wrong in ((12,), (12, 16, 3, 1)):
        with pytest.raises(libae.ShapeError, match=r"image_shape: \(H, W\) or \(H, W, C\)"):
            libae.compress(pictures((5, 12, 16, 3)), exact=True, image_shape=wrong)
    with pytest.raises(libae.ArgumentError, match="1, 3 or 4"):
        libae.compress(pictures((5, 12, 16, 3)), exact=True, image_shape=(12, 16, 2))


def test_a_grey_model_refuses_colour(colours, model):
    for call in (
        lambda: libae.compress(colours),
        lambda: libae.compress(colours, model),
        lambda: libae.compress(colours, quality=3),
        lambda: model.encode(colours),
        lambda: model.encode(colours[0]),
    ):
        with pytest.raises(libae.ShapeError, match="looks like colour, 3 channels.*grey"):
            call()
    with pytest.raises(
        libae.ShapeError, match=r"libae\.train.*exact=True.*convert them: .*astype\(images\.dtype\)"
    ):
        libae.compress(colours)
    with pytest.raises(libae.ShapeError, match="16 x 12 x 3 pixels.*takes 28 x 28"):
        libae.compress(colours, image_shape=(12, 16, 3))
    # A model is of no use to them, and no harm.
    assert libae.compress(colours, model, exact=True) == libae.compress(colours, exact=True)


def test_writers_take_colour(colours, tmp_path):
    packed = libae.compress(colours, exact=True, block_images=10)
    options = {"exact": True, "block_images": 10}
    others = colours[..., 0], colours[..., :2], colours[:, :11], np.zeros((3, 12, 16, 4), np.uint8)
    for shape in (None, (12, 16, 3)):
        with libae.ImageSetWriter(out := io.BytesIO(), image_shape=shape, **options) as writer:
            writer.add(colours[:7])
            for image in colours[7:9]:
                writer.add(image)
            writer.add(colours[9:30].reshape(21, -1))
            writer.add(colours[30:].reshape(4, 5, 12, 16, 3))
            for other in others:
                with pytest.raises(libae.ShapeError, match=r"\(12, 16, 3\)"):
                    writer.add(other)
            assert writer.count == 50
        assert out.getvalue() == packed
    path = tmp_path / "set.aez"
    libae.compress_file(path, colours[:40], exact=True, block_images=10)
    libae.append(path, colours[40:])
    assert path.read_bytes() == packed
    with libae.ImageSet.open(packed) as opened:
        with libae.ImageSetWriter(out := io.BytesIO(), exact=True, block_images=10) as writer:
            writer.add_set(opened)
        assert out.getvalue() == packed
        with libae.ImageSetWriter.like(opened, out := io.BytesIO()) as writer:
            writer.add_set(opened, 0, 20)
            writer.add(colours[20:])
        assert out.getvalue() == packed
        with pytest.raises(libae.ArgumentError, match="16 x 12 x 3 and 16 x 12"):
            with libae.ImageSetWriter(io.BytesIO(), exact=True, image_shape=(12, 16)) as writer:
                writer.add_set(opened)
        with pytest.raises(libae.ShapeError):
            with libae.ImageSetWriter(io.BytesIO()) as writer:
                writer.add_set(opened)
    shards = [tmp_path / name for name in ("a.aez", "b.aez")]
    for shard, part in zip(shards, (colours[:20], colours[20:])):
        libae.compress_file(shard, part, exact=True, block_images=10)
    libae.concatenate(shards, path)
    assert path.read_bytes() == packed
    libae.compress_file(shards[1], colours[..., 0], exact=True, block_images=10)
    with pytest.raises(libae.ArgumentError, match=r"16 x 12.*16 x 12 x 3"):
        libae.concatenate(shards, path)
