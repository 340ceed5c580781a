"""Image sets: packing, random access, labels, models that belong and models that do not."""

import base64
import concurrent.futures
import copy
import gzip
import io
import os
import pickle
import re
import struct
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import libae
import numpy as np
import pytest


@pytest.fixture(scope="module")
def opened(packed, model):
    with libae.ImageSet.open(packed, model) as images:
        yield images


@pytest.fixture(scope="module")
def decoded(packed, model):
    return libae.decompress(packed, model)


def test_a_set_is_small_and_close_to_the_originals(packed, decoded, images):
    assert len(packed) < images.size / 5
    assert decoded.shape == images.shape
    assert decoded.dtype == np.uint8
    error = np.mean((decoded / 255.0 - images / 255.0) ** 2)
    assert error < 0.8 * np.mean((images / 255 - np.mean(images / 255, axis=0)) ** 2)


def test_info_tells_what_was_packed(opened, packed, model):
    info = opened.info
    assert (info.count, info.height, info.width, info.channels) == (700, 12, 10, 1)
    assert (info.latent_size, info.block_images, info.byte_count) == (6, 64, len(packed))
    assert (info.has_labels, info.has_names, info.has_model) == (True, False, False)
    assert (info.model_hash, info.model_name) == (model.info.hash, "strokes")
    assert len(opened) == 700
    assert opened.shape == (700, 12, 10)
    assert "700 images" in repr(opened)
    assert (opened.ndim, opened.dtype, opened.nbytes) == (3, np.uint8, 700 * 120)
    assert opened.size == 700 * 120
    assert (info.kept_count, info.mode, info.method, info.scale_quality) == (0, "lossy", None, 0)


def test_numpys_array_knows_of_copies(opened, decoded):
    np.testing.assert_array_equal(opened.__array__(), decoded)
    np.testing.assert_array_equal(opened.__array__(np.float32, copy=True), decoded.astype(np.float32))
    np.testing.assert_array_equal(opened.__array__(copy=None), decoded)
    np.testing.assert_array_equal(np.array(opened), decoded)
    assert np.mean(opened) == decoded.mean()
    with pytest.raises(ValueError, match="copy"):
        opened.__array__(copy=False)


def test_repr_says_what_the_set_keeps(model, images):
    for options, words in (
        ({"model": model, "quality": 2}, "lossy, quality 2,"),
        ({"exact": True, "method": "contexts"}, "lossless, by contexts,"),
        ({"exact": True, "method": "predicted"}, "lossless, by predicted,"),
        ({"max_error": 3, "method": "contexts"}, "near-lossless to within 3, by contexts,"),
    ):
        with libae.ImageSet.open(libae.compress(images[:50], **options), model) as opened:
            assert words in repr(opened)
            assert ("quality" in repr(opened)) == ("quality" in options)
    assert repr(opened).endswith(", closed>")


def unpacked(html):
    """The grey picture inside a line of HTML."""
    data = base64.b64decode(re.search(r'src="data:image/png;base64,([^"]*)"', html).group(1))
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    rows = np.frombuffer(zlib.decompress(data[41 : 41 + int.from_bytes(data[33:37], "big")]), np.uint8)
    return rows.reshape(height, width + 1)[:, 1:]


def test_a_notebook_shows_the_first_images(opened, decoded, vae, model, packed):
    sheet = unpacked(opened._repr_html_())
    assert sheet.shape == (2 * 13 + 1, 10 * 11 + 1)
    np.testing.assert_array_equal(sheet[1:13, 1:11], decoded[0])
    np.testing.assert_array_equal(sheet[14:26, 100:110], decoded[19])
    assert "700 images" in opened._repr_html_()
    assert len(opened._repr_html_()) < 10000
    drawn = unpacked(vae._repr_html_())
    np.testing.assert_array_equal(drawn[1:13, 1:11], vae.sample(20, dtype=np.uint8)[0])
    assert "&lt;libae.Model" in model._repr_html_()
    assert "<img" not in model._repr_html_()
    assert "<th>shape</th><td>(700, 12, 10), uint8</td>" in opened._repr_html_()
    assert "<th>bytes decoded</th><td>84,000</td>" in opened._repr_html_()
    assert "<td>6 numbers for 120 of an image</td>" in model._repr_html_()
    predictor = libae.default_model("universal")._repr_html_()
    assert "<img" not in predictor
    assert "a predictor of pixels" in predictor
    with libae.ImageSet.open(packed, model) as closed:
        pass
    assert "closed" in closed._repr_html_()
    with libae.ImageSet.open(libae.compress(np.zeros((0, 12, 10), np.uint8), model), model) as none:
        assert "<img" not in none._repr_html_()


def test_integers_index_images(opened, decoded):
    for index in (0, 63, 64, 699, -1, -700, np.int64(100)):
        image = opened[index]
        assert image.shape == (12, 10)
        np.testing.assert_array_equal(image, decoded[index])
    for index in (700, -701, 2**70):
        with pytest.raises(IndexError):
            opened[index]


