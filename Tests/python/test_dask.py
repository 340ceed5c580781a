"""Dask: codes and images chunk by chunk, and sets made of shards, on threads and on a cluster."""

import os
from pathlib import Path

import libae
import numpy as np
import pytest
import strokes

MISSING = "is not installed (tools/requirements.txt)"

dask = pytest.importorskip("dask", reason=f"Dask {MISSING}")
array = pytest.importorskip("dask.array", reason=f"dask[array] {MISSING}")
import libae.dask  # noqa: E402
from test_programs import blocks as code_in  # noqa: E402
from test_programs import checked  # noqa: E402


@pytest.fixture(autouse=True)
def _threads():
    """Dask's threads, unless a test has a cluster."""
    with dask.config.set(scheduler="threads", num_workers=2):
        yield


@pytest.fixture(scope="module")
def client():
    """Of a cluster of two worker processes, one thread each."""
    distributed = pytest.importorskip("distributed", reason=f"distributed {MISSING}")
    package = str(Path(libae.__file__).parents[1])
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = package if before is None else f"{package}{os.pathsep}{before}"
    try:
        with (
            dask.config.set({"distributed.worker.profile.enabled": False}),
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=40
            ) as cluster,
            distributed.Client(cluster) as made,
        ):
            yield made
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


@pytest.fixture
def blocks(images):
    """`images`, (700, 12, 10), in chunks that are no whole blocks."""
    return array.from_array(images, chunks=(150, 12, 5))


def test_codes_and_images_are_those_of_one_call(images, model, blocks):
    codes = libae.dask.encode(blocks, model)
    assert (codes.shape, codes.dtype, codes.chunks[0]) == ((700, 6), np.float32, (150, 150, 150, 150, 100))
    expected = model.encode(images)
    assert codes.compute().tobytes() == expected.tobytes()
    flat = libae.dask.encode(blocks.rechunk((150, 12, 10)).reshape(700, 120), model)
    assert flat[:3].compute().tobytes() == expected[:3].tobytes()
    pixels = libae.dask.decode(codes, model)
    assert (pixels.shape, pixels.dtype) == ((700, 12, 10), np.uint8)
    assert pixels.compute().tobytes() == model.decode(expected, dtype=np.uint8).tobytes()
    floats = libae.dask.decode(codes, model, dtype=np.float32, threads=2)
    assert floats[690:].compute().tobytes() == model.decode(expected[690:]).tobytes()
    assert isinstance(codes._meta, np.ndarray)


def test_colour_is_coded_by_models_in_colour():
    random = np.random.default_rng(3)
    colours = random.integers(0, 256, (60, 8, 6, 3), np.uint8)
    model = libae.train(colours, kind="linear", latent_size=4, steps=5)
    codes = libae.dask.encode(array.from_array(colours, chunks=(25, 4, 6, 1)), model)
    assert codes.compute().tobytes() == model.encode(colours).tobytes()
    assert libae.dask.decode(codes, model).compute().shape == colours.shape


