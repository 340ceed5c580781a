"""Image sets: there and back, the model that belongs to them, damage, and what a reader is told of it."""

import json
import os
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, environment, fails, ok, run
from imagefiles import idx, npy, read_idx, read_npy

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def decompress(path, *arguments, cwd, **options) -> np.ndarray:
    return read_npy(ok("decompress", path, *arguments, "-o", "-", "--as", "npy", cwd=cwd, **options).out)


@pytest.fixture
def hash_of_small(shared) -> str:
    return json.loads(ok("info", shared / "small.aew", "--json").out)["hash"]


def test_a_set_goes_there_and_back(tmp_path, shared):
    hundred = read_idx((shared / "hundred.idx").read_bytes())
    compress = [
        "compress",
        shared / "hundred.idx",
        "--model",
        shared / "small.aew",
        "--labels",
        shared / "hundred.idx1",
    ]
    facts = json.loads(ok(*compress, "-o", "a.aez", "--json", cwd=tmp_path).out)
    assert list(facts) == [
        *[
            "output",
            "images",
            "width",
            "height",
            "channels",
            "bytes",
            "bytes_per_image",
            "ratio",
            "mode",
            "quality",
            "scale_quality",
            "fits_poorly",
            "raw_images",
        ],
        *["mse", "psnr_db", "model", "predictor", "model_embedded", "converted", "widened", "sizing"],
    ]
    size = (tmp_path / "a.aez").stat().st_size
    assert (facts["bytes"], facts["bytes_per_image"]) == (size, size / 100)
    assert facts["ratio"] == pytest.approx(hundred.size / size)
    back = decompress("a.aez", "--model", shared / "small.aew", "--labels", "l.idx", cwd=tmp_path)
    assert facts["mse"] == pytest.approx(np.mean(((hundred.astype(float) - back) / 255) ** 2), rel=1e-9)
    assert (tmp_path / "l.idx").read_bytes() == (shared / "hundred.idx1").read_bytes()
    report = ok("decompress", "a.aez", "--model", shared / "small.aew", "-o", "a.idx", cwd=tmp_path)
    assert report.text == "images  100 of 28 x 28\nmodel   small\n"
    assert np.array_equal(read_idx((tmp_path / "a.idx").read_bytes()), back)


@pytest.mark.parametrize("cpu", ["generic", "avx2", "avx512"])
def test_sets_are_the_same_bytes_on_every_path(tmp_path, shared, cpu):
    env = environment(AE_CPU=cpu, AE_THREADS="2" if cpu == "generic" else "1")
    compress = ["compress", shared / "hundred.idx", "--model", shared / "small.aew", "--block-images", 16]
    ok(*compress, "--labels", shared / "hundred.idx1", "-o", "a.aez", cwd=tmp_path, env=env)
    assert (tmp_path / "a.aez").read_bytes() == (shared / "bare.aez").read_bytes()
    ours = decompress("a.aez", "--model", shared / "small.aew", cwd=tmp_path, env=env)
    assert np.array_equal(ours, decompress(shared / "set.aez", cwd=tmp_path))


def test_any_range_is_read(tmp_path, shared):
    whole = decompress(shared / "set.aez", cwd=tmp_path)
    for first, count in [(0, 1), (15, 2), (99, 1), (30, 70)]:
        part = decompress(shared / "set.aez", "--first", first, "--count", count, cwd=tmp_path)
        assert np.array_equal(part, whole[first : first + count])
    assert np.array_equal(decompress(shared / "set.aez", "--first", 90, cwd=tmp_path), whole[90:])
    message = f"{shared}/set.aez: holds 100 images, not 20 from number 90"
    arguments = ["decompress", shared / "set.aez", "-o", "x.idx", "--first", 90, "--count", 20]
    fails(1, message, *arguments, cwd=tmp_path)
    fails(
        1,
        f"{shared}/set.aez: holds 100 images, not 1 from number 100",
        *arguments[:-4],
        "--first",
        100,
        cwd=tmp_path,
    )