@pytest.mark.parametrize(
    "index",
    [
        slice(None),
        slice(10, 20),
        slice(60, 70),
        slice(690, 900),
        slice(20, 10),
        slice(None, None, 100),
        slice(None, None, -1),
        slice(-5, None),
        slice(650, 3, -7),
    ],
)
def test_slices_index_images_as_they_do_arrays(opened, decoded, index):
    np.testing.assert_array_equal(opened[index], decoded[index])


def test_lists_masks_and_arrays_index_images_in_their_order(opened, decoded):
    random = np.random.default_rng(0)
    for index in (
        [],
        [5],
        [3, 699, 3, -1, 0],
        random.integers(-700, 700, 300),
        random.integers(0, 700, 50).astype(np.uint16),
        random.random(700) < 0.1,
    ):
        expected = decoded[np.asarray(index, int)] if isinstance(index, list) else decoded[index]
        np.testing.assert_array_equal(opened[index], expected)
    for wrong in ([700], [-701], np.array([1, 2**63], np.uint64), np.ones(3, bool)):
        with pytest.raises(IndexError):
            opened[wrong]
    for wrong in (1.5, "3", [0.5], (1, 2, 3.0), {}, np.zeros((2, 2))):
        with pytest.raises(TypeError, match="an image set is indexed as an array is, .* came"):
            opened[wrong]
        with pytest.raises(TypeError):
            opened.codes(wrong)


MASK = np.random.default_rng(5).random((700, 12, 10)) < 0.001
INDICES = [
    (3, slice(4, 8)),
    (3, 4, 5),
    (-1,),
    (),
    ...,
    (..., 0),
    (slice(2, 300), ..., slice(None, None, -2)),
    (slice(0, 0),) * 3,
    (slice(60, 70), slice(2, 9, 3), -1),
    (slice(690, 3, -9), slice(2)),
    (slice(650, 3, -1), 4),
    (slice(None), 4, 5),
    None,
    (None, 3),
    (slice(5, 600), None, 2, None),
    [[1, 2], [3, -4]],
    np.zeros((0, 3), np.int32),
    np.array(3),
    ([1, 600, 1], [3, 4, 0]),
    ([1, 600], slice(None), [5, 6]),
    ([[1], [600]], 2, [5, 6]),
    (3, [1, 2]),
    (slice(3, 400, 7), slice(None), [1, 2]),
    (..., [0, 0, 9]),
    MASK,
    MASK[:, :, 0],
    (MASK[:, 0, 0], slice(3)),
    (slice(9), MASK[0]),
    True,
    (slice(2), False),
    (np.bool_(True), 5),
]


@pytest.mark.parametrize("index", INDICES, ids=lambda index: str(index)[:40])
def test_a_set_is_indexed_as_its_array_is(opened, decoded, index):
    got, expected = opened[index], decoded[index]
    assert (type(got), got.dtype, got.shape) == (type(expected), expected.dtype, expected.shape)
    np.testing.assert_array_equal(got, expected)
    if isinstance(got, np.ndarray):
        # The caller's own, and no more than that.
        assert got.flags.writeable
        assert (got if got.base is None else got.base).size <= max(got.size, 1)


def test_codes_are_indexed_as_their_array_is(opened):
    codes = opened.latents
    for index in ((3, slice(2)), (..., 0), ([3, 600], [1, 2]), (slice(None, None, -1), None), codes > 1):
        np.testing.assert_array_equal(opened.codes(index), codes[index])


def test_indices_that_no_array_has_are_refused(opened):
    for wrong in (
        (1, 2, 3, 4),
        (1, 2, 10),
        (slice(3), 12),
        (700, 0),
        ([0, 700], 0),
        (..., ...),
        MASK[:5],
        (0, np.ones(3, bool)),
        ([1, 2], [1, 2, 3]),
    ):
        with pytest.raises(IndexError):
            opened[wrong]


def test_parts_of_many_images_do_not_take_the_memory_of_all(model, images, monkeypatch):
    from libae import _imageset

    monkeypatch.setattr(_imageset, "_BYTES_AT_A_TIME", 3 * 64 * 120)
    with libae.ImageSet.open(libae.compress(images, model, block_images=64), model, cache_bytes=0) as opened:
        decoded = opened[:]
        read = []
        whole = opened._read
        opened._read = lambda call, first, count, *rest: (
            read.append(count) or whole(call, first, count, *rest)
        )
        for index in (np.s_[:, 3], np.s_[5:690, 2:4, None, ::-1], np.s_[::-1, :, 0], np.s_[None, ..., 9]):
            read.clear()
            np.testing.assert_array_equal(opened[index], decoded[index])
            assert max(read) <= 3 * 64
            # No block twice.
            assert sum(read) <= 700


def test_a_set_is_an_array_to_what_reads_by_chunks(opened, model, images):
    assert opened.chunks == (64, 12, 10)
    with libae.ImageSet.open(libae.compress(images[:5], model), model) as small:
        assert small.chunks == (5, 12, 10)


