"""Image sets put together and taken apart by their blocks: cat, append and split."""

import json

import numpy as np
import pytest
from conftest import environment, fails, ok, run
from imagefiles import idx, npy, png, read_idx, read_npy


def pixels(path, *arguments, cwd) -> np.ndarray:
    return read_npy(ok("decompress", path, *arguments, "-o", "-", "--as", "npy", cwd=cwd).out)


@pytest.fixture
def digits(tmp_path, shared):
    """300 digits in three files of a hundred, with labels."""
    images = read_idx((shared / "digits.idx").read_bytes())[:300]
    labels = (shared / "labels.idx1").read_bytes()[8:308]
    for name, part in [("all", slice(0, 300)), *((str(i), slice(100 * i, 100 * i + 100)) for i in range(3))]:
        (tmp_path / f"{name}.idx").write_bytes(idx(images[part]))
        count = len(labels[part]).to_bytes(4, "big")
        (tmp_path / f"{name}.idx1").write_bytes(b"\0\0\x08\x01" + count + labels[part])
    return images


def compress(name, *options, cwd) -> None:
    labels = ["--labels", f"{name}.idx1", "--block", 50]
    ok("compress", f"{name}.idx", *labels, *options, "-o", f"{name}.aez", "-q", cwd=cwd)


@pytest.mark.parametrize("kept", ["codes", "embedded codes", "exact", "near-exact"])
def test_shards_become_what_one_run_makes(tmp_path, shared, digits, kept):
    options = {
        "codes": ["--model", shared / "small.aew"],
        "embedded codes": ["--model", shared / "small.aew", "--embed-model"],
        "exact": ["--exact"],
        "near-exact": ["--max-error", 4, "--effort", 1],
    }[kept]
    for name in ("all", "0", "1", "2"):
        compress(name, *options, cwd=tmp_path)
    done = ok("cat", "0.aez", "1.aez", "2.aez", "-o", "joined.aez", cwd=tmp_path)
    whole = (tmp_path / "all.aez").read_bytes()
    assert (tmp_path / "joined.aez").read_bytes() == whole
    assert done.text == f"sets    3\nimages  300 of 28 x 28\nbytes   {len(whole):,}\n"
    assert ok("cat", "0.aez", "1.aez", "2.aez", "-o", "-", cwd=tmp_path).out == whole
    # And apart again.
    done = ok("split", "all.aez", "--images", 100, "-o", "part", cwd=tmp_path)
    assert done.text == "images   300 of 28 x 28\n3 parts  part-000.aez to part-002.aez\n"
    for i in range(3):
        assert (tmp_path / f"part-00{i}.aez").read_bytes() == (tmp_path / f"{i}.aez").read_bytes()
    # And one after the other.
    model = ["--model", shared / "small.aew"] if "codes" in kept else []
    for i in (1, 2):
        ok("append", "0.aez", f"{i}.idx", "--labels", f"{i}.idx1", *model, "-q", cwd=tmp_path)
    assert (tmp_path / "0.aez").read_bytes() == whole


def test_reports(tmp_path, shared, digits):
    compress("0", "--exact", cwd=tmp_path)
    facts = json.loads(ok("cat", "0.aez", "0.aez", "-o", "a.aez", "--json", cwd=tmp_path).out)
    size = (tmp_path / "a.aez").stat().st_size
    shape = {"width": 28, "height": 28, "channels": 1}
    assert facts == {"output": "a.aez", "sets": 2, "images": 200, **shape, "bytes": size}
    facts = json.loads(ok("append", "a.aez", "1.idx", "--labels", "1.idx1", "--json", cwd=tmp_path).out)
    assert (facts["added"], facts["images"]) == (100, 300)
    assert facts["bytes"] == (tmp_path / "a.aez").stat().st_size
    facts = json.loads(ok("split", "a.aez", "--images", 250, "-o", "p", "--json", cwd=tmp_path).out)
    assert facts["parts"] == ["p-000.aez", "p-001.aez"]
    assert np.array_equal(pixels("p-001.aez", cwd=tmp_path), digits[150:200])