def test_sets_come_from_standard_input(tmp_path, shared):
    data = (shared / "set.aez").read_bytes()
    assert np.array_equal(
        decompress("-", cwd=tmp_path, stdin=data), decompress(shared / "set.aez", cwd=tmp_path)
    )
    assert ok("test", "-", stdin=data).text == "standard input: sound, 100 images in 7 blocks\n"
    images = (shared / "hundred.idx").read_bytes()
    compress = [
        "compress",
        "-",
        "--model",
        shared / "small.aew",
        "--labels",
        shared / "hundred.idx1",
        "--block-images",
        16,
    ]
    assert ok(*compress, "-o", "-", stdin=images).out == (shared / "bare.aez").read_bytes()


def test_qualities_trade_bytes_for_likeness(tmp_path, shared):
    facts = []
    count = json.loads(ok("info", shared / "small.aew", "--json").out)["qualities"]
    for quality in range(1, count + 1):
        options = ["--model", shared / "small.aew", "--quality", quality, "-o", f"{quality}.aez", "--json"]
        facts.append(json.loads(ok("compress", shared / "hundred.idx", *options, cwd=tmp_path).out))
    assert [f["quality"] for f in facts] == list(range(1, count + 1))
    message = f"quality must be in 1 ... {count}, not {count + 1}"
    options = ["--model", shared / "small.aew", "--quality", count + 1, "-o", "x.aez"]
    fails(1, message, "compress", shared / "hundred.idx", *options, cwd=tmp_path)
    fails(
        64,
        "--quality must be in 1 ... 16, not 0.",
        "compress",
        "x",
        "-o",
        "x.aez",
        "--quality",
        0,
        cwd=tmp_path,
    )
    fails(
        64,
        "--block-images must be in 1 ... 65536, not 0.",
        "compress",
        "x",
        "-o",
        "x.aez",
        "--block-images",
        0,
        cwd=tmp_path,
    )


def test_the_default_model_needs_no_name(tmp_path, shared):
    ok("compress", shared / "hundred.idx", "-o", "a.aez", cwd=tmp_path)
    facts = json.loads(ok("info", "a.aez", "--json", cwd=tmp_path).out)
    assert facts["model_hash"] == json.loads(ok("info", "--json").out)["hash"]
    assert not facts["has_model"]
    assert decompress("a.aez", cwd=tmp_path).shape == (100, 28, 28)


def test_the_model_is_found_by_its_hash(tmp_path, shared, hash_of_small):
    bare = shared / "bare.aez"
    message = (
        f'{bare}: needs the model "small", hash {hash_of_small}: name it with --model, '
        "or put it into a folder that --model-path or AE_MODEL_PATH lists"
    )
    fails(1, message, "decompress", bare, "-o", "x.idx", cwd=tmp_path)
    fails(1, message, "test", bare)
    whole = decompress(shared / "set.aez", cwd=tmp_path)
    for path in [shared / "small.aew", shared, f"{tmp_path}/no:{shared}/vae.aew:{shared}"]:
        env = environment(AE_MODEL_PATH=str(path))
        assert np.array_equal(decompress(bare, cwd=tmp_path, env=env), whole)


def test_models_and_sets_that_do_not_belong_together(tmp_path, shared, hash_of_small):
    other = json.loads(ok("info", shared / "vae.aew", "--json").out)["hash"]
    for name in ["bare.aez", "set.aez"]:
        message = (
            f'{shared / name}: was made with the model "small", hash {hash_of_small}; '
            f'{shared}/vae.aew is "vae", hash {other}'
        )
        fails(
            1,
            message,
            "decompress",
            shared / name,
            "--model",
            shared / "vae.aew",
            "-o",
            "x.idx",
            cwd=tmp_path,
        )
    message = f"{shared}/set.aez: "
    done = run("encode", shared / "hundred.idx", "--model", shared / "set.aez", "-o", "x.npy", cwd=tmp_path)
    assert (done.code, done.out) == (1, b"")
    assert done.err.startswith(f"aez: {message}")
    done = run("decompress", shared / "small.aew", "-o", "x.idx", cwd=tmp_path)
    assert (done.code, done.out) == (1, b"")
    assert done.err.startswith(f"aez: {shared}/small.aew: ")
    assert os.listdir(tmp_path) == []