def test_dask_reads_sets_by_blocks(packed, model, opened, decoded, tmp_path):
    dask = pytest.importorskip("dask", reason="skipped: dask is not installed")
    array = pytest.importorskip("dask.array", reason="skipped: dask.array does not import")
    lazy = array.from_array(opened)
    assert (lazy.shape, lazy.dtype) == (opened.shape, opened.dtype)
    np.testing.assert_array_equal(lazy[3:650:9, ::-1, 4].compute(), decoded[3:650:9, ::-1, 4])
    lazy = array.from_array(opened, chunks=(128, 12, 10))
    np.testing.assert_array_equal(lazy.mean(axis=0).compute(), decoded.mean(axis=0))
    with dask.config.set({"array.chunk-size": 200 * 120}):
        assert set(array.from_array(opened, chunks="auto").chunks[0][:-1]) == {192}
    # The same for the same file, another one for another.
    (tmp_path / "set.aez").write_bytes(packed)
    first, second = (libae.ImageSet.open(tmp_path / "set.aez", model) for _ in range(2))
    assert array.from_array(first).name == array.from_array(second).name
    assert array.from_array(first).name != array.from_array(opened).name
    assert array.from_array(opened).name == array.from_array(libae.ImageSet.open(packed, model)).name
    reader = libae.ImageSet.open(io.BytesIO(packed), model)
    assert array.from_array(reader).name != array.from_array(reader).name


def test_xarray_holds_sets(opened, decoded):
    xarray = pytest.importorskip("xarray", reason="skipped: xarray is not installed")
    held = xarray.DataArray(opened, dims=("image", "y", "x"), coords={"label": ("image", opened.labels)})
    np.testing.assert_array_equal(held.where(held.label == 3, drop=True), decoded[opened.labels == 3])
    array = pytest.importorskip("dask.array", reason="skipped: dask is not installed")
    held = xarray.DataArray(array.from_array(opened), dims=("image", "y", "x"))
    np.testing.assert_array_equal(held.isel(image=slice(600, None, 7), y=3), decoded[600::7, 3])


def test_a_set_iterates_and_becomes_an_array(opened, decoded):
    np.testing.assert_array_equal(np.stack(list(opened)), decoded)
    np.testing.assert_array_equal(np.asarray(opened), decoded)
    assert np.asarray(opened, dtype=np.float32).dtype == np.float32


def test_labels_come_back(opened):
    np.testing.assert_array_equal(opened.labels, np.arange(700) % 10)
    assert opened.labels.dtype == np.uint8
    assert opened.names is None


def test_a_set_without_labels_has_none(model, images):
    with libae.ImageSet.open(libae.compress(images[:5], model), model) as plain:
        assert plain.labels is None
        assert plain.names is None


def test_codes_decode_to_the_images_closely(opened, decoded, model):
    codes = opened.latents
    assert codes.shape == (700, 6)
    assert codes.dtype == np.float32
    np.testing.assert_array_equal(opened.codes(slice(40, 90)), codes[40:90])
    np.testing.assert_array_equal(opened.codes(-3), codes[-3])
    np.testing.assert_array_equal(opened.codes([9, 2]), codes[[9, 2]])
    # The set runs in integers, the model's decode in floats.
    near = model.decode(codes, dtype=np.uint8).astype(int) - decoded
    assert np.abs(near).mean() < 4


def test_int8_models_decode_codes_to_the_very_pixels_of_the_set(opened, decoded, int8):
    difference = int8.decode(opened.latents, dtype=np.uint8).astype(int) - decoded
    assert np.abs(difference).mean() < 1


def test_the_same_images_give_the_same_bytes(packed, model, int8, images):
    options = {"labels": np.arange(700) % 10, "block_images": 64}
    assert libae.compress(images, model, **options) == packed
    assert libae.compress(images, int8, **options) == packed
    assert libae.compress(images.reshape(7, 100, 120), model, **options) == packed


def test_threads_and_order_of_reading_change_nothing(packed, model, images):
    before = libae.threads()
    try:
        libae.set_threads(1)
        assert libae.threads() == 1
        alone = libae.compress(images, model)
        pixels = libae.decompress(packed, model)
        libae.set_threads(4)
        assert libae.compress(images, model) == alone
        np.testing.assert_array_equal(libae.decompress(packed, model), pixels)
    finally:
        libae.set_threads(before)


def test_better_quality_costs_more_bytes_and_errs_less(model, images):
    sizes, errors = [], []
    # From 2 on: from the coarsest codes the model reconstructs some images too poorly, which are then stored.
    for quality in range(2, model.info.quality_count + 1):
        data = libae.compress(images, model, quality=quality)
        with libae.ImageSet.open(data, model) as opened:
            assert opened.info.quality == quality
            errors.append(np.mean((opened[:] / 255.0 - images / 255.0) ** 2))
        sizes.append(len(data))
    assert sizes == sorted(sizes)
    assert errors == sorted(errors, reverse=True)


