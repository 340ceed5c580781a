"""Arrays of images in Zarr: what comes back, what is read of a chunk, and where models are found."""

import copy
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import libae
import numpy as np
import pytest
import strokes

MISSING = "is not installed (tools/requirements.txt)"

numcodecs = pytest.importorskip("numcodecs", reason=f"numcodecs {MISSING}")
from libae.numcodecs import Libae  # noqa: E402

zarr = pytest.importorskip("zarr", minversion="3.1", reason=f"Zarr 3.1 {MISSING}")
import libae.zarr  # noqa: E402
from libae import _chunks  # noqa: E402
from libae.zarr import LibaeCodec  # noqa: E402
from test_programs import blocks, checked  # noqa: E402
from zarr.codecs import ShardingCodec, TransposeCodec  # noqa: E402
from zarr.storage import LocalStore, MemoryStore, WrapperStore  # noqa: E402

FAST = {"priority": "speed"}


@pytest.fixture(scope="module")
def digits():
    """(250, 12, 10) uint8."""
    return strokes.draw(250, 12, 10, seed=5)


@pytest.fixture(scope="module")
def noise():
    """(400, 28, 28) uint8 that nothing makes smaller, so that a chunk of it is long."""
    return np.random.default_rng(1).integers(0, 256, (400, 28, 28), np.uint8)


@pytest.fixture(scope="module")
def noise_store(noise, tmp_path_factory):
    """A folder with an array of `noise`, one chunk."""
    folder = tmp_path_factory.mktemp("noise") / "store"
    stored(noise, noise.shape, LibaeCodec(block_images=50, **FAST), LocalStore(folder))
    return folder


CHUNK = Path("c", "0", "0", "0")


@pytest.fixture(scope="module")
def predictor(digits):
    return libae.train_predictor(digits[:60], hidden=(8,), steps=4, batch_size=100, name="strokes")


@pytest.fixture
def nothing_known(monkeypatch, root):
    """No registered models, and only those on the path that come with libae."""
    monkeypatch.setattr(_chunks, "_registered", {})
    monkeypatch.setenv("AE_MODEL_PATH", str(root / "models"))


def stored(data, chunks, codec=None, store=None, **options):
    """An array that has been written, and is read by its metadata alone."""
    store = MemoryStore() if store is None else store
    options = {"compressors": None, **options}
    zarr.create_array(store, data=data, chunks=chunks, serializer=codec or LibaeCodec(**FAST), **options)
    return zarr.open_array(store, mode="r")


def configuration(array):
    return array.metadata.to_dict()["codecs"][0]["configuration"]


# ---- What goes in comes out ----