def test_sound_files_are_said_to_be_sound(shared):
    assert ok("test", shared / "set.aez").text == f"{shared}/set.aez: sound, 100 images in 7 blocks\n"
    assert re.fullmatch(rf"{shared}/small.aew: sound, \d+ sections\n", ok("test", shared / "small.aew").text)
    facts = json.loads(ok("test", shared / "set.aez", "--json").out)
    sound = {"sound": True, "images": 100, "blocks": 7, "lost_images": 0, "damage": []}
    assert facts == {"file": f"{shared}/set.aez"} | sound
    message = f"{shared}/digits.idx: is neither a weight file (.aew) nor an image set (.aez)"
    fails(1, message, "test", shared / "digits.idx")


def test_a_damaged_block_costs_its_images_alone(tmp_path, shared):
    data = bytearray((shared / "set.aez").read_bytes())
    whole = decompress(shared / "set.aez", cwd=tmp_path)
    # The last block, of images 96 to 99, lies before the model, which begins with its own signature.
    data[data.index(b"\x89AEW") - 12] ^= 1
    (tmp_path / "bad.aez").write_bytes(data)
    done = run("test", "bad.aez", cwd=tmp_path)
    assert done.code == 1
    assert re.fullmatch(r".*block 6.*; images 96 to 99 are lost\n", done.text)
    assert done.err == "aez: bad.aez: 1 part damaged, 4 images lost\n"
    facts = json.loads(run("test", "bad.aez", "--json", cwd=tmp_path).out)
    assert (facts["sound"], facts["lost_images"], len(facts["damage"])) == (False, 4, 1)
    reason = facts["damage"][0].pop("reason")
    assert "checksum" in reason
    assert facts["damage"] == [{"part": "block 6", "first_image": 96, "images": 4}]

    done = run("decompress", "bad.aez", "-o", "x.idx", cwd=tmp_path)
    assert (done.code, done.out) == (1, b"")
    assert "96" in done.err
    assert not (tmp_path / "x.idx").exists()
    assert np.array_equal(decompress("bad.aez", "--count", 96, cwd=tmp_path), whole[:96])

    done = run("decompress", "bad.aez", "-o", "x.idx", "--salvage", cwd=tmp_path)
    assert done.code == 1
    place = re.search(r"bytes \d+ to \d+", reason)[0]
    assert done.err == (
        f"aez: bad.aez: block 6 ({place}): its bytes do not match its checksum; "
        "images 96 to 99 are lost\n"
        "aez: bad.aez: 1 part damaged; 4 images lost and written as black\n"
    )
    back = read_idx((tmp_path / "x.idx").read_bytes())
    assert np.array_equal(back[:96], whole[:96])
    assert not back[96:].any()


@pytest.mark.parametrize("name", ["set.aez", "bare.aez", "small.aew"])
def test_every_truncation_and_many_flips_are_noticed(tmp_path, shared, name):
    data = (shared / name).read_bytes()
    model = ["--model", shared / "small.aew"] if name == "bare.aez" else []
    rng = np.random.default_rng(3)
    cuts = [0, 1, 7, 8, 11, 12, 40, len(data) - 1, *rng.integers(12, len(data), 12)]
    versions = [data[:cut] for cut in cuts] + [data + b"x"]
    for position in [0, 4, 8, 9, 12, 16, 20, *rng.integers(0, len(data), 25)]:
        flipped = bytearray(data)
        flipped[position] ^= 1 << int(rng.integers(8))
        versions.append(bytes(flipped))
    for version in versions:
        (tmp_path / "bad").write_bytes(version)
        done = run("test", "bad", *model, cwd=tmp_path)
        assert done.code == 1, version[:40]
        assert done.err.startswith("aez: bad: ")
        assert done.err.count("\n") == 1