def test_images_that_the_model_reconstructs_too_poorly_are_stored_and_have_no_code(model, images):
    mixed = images[:20].copy()
    mixed[7] = np.random.default_rng(2).integers(0, 256, (12, 10))
    with libae.ImageSet.open(libae.compress(mixed, model), model) as opened:
        np.testing.assert_array_equal(opened[7], mixed[7])
        assert opened.info.kept_count == 1
        assert opened.codes(slice(0, 7)).shape == (7, 6)
        with pytest.raises(libae.KindError, match="7"):
            opened.codes(7)
        with pytest.raises(libae.KindError):
            _ = opened.latents


def test_options_out_of_range_are_refused(model, images):
    for options in (
        {"quality": 0},
        {"quality": model.info.quality_count + 1},
        {"quality": -1},
        {"block_images": 0},
        {"block_images": 65537},
        {"labels": np.full(10, 256)},
        {"labels": np.full(10, -1)},
        {"labels": np.zeros(9, int)},
    ):
        with pytest.raises(ValueError, match=r"expected|must be in|takes"):
            libae.compress(images[:10], model, **options)
    with pytest.raises(TypeError, match="labels: integers"):
        libae.compress(images[:10], model, labels=np.zeros(10))


def test_compress_takes_bytes_alone(model, images):
    for dtype in (np.float32, np.float64, np.int64, bool):
        with pytest.raises(TypeError, match="uint8"):
            libae.compress(images[:3].astype(dtype), model)
    with pytest.raises(libae.ShapeError):
        libae.compress(np.zeros((3, 28, 28), np.uint8), model)


@pytest.mark.parametrize("count", [0, 1, 2, 512, 513])
def test_sets_of_any_size_come_back(model, images, count):
    given = images[:count]
    data = libae.compress(given, model, labels=np.zeros(count, int))
    back = libae.decompress(data, model)
    assert back.shape == (count, 12, 10)
    with libae.ImageSet.open(data, model) as opened:
        assert len(opened) == count
        assert opened.labels.shape == (count,)
        assert opened.latents.shape == (count, 6)
        assert len(list(opened)) == count


def test_an_embedded_model_makes_the_set_independent(model, images, tmp_path):
    data = libae.compress(images, model, embed_model=True)
    path = tmp_path / "set.aez"
    path.write_bytes(data)
    expected = libae.decompress(libae.compress(images, model), model)
    for source in (data, path, str(path), memoryview(data)):
        with libae.ImageSet.open(source) as opened:
            assert opened.info.has_model
            np.testing.assert_array_equal(opened[:], expected)
    np.testing.assert_array_equal(libae.decompress(path), expected)


def test_the_wrong_model_is_a_model_error_that_names_the_right_one(packed, model, vae):
    for wrong in (vae, None):
        with pytest.raises(libae.ModelError, match="strokes") as caught:
            libae.ImageSet.open(packed, wrong)
        assert model.info.hash[:8] in str(caught.value)


def test_a_decoder_alone_opens_sets_but_does_not_make_them(packed, decoded, decoder, images):
    np.testing.assert_array_equal(libae.decompress(packed, decoder), decoded)
    with pytest.raises(libae.KindError):
        libae.compress(images, decoder)


def test_a_model_without_codec_does_not_compress(images):
    plain = libae.train(images, latent_size=2, hidden=(8,), steps=5, codec=False)
    assert not plain.info.has_codec
    assert plain.info.hash == ""
    with pytest.raises(libae.KindError):
        libae.compress(images, plain)


def test_a_set_outlives_its_bytes_and_its_model(packed, model, decoded):
    data = bytearray(packed)
    owner = libae.Model.open(model.to_bytes())
    opened = libae.ImageSet.open(data, owner)
    owner.close()
    data[:] = bytes(len(data))
    np.testing.assert_array_equal(opened[:], decoded)