@pytest.mark.parametrize(
    ("shape", "chunks", "image_shape"),
    [
        ((70, 12, 10), (32, 12, 10), None),
        ((9, 12, 10), (1, 12, 10), None),
        ((12, 10), (12, 10), None),
        ((64, 40), (24, 16), None),
        ((20, 12, 10), (7, 6, 5), None),
        ((5, 12, 10, 1), (3, 12, 10, 1), None),
        ((20, 12, 10, 3), (8, 12, 10, 3), None),
        ((20, 12, 10, 4), (8, 12, 10, 4), None),
        ((20, 12, 10, 3), (8, 12, 10, 1), None),
        ((20, 3, 12, 10), (8, 3, 12, 10), None),
        ((3, 20, 12, 10), (2, 8, 12, 10), None),
        ((2, 3, 9, 12, 10, 3), (1, 2, 4, 12, 10, 3), None),
        ((20, 120), (8, 120), (12, 10)),
        ((20, 360), (8, 360), (12, 10, 3)),
        ((20, 12, 10), (8, 12, 10), (12, 10, 1)),
        ((20, 12, 10, 1), (8, 12, 10, 1), (12, 10)),
        ((12, 10, 3), (12, 10, 3), (12, 10, 3)),
        ((12, 10, 3), (4, 10, 3), (10, 3)),
    ],
)
def test_chunks_of_any_images_come_back(shape, chunks, image_shape):
    data = strokes.draw(int(np.prod(shape)) // 784 + 1, seed=2).reshape(-1)[: np.prod(shape)].reshape(shape)
    array = stored(data, chunks, LibaeCodec(image_shape=image_shape, **FAST))
    np.testing.assert_array_equal(array[:], data)
    last = tuple(side - 1 for side in shape)
    assert array[last] == data[last]


def test_a_chunk_is_an_image_set(digits, tmp_path):
    stored(digits[:20], (10, 12, 10), LibaeCodec(), LocalStore(tmp_path))
    packed = (tmp_path / "c" / "1" / "0" / "0").read_bytes()
    assert packed == libae.compress(digits[10:20], exact=True, block_images=333)
    metadata = json.loads((tmp_path / "zarr.json").read_text())
    assert metadata["codecs"] == [{"name": "libae", "configuration": {"mode": "lossless"}}]


def test_blocks_are_of_40_kb_unless_something_is_said(noise):
    assert [_chunks.block_images(shape) for shape in ((28, 28), (32, 32, 3), (256, 256, 3))] == [51, 13, 1]
    codec = Libae(**FAST)
    with libae.ImageSet.open(codec.encode(noise[:60])) as images:
        assert images.info.block_images == 51
    with libae.ImageSet.open(Libae(block_images=7, **FAST).encode(noise[:9])) as images:
        assert images.info.block_images == 7


def test_edges_are_filled_and_chunks_that_are_not_there_are_too(digits):
    array = stored(digits[:70], (32, 12, 10), fill_value=7)
    assert array.shape == (70, 12, 10)
    np.testing.assert_array_equal(array[60:], digits[60:70])
    store = MemoryStore()
    empty = zarr.create_array(
        store, shape=(100, 12, 10), dtype="uint8", chunks=(40, 12, 10), fill_value=9, compressors=None,
        serializer=LibaeCodec(**FAST),
    )  # fmt: skip
    assert (empty[:] == 9).all()
    assert (empty[3] == 9).all()
    empty[45] = digits[0]
    again = zarr.open_array(store, mode="r")
    blank = np.full((12, 10), 9)
    np.testing.assert_array_equal(again[44:47], np.stack([blank, digits[0], blank]))
    assert sum(key.startswith("c/") for key in store._store_dict) == 1


def test_parts_of_chunks_can_be_written(digits):
    store = MemoryStore()
    stored(digits, (100, 12, 10), store=store)
    array = zarr.open_array(store, mode="r+")
    array[95:105, 3] = 200
    expected = digits.copy()
    expected[95:105, 3] = 200
    np.testing.assert_array_equal(zarr.open_array(store, mode="r")[:], expected)


def test_shards_hold_chunks(digits):
    codec = ShardingCodec(chunk_shape=(40, 12, 10), codecs=[LibaeCodec(block_images=10, **FAST)])
    array = stored(digits, (120, 12, 10), codec)
    np.testing.assert_array_equal(array[:], digits)
    np.testing.assert_array_equal(array[77], digits[77])
    short = stored(digits, (40, 12, 10), LibaeCodec(**FAST), shards=(120, 12, 10))
    np.testing.assert_array_equal(short.oindex[[1, 130, 249]], digits[[1, 130, 249]])


def test_channels_that_come_first_may_be_coded_as_colour(digits):
    planes = np.stack([digits[:80], digits[:80] // 2, 255 - digits[:80]], axis=1)
    turned = stored(planes, (40, 3, 12, 10), filters=[TransposeCodec(order=(0, 2, 3, 1))])
    grey = stored(planes, (40, 3, 12, 10))
    np.testing.assert_array_equal(turned[:], planes)
    assert turned.nbytes_stored() < grey.nbytes_stored()


def test_the_codec_may_be_followed_by_another(digits):
    array = stored(digits, (100, 12, 10), compressors=zarr.codecs.ZstdCodec())
    np.testing.assert_array_equal(array[33:120], digits[33:120])


# ---- What is read of a chunk ----

SELECTIONS = {
    "one image": lambda a: a[77],
    "the last": lambda a: a[-1],
    "a range": lambda a: a[95:103],
    "steps": lambda a: a[3::37],
    "a crop": lambda a: a[40:43, 5:9, ::2],
    "a column of one image": lambda a: a[12, :, 3],
    "a pixel": lambda a: a[249, 11, 9],
    "all": lambda a: a[:],
    "none": lambda a: a[5:5],
}
INDICES = {
    "images in any order": (np.array([3, 249, 3, 120]),),
    "rows of images": (np.array([3, 200]), slice(None), np.array([1, 5, 9])),
    "a mask": (np.arange(250) % 83 == 0,),
}


@pytest.mark.parametrize("shards", [None, (200, 12, 10)])
def test_what_is_selected_is_what_numpy_selects(digits, shards):
    array = stored(digits, (100, 12, 10), LibaeCodec(block_images=16, **FAST), shards=shards)
    for name, select in SELECTIONS.items():
        np.testing.assert_array_equal(select(array), select(digits), err_msg=name)
    for name, index in INDICES.items():
        full = index + (slice(None),) * (3 - len(index))
        axes = [np.arange(n)[each] for n, each in zip(digits.shape, full)]
        np.testing.assert_array_equal(array.oindex[index], digits[np.ix_(*axes)], err_msg=name)
    points = (np.array([3, 249, 3]), np.array([4, 5, 11]), np.array([7, 0, 9]))
    np.testing.assert_array_equal(array.vindex[points], digits[points])
    lit = digits > 250
    np.testing.assert_array_equal(array.get_mask_selection(lit), digits[lit])
    first = shards[0] if shards else 100
    np.testing.assert_array_equal(array.blocks[0], digits[:first])


def test_selections_reach_through_more_leading_axes():
    data = strokes.draw(90, 12, 10, seed=4).reshape(3, 30, 12, 10)
    array = stored(data, (2, 20, 12, 10), LibaeCodec(block_images=4, **FAST))
    np.testing.assert_array_equal(array[1, 7], data[1, 7])
    np.testing.assert_array_equal(array[:, 3, 2:5], data[:, 3, 2:5])
    flat = stored(data.reshape(90, 120), (50, 120), LibaeCodec(image_shape=(12, 10), block_images=4, **FAST))
    np.testing.assert_array_equal(flat[33, 50:90], data.reshape(90, 120)[33, 50:90])


class Watched(WrapperStore):
    """A store that tells sizes without reading, as those of files and objects do."""

    async def getsize(self, key):
        return await self._store.getsize(key)


class Counting(Watched):
    """Counts the bytes that are read of chunks. Zarr makes copies of a store, so the class has the count."""

    read = 0

    async def get(self, key, prototype, byte_range=None):
        data = await super().get(key, prototype, byte_range)
        if data is not None and not key.endswith(".json"):
            Counting.read += len(data)
        return data


def test_of_a_long_chunk_the_blocks_that_are_needed_are_read(noise, noise_store):
    size = (noise_store / CHUNK).stat().st_size
    array = zarr.open_array(Counting(LocalStore(noise_store)), mode="r")

    def read(index):
        Counting.read = 0
        np.testing.assert_array_equal(array.oindex[index], noise[index])
        return Counting.read

    ends, block = 256 + 65536, 50 * 784
    assert block < read(101) < ends + 1.01 * block < size / 2
    assert read([3, 301]) < ends + 2.02 * block
    # Of the last images the end is there already.
    assert read(399) <= ends
    assert read(slice(None)) == size

    class Simple(WrapperStore):
        async def get(self, key, prototype, byte_range=None):
            assert byte_range is None, "to tell the size, the whole would be read"
            return await super().get(key, prototype, byte_range)

    np.testing.assert_array_equal(zarr.open_array(Simple(LocalStore(noise_store)))[101], noise[101])


def test_what_is_damaged_costs_its_block_alone(noise, noise_store, tmp_path):
    shutil.copytree(noise_store, tmp_path / "store")
    data = bytearray((noise_store / CHUNK).read_bytes())
    data[len(data) // 2 + 1000] ^= 1
    (tmp_path / "store" / CHUNK).write_bytes(data)
    array = zarr.open_array(tmp_path / "store", mode="r")
    np.testing.assert_array_equal(array[100], noise[100])
    with pytest.raises(libae.ChecksumError, match="200"):
        array[220]
    with pytest.raises(libae.ChecksumError):
        array[:]


def test_a_chunk_that_is_replaced_while_it_is_read_is_read_again(noise, noise_store, tmp_path):
    place = tmp_path / "store"
    shutil.copytree(noise_store, place)
    other = noise[:, ::-1] // 2
    new = libae.compress(other, exact=True, block_images=50, **FAST)

    class Replacing(Watched):
        calls = 0

        async def get(self, key, prototype, byte_range=None):
            Replacing.calls += key.startswith("c/")
            if Replacing.calls == 3:
                (place / CHUNK).write_bytes(new)
            return await super().get(key, prototype, byte_range)

    got = zarr.open_array(Replacing(LocalStore(place)), mode="r")[101]
    np.testing.assert_array_equal(got, other[101])
    # Both ends and a block, and all.
    assert Replacing.calls == 4


def test_many_chunks_are_read_at_once(noise, noise_store, tmp_path):
    # More of them than there are threads to read files, all of which would wait for one.
    array = zarr.create_array(
        LocalStore(tmp_path), shape=(16_000, 28, 28), chunks=noise.shape, dtype="uint8",
        serializer=LibaeCodec(**FAST), compressors=None,
    )  # fmt: skip
    for number in range(40):
        (tmp_path / "c" / str(number) / "0").mkdir(parents=True)
        os.link(noise_store / CHUNK, tmp_path / "c" / str(number) / "0" / "0")
    program = (
        f"import libae.zarr, zarr; array = zarr.open_array({str(tmp_path)!r}, mode='r'); "
        "print(int(array.oindex[list(range(7, 16_000, 400))].sum()))"
    )
    assert array.shape[0] == 40 * len(noise)
    assert int(run(program, timeout=60)) == 40 * int(noise[7].sum())


def test_readers_without_a_loop_decode_what_they_need(digits):
    codec = LibaeCodec(block_images=16, **FAST)
    spec = zarr.core.array_spec.ArraySpec(
        (100, 12, 10), zarr.dtype.UInt8(), 0,
        zarr.core.array_spec.ArrayConfig("C", False), zarr.core.buffer.default_buffer_prototype(),
    )  # fmt: skip
    written = codec._encode_sync(spec.prototype.nd_buffer.from_numpy_array(digits[:100]), spec)

    class Getter:
        def __init__(self, data):
            self.data = data

        def get_sync(self, prototype, byte_range=None):
            assert byte_range is None
            return self.data

    part = codec._decode_partial_sync(Getter(written), (slice(40, 42), 3, slice(None)), spec)
    np.testing.assert_array_equal(part.as_numpy_array(), digits[40:42, 3])
    np.testing.assert_array_equal(codec._decode_sync(written, spec).as_numpy_array(), digits[:100])
    assert codec._decode_partial_sync(Getter(None), (0, 0, 0), spec) is None
    assert isinstance(codec, zarr.abc.codec.SupportsSyncCodec)


# ---- Modes and models ----


def test_modes_follow_from_what_is_asked_for(digits, model, images, nothing_known):
    def mode(**options):
        return LibaeCodec(**options).to_dict()["configuration"]["mode"]

    assert mode() == mode(method="contexts") == mode(max_error=0) == "lossless"
    assert mode(max_error=3) == "near-lossless"
    assert mode(quality=3) == mode(bytes_per_image=9.5) == mode(mode="lossy") == "lossy"
    near = stored(digits, (100, 12, 10), LibaeCodec(max_error=4, **FAST))
    assert 0 < np.abs(near[:].astype(int) - digits).max() <= 4
    lossy = stored(images, (256, 12, 10), LibaeCodec(model=model, quality=2))
    assert (
        lossy[10:20].tobytes()
        == libae.decompress(libae.compress(images[:256], model, quality=2), model)[10:20].tobytes()
    )
    with pytest.raises(libae.ShapeError, match="12"):
        stored(strokes.draw(9, seed=1), (9, 28, 28), LibaeCodec(model=model, quality=2))


def test_lossy_digits_need_no_model_of_ones_own(nothing_known):
    digits = strokes.draw(60, seed=11)
    array = stored(digits, (60, 28, 28), LibaeCodec(quality=4))
    assert configuration(array) == {"mode": "lossy", "quality": 4}
    assert libae.zarr.model_of(array) is None
    np.testing.assert_array_equal(array[:], libae.decompress(libae.compress(digits, quality=4)))


def test_a_model_is_in_the_metadata_once_and_in_no_chunk(images, model, nothing_known, tmp_path):
    stored(images, (100, 12, 10), LibaeCodec(model=model, quality=3), LocalStore(tmp_path))
    told = json.loads((tmp_path / "zarr.json").read_text())["codecs"][0]["configuration"]["model"]
    assert (told["hash"], told["name"]) == (model.info.hash, "strokes")
    chunks = [path for path in (tmp_path / "c").rglob("*") if path.is_file()]
    assert len(chunks) == 7
    assert not any(libae.ImageSet.open(path, model).info.has_model for path in chunks)
    # Nothing else is known of it here, and others read and write all the same.
    array = zarr.open_array(tmp_path, mode="r+")
    found = libae.zarr.model_of(tmp_path)
    assert (found.info.hash, found.info.storage) == (model.info.hash, "int8")
    expected = libae.decompress(libae.compress(images, model, quality=3), model)
    np.testing.assert_array_equal(array[:], expected)
    array[650:] = images[650:]
    np.testing.assert_array_equal(array[650:], expected[650:])


def test_a_predictor_of_ones_own_codes_chunks(digits, predictor, nothing_known):
    digits = digits[:40]
    own = stored(digits, (40, 12, 10), LibaeCodec(model=predictor, method="predicted"))
    np.testing.assert_array_equal(own[:], digits)
    reference = configuration(own)["model"]
    assert reference["name"] == "strokes"
    packed = libae.compress(digits, predictor, exact=True, method="predicted", block_images=50)
    assert libae.ImageSet.open(packed, predictor).info.predictor_hash == reference["hash"]
    assert libae.zarr.model_of(own).info.kind == "predictor"
    universal = stored(digits, (40, 12, 10), LibaeCodec(model=libae.default_model("universal")))
    assert set(configuration(universal)["model"]) == {"hash", "name"}


def test_a_model_that_is_not_embedded_is_found_by_its_hash(
    images, model, nothing_known, tmp_path, monkeypatch
):
    codec = LibaeCodec(model=model, quality=3, embed=False)
    store = MemoryStore()
    array = zarr.create_array(
        store, shape=images.shape, dtype="uint8", chunks=(350, 12, 10), serializer=codec, compressors=None
    )
    assert configuration(array)["model"] == {"hash": model.info.hash, "name": "strokes"}
    for call in (lambda: libae.zarr.model_of(array), lambda: array.__setitem__(0, 3)):
        with pytest.raises(libae.ModelError) as caught:
            call()
        for words in ('"strokes"', model.info.hash, "not registered", "AE_MODEL_PATH", "embedded"):
            assert words in str(caught.value)

    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "another.aew").write_bytes(b"no model")
    model.save(folder / "mine.aew", storage="int8")
    monkeypatch.setenv("AE_MODEL_PATH", f"{tmp_path / 'nowhere'}:{folder}")
    array[:] = images
    read = array[:]
    monkeypatch.setenv("AE_MODEL_PATH", "")
    with pytest.raises(libae.ModelError, match="not set"):
        array[:]

    again = copy.copy(model)
    assert libae.zarr.register_model(again) == model.info.hash
    again.close()
    np.testing.assert_array_equal(array[:], read)
    with pytest.raises(TypeError, match="libae.Model"):
        libae.zarr.register_model(model.info.hash)


def test_what_a_model_cannot_do_is_said_at_once(model, predictor, images):
    with pytest.raises(libae.KindError, match="no predictor.*train_predictor"):
        LibaeCodec(model=model)
    with pytest.raises(libae.KindError, match="no codec.*quantize"):
        LibaeCodec(model=predictor, quality=3)
    bare = libae.Model.from_tensors(model.description, model.tensors())
    with pytest.raises(libae.KindError, match="neither a codec nor a predictor"):
        libae.zarr.register_model(bare)


def test_an_embedded_model_is_the_one_that_its_hash_says(model, predictor):
    told = LibaeCodec(model=model, quality=3).to_dict()["configuration"]["model"]
    for change, words in (
        ({"hash": "0" * 64}, f"is {model.info.hash}, not 0000"),
        ({"data": told["data"][:400]}, "weight"),
        ({"data": "no base64"}, "base64"),
    ):
        with pytest.raises(libae.Error, match=words):
            LibaeCodec(model={**told, **change}, quality=3).model  # noqa: B018
    for wrong in ({}, {"hash": "00"}, {**told, "url": "https://example.org"}, {**told, "name": 3}):
        with pytest.raises(libae.FormatError, match="64 hexadecimal"):
            LibaeCodec(model=wrong, quality=3)
    with pytest.raises(TypeError, match=r"a libae\.Model, or a mapping"):
        LibaeCodec(model="mine.aew")


# ---- What is refused ----


@pytest.mark.parametrize(
    ("shape", "chunks", "dtype", "options", "words"),
    [
        ((9, 12, 10), (3, 12, 10), "float32", {}, "uint8.*float32 came.*astype"),
        ((9, 12, 10), (3, 12, 10), "int8", {}, "uint8.*int8 came"),
        ((9, 12, 10), (3, 12, 10), "bool", {}, "uint8.*bool came"),
        ((900,), (300,), "uint8", {}, "two axes.*image_shape"),
        ((9, 784), (3, 784), "uint8", {}, "3 x 784.*smaller chunks.*image_shape"),
        ((9, 300, 300), (3, 300, 300), "uint8", {}, "300 x 300.*sides of 1 to 256"),
        ((9, 256, 256, 4), (3, 256, 256, 4), "uint8", {}, "at most 196608"),
        ((9, 12, 3), (3, 12, 3), "uint8", {}, r"image_shape=\(3, 12, 3\) or image_shape=\(12, 3\)"),
        ((9, 12, 10), (3, 12, 10), "uint8", {"image_shape": (28, 28)}, r"ends in \(28, 28\) or \(784\)"),
    ],
)
def test_arrays_that_are_no_images_are_refused_as_they_are_created(shape, chunks, dtype, options, words):
    with pytest.raises((TypeError, libae.ShapeError), match=words):
        zarr.create_array(
            {}, shape=shape, chunks=chunks, dtype=dtype, serializer=LibaeCodec(**options), compressors=None
        )


def test_chunks_in_shards_are_looked_at_too():
    codec = ShardingCodec(chunk_shape=(2, 784), codecs=[LibaeCodec()])
    with pytest.raises(libae.ShapeError, match="image_shape"):
        zarr.create_array({}, shape=(8, 784), chunks=(4, 784), dtype="uint8", serializer=codec,
                          compressors=None)[:] = 3  # fmt: skip


def test_options_are_checked_as_the_codec_is_made():
    with pytest.raises(TypeError, match="did you mean 'quality'"):
        LibaeCodec(qualty=3)
    with pytest.raises(libae.ArgumentError, match="max_error"):
        LibaeCodec(max_error=99)
    with pytest.raises(libae.ShapeError, match="image_shape"):
        LibaeCodec(image_shape=(28,))
    with pytest.raises(libae.ShapeError, match="image_shape"):
        LibaeCodec(image_shape=(28, 28, 2))
    with pytest.raises(libae.FormatError, match="'libae' expected, 'zstd' came"):
        LibaeCodec.from_dict({"name": "zstd"})
    with pytest.raises(libae.ArgumentError, match="every chunk; embed,"):
        LibaeCodec(embed_model=True)
    assert "block_images" in LibaeCodec.__doc__


def test_a_chunk_of_other_images_is_refused(digits):
    store = MemoryStore()
    array = stored(digits, (100, 12, 10), store=store)
    key = "c/0/0/0"
    store._store_dict[key] = zarr.core.buffer.default_buffer_prototype().buffer.from_bytes(
        libae.compress(digits[:99], exact=True)
    )
    for read in (lambda: array[:], lambda: array[3]):
        with pytest.raises(libae.FormatError, match=r"\(100, 12, 10\) expected.*\(99, 12, 10\) came"):
            read()


def test_codecs_are_values(model):
    codec = LibaeCodec(model=model, quality=3, image_shape=(12, 10))
    again = LibaeCodec.from_dict(json.loads(json.dumps(codec.to_dict())))
    assert again == codec == pickle.loads(pickle.dumps(codec)) == copy.deepcopy(codec)
    assert hash(again) == hash(codec)
    assert codec != LibaeCodec(model=model, quality=4, image_shape=(12, 10))
    assert len(repr(codec)) < 400
    with pytest.raises(AttributeError):
        codec.coding = None


def test_model_of_takes_arrays_of_libae(digits, model, images):
    sharded = stored(images, (200, 12, 10), ShardingCodec(
        chunk_shape=(100, 12, 10), codecs=[LibaeCodec(model=model, quality=1)]))  # fmt: skip
    assert libae.zarr.model_of(sharded).info.hash == model.info.hash
    plain = zarr.create_array({}, data=digits, chunks=(50, 12, 10))
    with pytest.raises(libae.KindError, match="libae"):
        libae.zarr.model_of(plain)


# ---- numcodecs, and format 2 ----


def test_numcodecs_codes_arrays(digits):
    codec = numcodecs.get_codec({"id": "libae", **FAST})
    assert codec == Libae(**FAST) == Libae.from_config(codec.get_config())
    packed = codec.encode(digits[:50])
    assert packed == libae.compress(digits[:50], exact=True, block_images=333, **FAST)
    np.testing.assert_array_equal(codec.decode(packed), digits[:50])
    out = np.empty(50 * 120, np.uint8)
    assert codec.decode(bytearray(packed), out=out) is out
    np.testing.assert_array_equal(out, digits[:50].reshape(-1))
    flat = Libae(image_shape=(12, 10), **FAST)
    assert flat.encode(digits[:50].tobytes()) == packed
    assert flat.encode(digits[:50].reshape(50, 120)) == packed
    with pytest.raises(libae.ShapeError, match="two axes"):
        codec.encode(digits[:50].tobytes())
    with pytest.raises(libae.ArgumentError, match="C order"):
        codec.encode(np.asfortranarray(digits[:50]))
    with pytest.raises(TypeError, match="uint8.*float64 came"):
        codec.encode(digits[:50] / 255)


def test_arrays_of_format_2_have_the_codec_as_compressor(digits, images, model, nothing_known, tmp_path):
    format_2 = {"zarr_format": 2, "compressors": Libae(**FAST)}
    zarr.create_array(tmp_path / "two", data=digits, chunks=(100, 12, 10), **format_2)
    array = zarr.open_array(tmp_path / "two", mode="r")
    assert array.metadata.compressor == Libae(**FAST)
    np.testing.assert_array_equal(array[:], digits)
    np.testing.assert_array_equal(array[77], digits[77])
    own = zarr.create_array(
        {}, data=images, chunks=(350, 12, 10), zarr_format=2, compressors=Libae(model=model, quality=3)
    )
    assert libae.zarr.model_of(own).info.hash == model.info.hash
    assert "strokes" in repr(own.metadata.compressor)
    assert len(repr(own.metadata.compressor)) < 100
    assert np.abs(own[:].astype(int) - images).mean() < 30


# ---- Where others find it ----


def run(program, environment=None, **options):
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(Path(libae.__file__).parents[1]), **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        **options,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_installed_package_is_found_by_its_entry_points(root, digits, tmp_path):
    stored(digits, (100, 12, 10), store=LocalStore(tmp_path / "three"))
    format_2 = {"zarr_format": 2, "compressors": Libae(**FAST)}
    zarr.create_array(tmp_path / "two", data=digits, chunks=(100, 12, 10), **format_2)
    # What pip writes of pyproject.toml.
    project = (root / "bindings" / "python" / "pyproject.toml").read_text()
    lines = []
    for group in ("zarr.codecs", "numcodecs.codecs"):
        after = project.split(f'[project.entry-points."{group}"]\n')[1]
        lines += [f"[{group}]", after.split("\n\n")[0].replace('"', "")]
    installed = tmp_path / "site" / "libae-1.dist-info"
    installed.mkdir(parents=True)
    (installed / "entry_points.txt").write_text("\n".join(lines))
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: libae\nVersion: 1\n")
    package = Path(libae.__file__).parents[1]
    program = f"""
import sys, zarr
for name in ("three", "two"):
    print(int(zarr.open_array({str(tmp_path)!r} + "/" + name, mode="r")[:].sum()))
"""
    printed = run(program, {"PYTHONPATH": f"{package}:{installed.parent}"})
    assert printed.split() == [str(int(digits.sum()))] * 2


def test_a_package_that_is_missing_is_named():
    program = """
import sys
for name in ("zarr", "numcodecs", "dask"):
    sys.modules[name] = None
    try:
        __import__(f"libae.{name}")
    except ImportError as error:
        print(error)
"""
    lines = run(program).splitlines()
    assert [line.split(": ")[1] for line in lines] == [
        f"pip install 'libae[{extra}]'" for extra in ("zarr", "zarr", "dask")
    ]


@pytest.mark.page
def test_the_code_in_the_docs_runs_and_gives_what_it_says(root, tmp_path, monkeypatch, nothing_known):
    """`py` marks what needs xarray, too."""
    monkeypatch.chdir(tmp_path)
    Path("digits.idx").write_bytes(strokes.idx(strokes.draw(60, seed=9)))
    page, names = root / "docs" / "zarr.md", {}
    for code in blocks(page, "python"):
        exec(checked(code), names)
    pytest.importorskip("xarray", reason="xarray is not installed")
    for code in blocks(page, "py"):
        exec(checked(code), names)
    assert isinstance(names["again"]["image"].encoding["serializer"], LibaeCodec)