def test_no_images_are_a_set_of_none(tmp_path, shared):
    (tmp_path / "none.idx").write_bytes(idx(np.zeros((0, 28, 28))))
    compress = ["compress", "none.idx", "--model", shared / "small.aew", "--embed-model", "-o", "none.aez"]
    facts = json.loads(ok(*compress, "--json", cwd=tmp_path).out)
    assert facts["images"] == 0
    ok("decompress", "none.aez", "-o", "back.idx", cwd=tmp_path)
    assert (tmp_path / "back.idx").read_bytes() == (tmp_path / "none.idx").read_bytes()
    fails(1, "none.idx: holds no images to measure a model on", "eval", "none.idx", cwd=tmp_path)
    message = "there are no images to make a picture of"
    fails(1, message, "decompress", "none.aez", "-o", "x.png", cwd=tmp_path)


@pytest.mark.parametrize("options", [["--exact"], ["--max-error", "1"], ["--max-error", "32"]])
def test_exact_and_near_exact_sets_keep_their_promise(tmp_path, shared, options):
    hundred = read_idx((shared / "hundred.idx").read_bytes()).astype(int)
    arguments = ["compress", shared / "hundred.idx", *options, "-o", "e.aez", "--json"]
    facts = json.loads(ok(*arguments, cwd=tmp_path).out)
    assert facts["mode"] == ("lossless" if options == ["--exact"] else "near-lossless")
    most = 0 if options == ["--exact"] else int(options[1])
    back = decompress("e.aez", cwd=tmp_path).astype(int)
    assert np.abs(back - hundred).max() <= most
    assert np.array_equal(decompress("e.aez", "--first", 41, "--count", 9, cwd=tmp_path), back[41:50])
    info = json.loads(ok("info", "e.aez", "--json", cwd=tmp_path).out)
    assert (info["mode"], info["max_error"]) == (facts["mode"], most)


def test_exact_sets_take_images_of_any_size_and_need_no_model(tmp_path):
    images = np.random.default_rng(2).integers(0, 256, (30, 11, 64), np.uint8)
    (tmp_path / "i.npy").write_bytes(npy(images))
    report = ok("compress", "i.npy", "--exact", "-o", "e.aez", cwd=tmp_path)
    assert "model     none is needed" in report.text
    assert (tmp_path / "e.aez").stat().st_size <= images.size + 132 + 4 + 9 + 4
    assert np.array_equal(decompress("e.aez", cwd=tmp_path), images)


def test_methods_differ_in_bytes_and_give_the_same_pixels(tmp_path):
    model = GOLDEN / "scans-28.aew"
    ok("decompress", GOLDEN / "exact-scans.aez", "--model", model, "-o", "i.idx", cwd=tmp_path)
    sizes = []
    for options in (["--method", "contexts"], ["--method", "scans"], ["--method", "scans", "--preview"]):
        packed = ["compress", "i.idx", "--model", model, "--exact", *options, "-o", "e.aez", "--force"]
        ok(*packed, cwd=tmp_path)
        sizes.append((tmp_path / "e.aez").stat().st_size)
        # What contexts code needs no model.
        back = ["--model", model] if "scans" in options else []
        assert np.array_equal(
            decompress("e.aez", *back, cwd=tmp_path), read_idx((tmp_path / "i.idx").read_bytes())
        )
    assert sizes[1] < sizes[0]
    assert sizes[1] < sizes[2]
    info = json.loads(ok("info", "e.aez", "--json", cwd=tmp_path).out)
    assert (info["mode"], info["method"], info["quality"]) == ("lossless", "scans", 2)


def test_a_method_that_the_model_does_not_have_is_refused(tmp_path, shared):
    (tmp_path / "i.npy").write_bytes(npy(np.zeros((2, 9, 9), np.uint8)))
    done = run("compress", "i.npy", "--exact", "--method", "scans", "-o", "e.aez", cwd=tmp_path)
    assert (done.code, done.err) == (
        1,
        "aez: scans need a model of 9 x 9 pixels with a network for lossless coding\n",
    )