def test_a_damaged_block_loses_its_images_alone(packed, model, decoded):
    lost = None
    for place in range(len(packed) - 200, len(packed) // 2, -37):
        data = bytearray(packed)
        data[place] ^= 0xFF
        try:
            opened = libae.ImageSet.open(data, model)
        except libae.Error:
            continue
        with pytest.raises(libae.ChecksumError):
            opened[:]
        lost = []
        for first in range(0, 700, 64):
            try:
                np.testing.assert_array_equal(opened[first : first + 64], decoded[first : first + 64])
            except libae.ChecksumError:
                lost.append(first)
        assert len(lost) == 1
        break
    assert lost, "no place tried lay in a block"


def test_bad_sets_are_refused_with_a_reason(packed, model, tmp_path):
    for data in (b"", b"x", bytes(500), packed[: len(packed) // 2], packed[:-1]):
        with pytest.raises(libae.Error) as caught:
            libae.decompress(data, model)
        assert isinstance(caught.value, ValueError)
    with pytest.raises(libae.FileError):
        libae.ImageSet.open(tmp_path / "nowhere.aez", model)
    with pytest.raises(libae.Error):
        libae.ImageSet.open(model.to_bytes(), model)


def test_a_closed_set_says_so(packed, model):
    with libae.ImageSet.open(packed, model) as opened:
        pass
    with pytest.raises(libae.ArgumentError, match="this ImageSet is closed"):
        pickle.dumps(opened)
    for call in (lambda: opened[0], lambda: opened.labels, lambda: opened.latents, lambda: opened.names):
        with pytest.raises(libae.ArgumentError, match="this ImageSet is closed"):
            call()
    assert len(opened) == 700


def test_what_a_notebook_shows_is_escaped(images, model):
    description = model.description.replace("name=strokes", "name=<b>&'\"")
    odd = libae.Model.from_tensors(description, model.tensors()).quantize(images)
    for shown in (odd, libae.ImageSet.open(libae.compress(images, odd), odd)):
        html = shown._repr_html_()
        assert "<b>" not in html
        assert "&lt;b&gt;&amp;" in html
        for tag in ("table", "tr", "th", "td", "div"):
            assert html.count(f"<{tag}>") == html.count(f"</{tag}>") > 0


@pytest.mark.parametrize("cache_bytes", [0, 64 * 120, 5 * 64 * 120, 64 << 20])
def test_blocks_that_are_kept_change_nothing_but_time(packed, model, decoded, cache_bytes):
    random = np.random.default_rng(3)
    with libae.ImageSet.open(packed, model, cache_bytes=cache_bytes) as opened:
        expected = opened.latents
        for _ in range(60):
            place = int(random.integers(700))
            one = opened[place]
            np.testing.assert_array_equal(one, decoded[place])
            one[...] = 0  # the caller's own
            some = random.integers(0, 700, 9)
            np.testing.assert_array_equal(opened[some], decoded[some])
            np.testing.assert_array_equal(opened.codes(some), expected[some])
            np.testing.assert_array_equal(opened[place : place + 9], decoded[place : place + 9])
            np.testing.assert_array_equal(opened.codes(place), expected[place])
        held = opened._blocks
        assert held.byte_count <= cache_bytes
        assert held._byte_count == sum(each.block.nbytes for each in held._held.values())
        assert held._whole_bytes == sum(whole.items.nbytes for whole in held._wholes.values())
        assert (len(held._wholes) == 2) == (cache_bytes > 10**6)


def epoch(opened, order, batch=1):
    """Decoded images of an epoch, as a multiple of those that there are."""
    counts = []
    called = opened._call
    opened._call = lambda call, first, count, *rest: counts.append(count) or called(call, first, count, *rest)
    for first in range(0, order.size, batch):
        opened[order[first : first + batch] if batch > 1 else int(order[first])]
    opened._call = called
    return sum(counts) / order.size


@pytest.mark.parametrize("batch", [1, 16])
def test_an_epoch_in_any_order_decodes_what_fits_once(packed, model, batch):
    random = np.random.default_rng(2)
    with libae.ImageSet.open(packed, model) as opened:
        assert epoch(opened, random.permutation(700), batch) == 1
        assert epoch(opened, random.permutation(700), batch) == 0


def test_of_a_larger_set_what_the_cache_holds_is_decoded_once(model, images):
    data = libae.compress(np.concatenate([images] * 3), model, block_images=8)
    random = np.random.default_rng(2)
    with libae.ImageSet.open(data, model, cache_bytes=210 * 8 * 120) as opened:
        assert len(opened) // 8 == 262
        # Each image in order: the first of a block alone, and then its block.
        assert epoch(opened, np.arange(2100)) < 1.2
        epoch(opened, random.permutation(2100))
        # A fifth of the blocks is not held, and of these images are decoded alone.
        assert epoch(opened, random.permutation(2100)) < 0.5
        # What was of use is let go when it is no more.
        assert epoch(opened, np.tile(np.arange(1800, 2100), 8)) < 0.5
    # What is coded pixel by pixel is never decoded alone.
    exact = libae.compress(images[:90], exact=True, block_images=9)
    with libae.ImageSet.open(exact, cache_bytes=8 * 9 * 120) as opened:
        epoch(opened, random.permutation(90))
        assert 0.8 < epoch(opened, random.permutation(90)) < 4


@pytest.mark.parametrize(("batch", "readers"), [(1, 1), (16, 1), (16, 2)])
def test_a_shuffled_order_decodes_blocks_about_once_whatever_fits(packed, model, batch, readers):
    for cache_bytes in (2 * 64 * 120, 5 * 64 * 120, 64 << 20):
        sets = [libae.ImageSet.open(packed, model, cache_bytes=cache_bytes) for _ in range(readers)]
        order = sets[0].shuffled(seed=3)
        np.testing.assert_array_equal(np.sort(order), np.arange(700))
        np.testing.assert_array_equal(order, sets[0].shuffled(seed=3))
        assert (order != sets[0].shuffled(seed=4)).any()
        assert np.abs(np.diff(order)).mean() > 10
        # Batches in turn, as workers get them.
        batches = order[: 700 // 16 * 16].reshape(-1, 16)
        for number, opened in enumerate(sets):
            part = batches[number::readers].ravel()
            assert epoch(opened, part, batch) * part.size < 1.25 * 700
    with pytest.raises(libae.ArgumentError, match="seed"):
        sets[0].shuffled(-1)
    with libae.ImageSet.open(libae.compress(np.zeros((0, 12, 10), np.uint8), model), model) as none:
        assert none.shuffled().shape == (0,)


def test_threads_share_what_is_kept(packed, model, decoded):
    wrong = []
    with libae.ImageSet.open(packed, model, cache_bytes=3 * 64 * 120) as opened:

        def look(seed):
            for place in np.random.default_rng(seed).integers(0, 700, 300):
                if not np.array_equal(opened[place], decoded[place]):
                    wrong.append(place)

        threads = [threading.Thread(target=look, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def test_a_shuffled_epoch_is_about_as_fast_as_one_in_order(model, images):
    data = libae.compress(np.concatenate([images] * 8), model)
    seconds = []
    for order in (np.arange(5600), np.random.default_rng(0).permutation(5600)):
        with libae.ImageSet.open(data, model) as opened:
            start = time.perf_counter()
            for place in order.tolist():
                opened[place]
            seconds.append(time.perf_counter() - start)
    # Without the blocks that are kept it is some 40 times.
    assert seconds[1] < 5 * seconds[0]


def test_sets_are_pickled_by_their_path_and_copied(packed, model, images, decoded, tmp_path, monkeypatch):
    embedded = libae.compress(images, model, embed_model=True, block_images=64)
    path = tmp_path / "set.aez"
    path.write_bytes(embedded)
    monkeypatch.chdir(tmp_path)
    for source, given in (
        ("set.aez", None),
        (path, None),
        (embedded, None),
        (bytearray(embedded), None),
        (packed, model),
    ):
        opened = libae.ImageSet.open(source, given, cache_bytes=10**6)
        data = pickle.dumps(opened)
        assert (len(data) < 1500) == isinstance(source, (str, Path))
        monkeypatch.chdir("/")
        again = pickle.loads(data)
        monkeypatch.chdir(tmp_path)
        assert again.info == opened.info
        assert again._blocks.limit == 10**6
        np.testing.assert_array_equal(again[:], decoded)
        for twin in (copy.copy(opened), copy.deepcopy(opened)):
            twin.close()
        np.testing.assert_array_equal(opened[5], decoded[5])
        # What was copied goes on when the first is closed.
        twin = copy.copy(opened)
        opened.close()
        np.testing.assert_array_equal(twin[5], decoded[5])


def test_a_file_that_has_changed_is_not_taken_for_the_one_that_was_pickled(model, images, tmp_path):
    path = tmp_path / "set.aez"
    libae.compress_file(path, images[:100], model, embed_model=True)
    opened = libae.ImageSet.open(path)
    data = pickle.dumps(opened)
    # Of the same size, and as sound.
    libae.compress_file(path, images[:100], model, embed_model=True, labels=None)
    pickle.loads(data)
    with pytest.raises(libae.FileError, match="has changed since it was opened"):
        pickle.dumps(opened)
    libae.compress_file(path, images[100:200], model, embed_model=True)
    with pytest.raises(libae.FormatError, match=r"set\.aez: is not the image set any more"):
        pickle.loads(data)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        pickle.loads(data)
    with pytest.raises(libae.FileError, match="has changed"):
        pickle.dumps(opened)


class Counted:
    """Reads ranges of bytes, as an object store does, and counts what is asked for."""

    def __init__(self, data):
        self.data = data
        self.asked = []

    def __call__(self, offset, count):
        self.asked.append((offset, count))
        return self.data[offset : offset + count]


@pytest.fixture(scope="module")
def noise():
    """A set of 15 blocks that is large beside its index, and what it holds."""
    images = np.random.default_rng(4).integers(0, 256, (1500, 12, 10), np.uint8)
    return libae.compress(images, exact=True, block_images=100, labels=np.arange(1500) % 10), images


def test_a_set_is_read_by_range_and_no_more_than_is_asked_for(noise):
    packed, images = noise
    for form in (bytes, bytearray, memoryview, lambda part: np.frombuffer(part, np.uint8)):
        reader = Counted(packed)
        read = lambda offset, count, form=form, reader=reader: form(reader(offset, count))  # noqa: E731
        with libae.ImageSet.open(read, byte_count=len(packed)) as opened:
            reader.asked.clear()
            np.testing.assert_array_equal(opened[170], images[170])
            assert sum(count for _, count in reader.asked) < 13_000
            np.testing.assert_array_equal(opened[:], images)
            np.testing.assert_array_equal(opened.labels, np.arange(1500) % 10)
            assert opened.salvage()[1].sum() == 0
        assert all(0 <= offset <= offset + count <= len(packed) for offset, count in reader.asked)
    with pytest.raises(libae.ArgumentError, match="byte_count"):
        libae.ImageSet.open(reader)


def test_a_set_is_read_from_an_open_file(packed, model, decoded, tmp_path):
    path = tmp_path / "set.aez"
    path.write_bytes(packed)
    with gzip.open(tmp_path / "set.gz", "wb") as file:
        file.write(packed)
    for file in (
        io.BytesIO(packed),
        path.open("rb"),
        path.open("rb", buffering=0),
        gzip.open(tmp_path / "set.gz"),
    ):
        with file, libae.ImageSet.open(file, model) as opened:
            np.testing.assert_array_equal(opened[:], decoded)
            np.testing.assert_array_equal(opened[[650, 3]], decoded[[650, 3]])
            assert opened.info.byte_count == len(packed)
        np.testing.assert_array_equal(libae.decompress(io.BytesIO(packed), model), decoded)
    with pytest.raises(ValueError, match="closed"):
        libae.ImageSet.open(file, model)


def test_forked_processes_read_an_open_file_side_by_side(noise, tmp_path):
    packed, images = noise
    (tmp_path / "set.aez").write_bytes(packed)
    program = (
        "import multiprocessing, zlib\n"
        "import libae, numpy as np\n"
        "opened = libae.ImageSet.open(open('set.aez', 'rb'), cache_bytes=0)\n"
        "def look(seed):\n"
        "    order = np.random.default_rng(seed).integers(0, 1500, 300)\n"
        "    return [(int(place), zlib.crc32(opened[place].tobytes())) for place in order]\n"
        "with multiprocessing.get_context('fork').Pool(3) as pool:\n"
        "    for told in pool.map(look, range(6)):\n"
        "        print(*(f'{place}:{number}' for place, number in told))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(Path(libae.__file__).parents[1])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = [pair.split(":") for pair in done.stdout.split()]
    assert len(told) == 6 * 300
    assert all(int(number) == zlib.crc32(images[int(place)].tobytes()) for place, number in told)


def test_forked_processes_share_what_is_decoded(packed, model, decoded, tmp_path):
    (tmp_path / "set.aez").write_bytes(packed)
    model.save(tmp_path / "model.aew")
    program = (
        "import os, libae\n"
        "opened = libae.ImageSet.open('set.aez', libae.Model.open('model.aew'))\n"
        "opened[0]\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    opened[list(range(64, 700))]\n"
        "    os._exit(0)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "opened._call = None\n"
        "print(sum(image.astype(int).sum() for image in opened))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(Path(libae.__file__).parents[1])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, f"{decoded.astype(int).sum()}\n"), done.stderr


class OddError(Exception):
    """None that anyone else raises."""


def test_what_a_reader_raises_comes_through(noise):
    packed, images = noise
    broken = []

    def read(offset, count):
        if broken:
            raise OddError("gone")
        return packed[offset : offset + count]

    with libae.ImageSet.open(read, byte_count=len(packed), cache_bytes=0) as opened:
        broken.append(True)
        for call in (lambda: opened[0], lambda: opened[:]):
            with pytest.raises(OddError, match="gone"):
                call()
        broken.clear()
        np.testing.assert_array_equal(opened[:], images)
    broken.append(True)
    with pytest.raises(OddError, match="gone"):
        libae.ImageSet.open(read, byte_count=len(packed))
    for short in (lambda offset, count: packed[offset : offset + count - 1], lambda offset, count: b""):
        with pytest.raises(libae.FileError, match=r"bytes from \d+ on were asked for, \d+ came"):
            libae.ImageSet.open(short, byte_count=len(packed))
    with pytest.raises(TypeError):
        libae.ImageSet.open(lambda offset, count: None, byte_count=len(packed))


def test_what_a_reader_raises_is_no_damage_to_be_salvaged(noise):
    packed, images = noise

    def read(offset, count):
        if broken and 15_000 < offset < 26_000:
            raise OddError("gone")
        return packed[offset : offset + count]

    broken = []
    with libae.ImageSet.open(read, byte_count=len(packed)) as opened:
        broken.append(True)
        with pytest.raises(OddError, match="gone"):
            opened.salvage()


def test_many_threads_read_by_range(packed, model, decoded):
    with libae.ImageSet.open(io.BytesIO(packed), model, cache_bytes=0) as opened:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for place, image in pool.map(lambda place: (place, opened[place]), range(0, 700, 3)):
                np.testing.assert_array_equal(image, decoded[place])


def test_what_reads_is_pickled_along_with_the_set(packed, model, decoded):
    opened = libae.ImageSet.open(Counted(packed), model, byte_count=len(packed))
    again = pickle.loads(pickle.dumps(opened))
    np.testing.assert_array_equal(again[:], decoded)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(again))[9], decoded[9])
    np.testing.assert_array_equal(copy.copy(opened)[9], decoded[9])
    opened = libae.ImageSet.open(io.BytesIO(packed), model)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(opened))[:], decoded)
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        pickle.dumps(libae.ImageSet.open(lambda *at: Counted(packed)(*at), model, byte_count=len(packed)))


def test_a_shuffled_epoch_takes_about_as_long_as_one_in_order(model, images):
    data = libae.compress(np.concatenate([images] * 12), model)
    order = np.random.default_rng(0).permutation(700 * 12)
    seconds = []
    for places in (np.arange(order.size), order):
        with libae.ImageSet.open(data, model) as opened:
            start = time.perf_counter()
            for place in places:
                opened[place]
            seconds.append(time.perf_counter() - start)
    assert seconds[1] < 3 * seconds[0], seconds


WORKERS = """
import multiprocessing, sys
import libae

def look(given):
    images, model, trainer, place = given
    return images[place].tobytes(), model.encode(images[place]).tobytes(), trainer.image_shape

if __name__ == "__main__":
    model = libae.Model.open(sys.argv[1])
    images = libae.ImageSet.open(sys.argv[2], model)
    trainer = libae.Trainer((12, 10), hidden=(4,), latent_size=2)
    expected = [look((images, model, trainer, place)) for place in (5, 600)]
    for method in ("spawn", "forkserver", "fork"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            assert pool.map(look, [(images, model, trainer, place) for place in (5, 600)]) == expected, method
    print("done")
"""


def test_workers_get_sets_models_and_trainers_however_they_start(packed, model, tmp_path):
    (tmp_path / "set.aez").write_bytes(packed)
    model.save(tmp_path / "model.aew")
    (tmp_path / "workers.py").write_text(WORKERS)
    done = subprocess.run(
        [sys.executable, "workers.py", "model.aew", "set.aez"],
        env={**os.environ, "PYTHONPATH": str(Path(libae.__file__).parents[1])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


def test_images_unlike_those_of_the_model_are_warned_of():
    noise = np.random.default_rng(1).integers(0, 256, (40, 28, 28), np.uint8)
    digits = libae.default_model()
    words = r"40 of 40 images are stored as pixels: .* train a model .*exact=True"
    with pytest.warns(libae.PoorFitWarning, match=words) as caught:
        libae.compress(noise)
    assert caught[0].filename == __file__
    with pytest.warns(libae.PoorFitWarning, match='40 of 40 .* "digits-high" reconstructs them too'):
        libae.compress(noise, digits)
    # Exact, or few of them: nothing to say.
    libae.compress(noise, exact=True)
    libae.compress(np.concatenate([np.zeros((400, 28, 28), np.uint8), noise]))


def test_a_size_that_is_not_the_models_says_what_to_do(model):
    with pytest.raises(
        libae.ShapeError, match=r"those that come with libae take 28 x 28; train .*libae\.train.*exact=True"
    ):
        libae.compress(np.zeros((3, 32, 32), np.uint8))
    with pytest.raises(libae.ShapeError, match=r'the model "strokes" takes 12 x 10; train .*exact=True'):
        libae.compress(np.zeros((3, 32, 32), np.uint8), model)
    with pytest.raises(libae.ShapeError, match=r"libae\.train"):
        model.encode(np.zeros((3, 32, 32), np.uint8))


def test_every_kernel_path_makes_and_reads_the_same_sets(model, images, packed, decoded, tmp_path):
    model.save(tmp_path / "model.aew")
    np.save(tmp_path / "images.npy", images)
    (tmp_path / "set.aez").write_bytes(packed)
    program = (
        "import numpy, libae, sys\n"
        "model = libae.Model.open('model.aew')\n"
        "images, labels = numpy.load('images.npy'), numpy.arange(700) % 10\n"
        "packed = libae.compress(images, model, labels=labels, block_images=64)\n"
        "assert packed == open('set.aez', 'rb').read(), 'the set differs'\n"
        "sys.stdout.buffer.write(libae.decompress(packed, model).tobytes())\n"
    )
    for path in ("generic", "avx2", "avx512"):
        environment = {**os.environ, "AE_CPU": path, "PYTHONPATH": str(Path(libae.__file__).parents[1])}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, cwd=tmp_path, capture_output=True, check=False
        )
        assert done.returncode == 0, f"{path}: {done.stderr.decode()}"
        assert done.stdout == decoded.tobytes()


STRANGE = np.random.default_rng(8).integers(0, 256, (20000, 28, 28), np.uint8)


def test_compress_tells_how_far_it_is_and_stops_when_asked(model, images, tmp_path):
    told = []
    many = np.resize(images, (200_000, 12, 10))
    packed = libae.compress(many, model, progress=lambda *counts: told.append(counts))
    assert packed == libae.compress(many, model)
    assert told
    assert all(0 <= done <= count == 200_000 for done, count in told)
    assert told == sorted(told)
    path = tmp_path / "set.aez"
    path.write_bytes(b"old")
    for result in (False, np.False_):
        for call in (libae.compress, lambda *given, **named: libae.compress_file(path, *given, **named)):
            start = time.perf_counter()
            with pytest.raises(libae.StoppedError):
                call(STRANGE, exact=True, progress=lambda done, count, result=result: result)
            assert time.perf_counter() - start < 3
    with pytest.raises(KeyError, match="mine"):
        libae.compress(STRANGE, exact=True, progress=lambda done, count: {}["mine"])
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["set.aez"]


def test_control_c_stops_compress_within_a_moment():
    program = (
        "import os, signal, threading, time\n"
        "import libae, numpy as np\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "images = np.random.default_rng(8).integers(0, 256, (100000, 28, 28), np.uint8)\n"
        "sent = []\n"
        "def send():\n"
        "    sent.append(time.perf_counter())\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "threading.Timer(0.5, send).start()\n"
        "try:\n"
        "    libae.compress(images, exact=True)\n"
        "except KeyboardInterrupt:\n"
        "    print(time.perf_counter() - sent[0])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(Path(libae.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert float(done.stdout) < 2