def test_sets_that_cannot_be_one_are_refused(tmp_path, shared, digits):
    compress("0", "--exact", cwd=tmp_path)
    compress("1", "--model", shared / "small.aew", cwd=tmp_path)
    ok("compress", "2.idx", "--exact", "-o", "2.aez", "-q", cwd=tmp_path)
    (tmp_path / "small.npy").write_bytes(npy(np.zeros((2, 9, 9), np.uint8)))
    ok("compress", "small.npy", "--exact", "-o", "small.aez", "-q", cwd=tmp_path)
    for other, message in [
        ("1", "1.aez and 0.aez cannot be one set: their mode is lossy and lossless"),
        ("2", "2.aez has no labels, and 0.aez has some"),
        ("small", "small.aez and 0.aez cannot be one set: their image size is 9 x 9 and 28 x 28"),
    ]:
        fails(1, message, "cat", "0.aez", f"{other}.aez", "-o", "x.aez", cwd=tmp_path)
        assert not (tmp_path / "x.aez").exists()
    message = "0.aez is what is read, and would be lost: name another file."
    fails(64, message, "cat", "0.aez", "2.aez", "-o", "0.aez", "-f", cwd=tmp_path)


def test_parts_begin_where_blocks_do(tmp_path, digits):
    compress("all", "--exact", cwd=tmp_path)
    message = "all.aez: no block begins at image 60; the nearest begin at images 50 and 100"
    fails(1, message, "split", "all.aez", "--images", 60, "-o", "x", cwd=tmp_path)
    message = "--images must be at least 1, not 0."
    fails(64, message, "split", "all.aez", "--images", 0, "-o", "x", cwd=tmp_path)
    assert not list(tmp_path.glob("x-*"))
    (tmp_path / "x-001.aez").write_bytes(b"mine")
    message = "x-001.aez: exists already (--force replaces it)"
    fails(1, message, "split", "all.aez", "--images", 150, "-o", "x", cwd=tmp_path)
    assert not (tmp_path / "x-000.aez").exists()
    ok("split", "all.aez", "--images", 150, "-o", "x", "-f", "-q", cwd=tmp_path)
    ok("cat", "x-000.aez", "x-001.aez", "-o", "again.aez", "-q", cwd=tmp_path)
    assert (tmp_path / "again.aez").read_bytes() == (tmp_path / "all.aez").read_bytes()


def test_appending_leaves_the_old_set_if_it_fails(tmp_path, shared, digits):
    compress("0", "--model", shared / "small.aew", cwd=tmp_path)
    before = (tmp_path / "0.aez").read_bytes()
    done = run("append", "0.aez", "1.idx", "--labels", "1.idx1", cwd=tmp_path)
    assert done.code == 1
    assert 'new images need the model "small", hash ' in done.err
    message = "1.idx: has no labels, and 0.aez has some"
    fails(1, message, "append", "0.aez", "1.idx", "--model", shared / "small.aew", cwd=tmp_path)
    done = run("append", "0.aez", "1.idx", "--labels", "1.idx1", "--model", shared / "vae.aew", cwd=tmp_path)
    assert done.code == 1
    assert done.err.startswith('aez: the set is of the model "small", hash ')
    (tmp_path / "tiny.npy").write_bytes(npy(np.zeros((2, 9, 9), np.uint8)))
    message = "tiny.npy: 9 x 9 pixels, and 0.aez holds images of 28 x 28"
    fails(1, message, "append", "0.aez", "tiny.npy", "--model", shared / "small.aew", cwd=tmp_path)
    assert (tmp_path / "0.aez").read_bytes() == before
    assert [path.name for path in tmp_path.glob("*0.aez*")] == ["0.aez"]
    # A model on the path is found by its hash.
    found = environment(AE_MODEL_PATH=str(shared))
    ok("append", "0.aez", "1.idx", "--labels", "1.idx1", "-q", cwd=tmp_path, env=found)
    assert json.loads(ok("info", "0.aez", "--json", cwd=tmp_path).out)["images"] == 200


def test_names_go_along(tmp_path):
    for folder, first in (("a", 0), ("b", 7)):
        (tmp_path / folder).mkdir()
        for i in range(first, first + 7):
            (tmp_path / folder / f"image-{i:02}.png").write_bytes(png(np.full((5, 4), i * 9)))
        ok("compress", folder, "--exact", "-o", f"{folder}.aez", "-q", cwd=tmp_path)
    ok("cat", "a.aez", "b.aez", "-o", "c.aez", "-q", cwd=tmp_path)
    ok("append", "a.aez", "b", "-q", cwd=tmp_path)
    for name in ("a", "c"):
        ok("decompress", f"{name}.aez", "-o", f"out-{name}/", "-q", cwd=tmp_path)
        names = sorted(path.name for path in (tmp_path / f"out-{name}").iterdir())
        assert names == [f"image-{i:02}.png" for i in range(14)]
    assert np.array_equal(pixels("a.aez", cwd=tmp_path), pixels("c.aez", cwd=tmp_path))
    (tmp_path / "d.npy").write_bytes(npy(np.zeros((2, 5, 4), np.uint8)))
    fails(1, "d.npy: has no file names, and a.aez has some", "append", "a.aez", "d.npy", cwd=tmp_path)