def test_standard_input_and_output_carry_sets_and_images(tmp_path, shared):
    data = (shared / "hundred.idx").read_bytes()
    packed = run("compress", "-", "--exact", "-o", "-", cwd=tmp_path, stdin=data)
    assert packed.code == 0
    ok("compress", shared / "hundred.idx", "--exact", "-o", "e.aez", cwd=tmp_path)
    assert packed.out == (tmp_path / "e.aez").read_bytes()
    back = run("decompress", "-", "-o", "-", cwd=tmp_path, stdin=packed.out)
    assert (back.code, back.out) == (0, data)


def test_a_set_that_was_cut_short_is_salvaged_on_demand(tmp_path, shared):
    whole = read_idx((shared / "hundred.idx").read_bytes())
    ok("compress", shared / "hundred.idx", "--exact", "--block-images", 16, "-o", "e.aez", cwd=tmp_path)
    # The end, 100 bytes at most, and some of the last block.
    (tmp_path / "cut.aez").write_bytes((tmp_path / "e.aez").read_bytes()[:-100])
    assert run("decompress", "cut.aez", "-o", "x.idx", cwd=tmp_path).code == 1
    done = run("decompress", "cut.aez", "-o", "x.idx", "--salvage", cwd=tmp_path)
    assert done.code == 1
    assert "the file ends before it does; images 96 to 99 are lost\n" in done.err
    back = read_idx((tmp_path / "x.idx").read_bytes())
    assert np.array_equal(back[:96], whole[:96])
    assert not back[96:].any()


def test_bytes_per_image_chooses_the_quality(tmp_path, shared):
    source = [shared / "hundred.idx", "--model", shared / "small.aew"]
    sizes = []
    for quality in range(1, json.loads(ok("info", shared / "small.aew", "--json").out)["qualities"] + 1):
        arguments = ["compress", *source, "--quality", quality, "-o", "q.aez", "--force", "--json"]
        sizes.append(json.loads(ok(*arguments, cwd=tmp_path).out)["bytes"])
    found = []
    # Blocks are what is limited: header, index and footer come to it.
    for limit in (sizes[0] / 100, sizes[1] / 100, 1000):
        arguments = ["compress", *source, "--bytes-per-image", limit, "-o", "b.aez", "--force", "--json"]
        facts = json.loads(ok(*arguments, cwd=tmp_path).out)
        found.append(facts["quality"])
        assert facts["bytes"] == sizes[facts["quality"] - 1]
        assert facts["bytes"] - 500 < 100 * limit
        assert all(size > 100 * limit for size in sizes[facts["quality"] :])
    assert found[0] <= found[1] < found[2] == len(sizes)
    done = run("compress", *source, "--bytes-per-image", 0.1, "-o", "c.aez", cwd=tmp_path)
    assert done.code == 1
    assert re.search(
        r"--bytes-per-image 0\.1: the smallest quality takes \S+ bytes an image of these images$", done.err
    )


def shipped(tmp_path, *arguments) -> dict:
    """What `aez compress` reports of the drawn digits with the models compiled in."""
    return json.loads(ok("compress", *arguments, "-o", "s.aez", "--force", "--json", cwd=tmp_path).out)


def test_without_a_model_the_quality_chooses_among_those_compiled_in(tmp_path, shared):
    hundred = read_idx((shared / "hundred.idx").read_bytes())
    found = []
    for quality in (1, 7, 8, 14):
        facts = shipped(tmp_path, shared / "hundred.idx", "--quality", quality)
        found.append((facts["model"], facts["quality"]))
        # Readers find the model by its hash, here and in the file of the same name.
        back = decompress("s.aez", cwd=tmp_path)
        model = ROOT / "models" / f"{facts['model']}.aew"
        assert np.array_equal(decompress("s.aez", "--model", model, cwd=tmp_path), back)
        assert facts["mse"] == pytest.approx(np.mean(((hundred.astype(float) - back) / 255) ** 2), rel=1e-9)
    assert found == [("digits-low", 1), ("digits-low", 7), ("digits-high", 1), ("digits-high", 7)]
    assert shipped(tmp_path, shared / "hundred.idx")["model"] == "digits-high"
    message = "--quality must be in 1 ... 14 without --model, not 15."
    fails(64, message, "compress", shared / "hundred.idx", "--quality", 15, "-o", "x.aez", cwd=tmp_path)