@pytest.mark.parametrize(
    ("own", "options"),
    [
        (True, {"quality": 2, "block_images": 64}),
        (True, {"bytes_per_image": 4, "block_images": 50, "embed_model": True}),
        (False, {"exact": True, "priority": "speed", "block_images": 100}),
        (False, {"max_error": 3, "priority": "speed", "block_images": 700}),
    ],
)
def test_shards_make_the_set_of_one_machine(images, model, blocks, tmp_path, own, options):
    model = model if own else None
    labels = np.arange(700) % 7
    libae.dask.compress(blocks, tmp_path / "set.aez", model, labels=labels, **options)
    assert (tmp_path / "set.aez").read_bytes() == libae.compress(images, model, labels=labels, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["set.aez"]


def test_shards_are_whole_blocks_and_may_be_stored_anywhere(images, model, blocks, tmp_path):
    names = [f"{number}.png" for number in range(700)]
    marks = array.from_array(np.arange(700) % 5, chunks=300)
    parts = libae.dask.shards(
        blocks, model, labels=marks, names=names, quality=3, block_images=60, shared=dask.delayed(model)
    )
    packed = dask.compute(*parts)
    counts = [len(libae.ImageSet.open(each, model)) for each in packed]
    assert counts == [120, 120, 120, 120, 120, 100]
    paths = [tmp_path / str(number) for number in range(len(packed))]
    for path, data in zip(paths, packed):
        path.write_bytes(data)
    libae.concatenate(paths, tmp_path / "whole")
    expected = libae.compress(
        images, model, labels=np.arange(700) % 5, names=names, quality=3, block_images=60
    )
    assert (tmp_path / "whole").read_bytes() == expected
    whole = libae.dask.shards(array.from_array(images, chunks=(200, -1, -1)), model, block_images=50)
    assert len(whole) == 4


def test_shards_of_large_images_are_whole_blocks_too():
    # 16 MB of pixels, not 500 images.
    large = array.zeros((190, 256, 256, 3), chunks=(100, 256, 256, 3), dtype=np.uint8)
    fast = {"exact": True, "priority": "speed"}
    assert len(libae.dask.shards(large, **fast)) == 3
    assert len(libae.dask.shards(large, block_images=50, **fast)) == 2


def test_a_set_becomes_an_array(images, model, packed, tmp_path):
    (tmp_path / "set.aez").write_bytes(packed)
    expected = libae.decompress(packed, model)
    lazy = libae.dask.from_imageset(tmp_path / "set.aez", model, chunk_images=128)
    assert (lazy.shape, lazy.dtype, lazy.chunks[0]) == ((700, 12, 10), np.uint8, (128,) * 5 + (60,))
    assert lazy.compute().tobytes() == expected.tobytes()
    assert lazy[[3, 600]].compute().tobytes() == expected[[3, 600]].tobytes()
    memory = libae.dask.from_imageset(packed, model)
    assert memory.numblocks == (1, 1, 1)
    assert memory[5:9].compute().tobytes() == expected[5:9].tobytes()
    (tmp_path / "set.aez").write_bytes(libae.compress(images[:10], model))
    with pytest.raises(libae.FileError, match="700 images expected, one of 10 came"):
        lazy.compute()
    (tmp_path / "none.aez").write_bytes(libae.compress(images[:0], model))
    assert libae.dask.from_imageset(tmp_path / "none.aez", model).compute().shape == (0, 12, 10)


def test_a_cluster_gives_the_same(client, images, model, blocks, tmp_path):
    with dask.config.set(scheduler=None):
        codes = libae.dask.encode(blocks, model)
        assert codes.compute().tobytes() == model.encode(images).tobytes()
        shared = client.scatter(model, broadcast=True)
        again = libae.dask.decode(libae.dask.encode(blocks, model, shared=shared), model, shared=shared)
        assert again.compute().tobytes() == model.decode(model.encode(images), dtype=np.uint8).tobytes()
        for given in (None, shared):
            libae.dask.compress(blocks, tmp_path / "set.aez", model, quality=3, block_images=64, shared=given)
            assert (tmp_path / "set.aez").read_bytes() == libae.compress(
                images, model, quality=3, block_images=64
            )
        lazy = libae.dask.from_imageset(tmp_path / "set.aez", model, chunk_images=128)
        assert lazy.compute().tobytes() == libae.decompress(tmp_path / "set.aez", model).tobytes()


def test_models_and_contexts_go_through_cloudpickle(model, images, packed):
    # As Dask, Ray, Spark and joblib send what pickle alone would not.
    cloudpickle = pytest.importorskip("cloudpickle")
    opened = libae.ImageSet.open(packed, model)
    sent = cloudpickle.loads(cloudpickle.dumps((model, libae.Context(threads=1), opened, lambda: model)))
    assert sent[0].encode(images, context=sent[1]).tobytes() == model.encode(images).tobytes()
    assert sent[2][5].tobytes() == opened[5].tobytes()
    assert sent[3]().info == model.info


@pytest.mark.page
def test_the_code_in_the_docs_runs_and_gives_what_it_says(root, client, tmp_path, monkeypatch):
    """`py` marks what runs on a cluster, with Zarr."""
    pytest.importorskip("zarr", minversion="3.1", reason=f"Zarr 3.1 {MISSING}")
    monkeypatch.chdir(tmp_path)
    Path("digits.idx").write_bytes(strokes.idx(strokes.draw(600, seed=9)))
    # Relative paths are of the processes that use them, and the workers began elsewhere.
    client.run(os.chdir, tmp_path)
    page = root / "docs" / "dask.md"
    names = {"client": client}
    for code in code_in(page, "python"):
        exec(checked(code), names)
    with dask.config.set(scheduler=None):
        for code in code_in(page, "py"):
            # The tests have a cluster.
            exec(
                "\n".join(line for line in checked(code).splitlines() if "cluster" not in line.lower()), names
            )
    # The recipes are those of the program that runs them.
    lines = {line.strip() for line in (root / "examples" / "places.py").read_text().splitlines()}
    for code in code_in(page, "python3"):
        assert {line.strip() for line in code.splitlines()} <= lines


def test_what_does_not_fit_is_refused_before_anything_runs(images, model, blocks, tmp_path):
    with pytest.raises(TypeError, match=r"dask\.array\.Array expected, ndarray came.*from_array"):
        libae.dask.encode(images, model)
    with pytest.raises(TypeError, match=r"libae\.Model"):
        libae.dask.encode(blocks, "mine.aew")
    with pytest.raises(libae.ShapeError, match="12, 10"):
        libae.dask.encode(array.zeros((9, 28, 28), dtype=np.uint8), model)
    with pytest.raises(libae.ShapeError, match="one leading axis"):
        libae.dask.encode(array.zeros((2, 9, 12, 10), dtype=np.uint8), model)
    with pytest.raises(libae.ShapeError, match="6"):
        libae.dask.decode(array.zeros((9, 5)), model)
    with pytest.raises(libae.ShapeError, match="known sizes"):
        libae.dask.encode(blocks[blocks.sum(axis=(1, 2)) > 0], model)
    with pytest.raises(TypeError, match="uint8 expected, float32 came"):
        libae.dask.compress(blocks.astype(np.float32), tmp_path / "set.aez", model)
    with pytest.raises(libae.ShapeError, match="labels: one for each of 700 images expected, 3 came"):
        libae.dask.compress(blocks, tmp_path / "set.aez", model, labels=[1, 2, 3])
    with pytest.raises(TypeError, match="did you mean 'quality'"):
        libae.dask.shards(blocks, model, qualty=3)
    with pytest.raises(libae.FileError):
        libae.dask.compress(blocks, tmp_path / "nowhere" / "set.aez", model)
    assert list(tmp_path.iterdir()) == []
    assert "block_images" in libae.dask.compress.__doc__