def test_without_a_model_bytes_per_image_chooses_among_those_compiled_in(tmp_path, shared):
    source = shared / "hundred.idx"
    fast = ["--search-passes", 0]
    sizes = [shipped(tmp_path, source, "--quality", quality, *fast)["bytes"] for quality in range(1, 15)]
    found = []
    for limit in (6, 9, 14, 20, 1000):
        facts = shipped(tmp_path, source, "--bytes-per-image", limit, *fast)
        found.append(facts["model"])
        assert facts["bytes"] == sizes[facts["scale_quality"] - 1]
        assert facts["bytes"] - 500 < 100 * limit
        assert all(size > 100 * limit for size in sizes[facts["scale_quality"] :])
    assert (found[0], found[-1]) == ("digits-low", "digits-high")
    assert facts["scale_quality"] == 14
    done = run("compress", source, "--bytes-per-image", 0.1, "-o", "c.aez", cwd=tmp_path)
    assert done.code == 1
    assert "--bytes-per-image 0.1: the smallest quality takes " in done.err


def test_searched_codes_are_nearer_for_the_bytes(tmp_path, shared):
    facts = [
        shipped(tmp_path, shared / "hundred.idx", "--quality", 4, "--search-passes", passes)
        for passes in (0, 1, 2)
    ]
    errors = [f["mse"] for f in facts]
    assert errors[0] > errors[1] > errors[2]
    assert facts[2]["bytes"] < 1.05 * facts[0]["bytes"]
    fails(
        64,
        "--search-passes must be in 0 ... 16, not 17.",
        "compress",
        "x.idx",
        "--search-passes",
        17,
        "-o",
        "x.aez",
    )


@pytest.mark.parametrize("how", [("--exact",), ("--quality", 4), ("--max-error", 4)])
def test_sets_are_the_same_bytes_on_every_kernel_path_and_for_any_threads(tmp_path, shared, how):
    files, pictures = set(), set()
    (tmp_path / "some.idx").write_bytes(idx(read_idx((shared / "hundred.idx").read_bytes())[:48]))
    for cpu, threads in (("generic", "2"), ("avx2", "1"), ("avx512", "1"), ("avx512", "2")):
        env = environment(AE_CPU=cpu, AE_THREADS=threads)
        options = ["--block-images", 32, "-o", "p.aez", "--force"]
        ok("compress", "some.idx", *how, *options, cwd=tmp_path, env=env)
        files.add((tmp_path / "p.aez").read_bytes())
        pictures.add(decompress("p.aez", cwd=tmp_path, env=env).tobytes())
    assert len(files) == len(pictures) == 1


def test_images_the_model_never_saw_are_exact_and_no_larger_than_deflate(tmp_path, shared):
    digits = read_idx((shared / "digits.idx").read_bytes())[:200]
    random = np.random.default_rng(3)
    for name, images in {
        "strokes": digits,
        "inverted": 255 - digits,
        "noise": random.integers(0, 256, (60, 28, 28), np.uint8),
        "small": np.ascontiguousarray(digits[:, 4:23, 5:20]),
        "large": np.kron(digits[:40], np.ones((2, 2), np.uint8)),
        "flat": np.full((50, 28, 28), 7, np.uint8),
    }.items():
        (tmp_path / f"{name}.idx").write_bytes(idx(images))
        facts = shipped(tmp_path, f"{name}.idx", "--exact")
        head = 1024 + 64 * -(-len(images) // 500)
        assert facts["bytes"] <= min(len(zlib.compress(images.tobytes(), 9)), images.size) + head, name
        assert np.array_equal(decompress("s.aez", cwd=tmp_path), images), name
