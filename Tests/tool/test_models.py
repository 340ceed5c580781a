"""Encoding, decoding, measuring, sampling, showing and exporting with a model; what info tells."""

import json
import shutil
import subprocess

import numpy as np
import pytest
from conftest import ROOT, fails, ok
from imagefiles import idx, npy, read_idx, read_npy, read_png


@pytest.fixture
def digits(shared) -> np.ndarray:
    return read_idx((shared / "digits.idx").read_bytes())


def test_codes_go_out_and_come_back(tmp_path, shared, digits):
    model = ["--model", shared / "small.aew"]
    report = ok("encode", shared / "digits.idx", *model, "-o", "codes.npy", cwd=tmp_path)
    assert report.text == "images   1,000\nlatents  4 each\nmodel    small\n"
    codes = read_npy((tmp_path / "codes.npy").read_bytes())
    assert (codes.shape, codes.dtype) == ((1000, 4), np.float32)
    report = ok("decode", "codes.npy", *model, "-o", "back.npy", cwd=tmp_path)
    assert report.text == "images  1,000 of 28 x 28\nmodel   small\n"
    back = read_npy((tmp_path / "back.npy").read_bytes())
    error = np.mean(((digits.astype(float) - back) / 255) ** 2)
    facts = json.loads(ok("eval", shared / "digits.idx", *model, "--json").out)
    # Clamping and rounding to bytes move it a little from that of the network's own output.
    assert error == pytest.approx(facts["mse"], rel=0.05)
    assert error < np.mean((digits / 255 - digits.mean(0) / 255) ** 2)


def test_codes_of_double_precision_are_taken(tmp_path, shared):
    codes = np.random.default_rng(0).normal(size=(3, 4))
    out = []
    for kind in [np.float32, np.float64]:
        (tmp_path / "codes.npy").write_bytes(npy(codes.astype(kind)))
        ok("decode", "codes.npy", "--model", shared / "small.aew", "-o", "x.npy", "--force", cwd=tmp_path)
        out.append((tmp_path / "x.npy").read_bytes())
    assert out[0] == out[1]


def test_codes_that_do_not_fit_are_refused(tmp_path, shared):
    model = ["--model", shared / "small.aew"]
    for array, message in [
        (np.zeros((3, 5), np.float32), 'codes of the model "small" are [images, 4], not [3, 5]'),
        (np.zeros(4, np.float32), 'codes of the model "small" are [images, 4], not [4]'),
        (np.zeros((3, 4), np.uint8), "floats (<f4 or <f8) expected, bytes (|u1) came"),
        (np.array([[0, 1, np.nan, 0]], np.float32), "element 2 is not finite (byte 136)"),
    ]:
        (tmp_path / "bad.npy").write_bytes(npy(array))
        fails(1, f"bad.npy: {message}", "decode", "bad.npy", *model, "-o", "x.idx", cwd=tmp_path)
    assert not (tmp_path / "x.idx").exists()


def test_images_of_another_size_are_refused(tmp_path, shared):
    (tmp_path / "a.idx").write_bytes(idx(np.zeros((2, 9, 7))))
    for command in ["encode", "reconstruct", "compress"]:
        output = {"encode": "x.npy", "reconstruct": "x.png", "compress": "x.aez"}[command]
        message = (
            'a.idx: images are 7 x 9, the model "small" takes 28 x 28: train one of this size '
            "(aez train a.idx -o mine.aew, then --model mine.aew)"
        )
        message += ", or keep every pixel with --exact" if command == "compress" else ""
        fails(1, message, command, "a.idx", "--model", shared / "small.aew", "-o", output, cwd=tmp_path)


def test_eval_measures_every_quality(shared):
    facts = json.loads(ok("eval", shared / "digits.idx", "--model", shared / "small.aew", "--json").out)
    assert list(facts) == [
        *["model", "kind", "images", "width", "height", "channels", "mse", "psnr_db"],
        *["integer_mse", "integer_psnr_db", "qualities"],
    ]
    assert facts["psnr_db"] == pytest.approx(-10 * np.log10(facts["mse"]))
    assert facts["integer_mse"] == pytest.approx(facts["mse"], rel=0.1)
    assert [row["quality"] for row in facts["qualities"]] == list(range(1, len(facts["qualities"]) + 1))
    assert len(facts["qualities"]) >= 3
    for row in facts["qualities"]:
        assert list(row) == ["quality", "bytes", "bytes_per_image", "mse", "psnr_db", "raw_images"]
        assert row["bytes_per_image"] == row["bytes"] / 1000


def test_the_bounds_of_a_variational_model(shared):
    arguments = [
        "eval",
        shared / "digits.idx",
        "--limit",
        20,
        "--bound",
        "--samples",
        10,
        "--json",
        "--model",
    ]
    facts = json.loads(ok(*arguments, shared / "vae.aew").out)
    # More samples make a tighter bound, and any model gives a likelihood below 1.
    assert 0 < facts["importance_weighted_bound_nats"] < facts["evidence_bound_nats"]
    assert len(facts["latent_kl_nats"]) == 3
    assert (facts["samples"], facts["binarize_seed"]) == (10, "1")
    again = json.loads(ok(*arguments, shared / "vae.aew").out)
    assert again == facts
    other = json.loads(ok(*arguments, shared / "vae.aew", "--binarize-seed", 2).out)
    assert other["evidence_bound_nats"] != facts["evidence_bound_nats"]
    message = "a bound needs a variational model with encoder, stored in floats, with a sigmoid output"
    fails(1, message, *arguments, shared / "small.aew")


def test_samples_follow_the_seed(tmp_path, shared):
    sample = ["sample", "--model", shared / "vae.aew", "-o"]
    report = ok(*sample, "a.npy", "--count", 5, "--seed", 9, cwd=tmp_path)
    assert report.text == "images  5 of 28 x 28\nseed    9\nmodel   vae\n"
    ok(*sample, "b.npy", "--count", 8, "--seed", 9, cwd=tmp_path)
    ok(*sample, "c.npy", "--count", 5, "--seed", 10, cwd=tmp_path)
    a, b, c = (read_npy((tmp_path / f"{n}.npy").read_bytes()) for n in "abc")
    assert np.array_equal(a, b[:5])
    assert not np.array_equal(a, c)
    ok(*sample, "grid.png", "--count", 6, "--columns", 3, cwd=tmp_path)
    assert read_png((tmp_path / "grid.png").read_bytes()).shape == (2 * 29 - 1, 3 * 29 - 1)
    message = (
        f'{shared}/small.aew: "small" is of the kind elu, and samples are drawn from a variational model: '
        "train one with --kind vae or --kind conv-vae"
    )
    fails(1, message, "sample", "--model", shared / "small.aew", "-o", "x.png", cwd=tmp_path)


def test_reconstructions_stand_under_their_images(tmp_path, shared, digits):
    model = ["--model", shared / "small.aew"]
    arguments = ["reconstruct", shared / "digits.idx", *model, "--count", 5, "--columns", 3]
    ok(*arguments, "-o", "a.png", cwd=tmp_path)
    picture = read_png((tmp_path / "a.png").read_bytes())
    assert picture.shape == (4 * 29 - 1, 3 * 29 - 1)
    codes = ok("encode", shared / "digits.idx", *model, "--limit", 5, "-o", "-").out
    back = read_npy(ok("decode", "-", *model, "-o", "-", "--as", "npy", stdin=codes).out)
    for i in range(6):
        y, x = i // 3 * 2 * 29, i % 3 * 29
        above, below = picture[y : y + 28, x : x + 28], picture[y + 29 : y + 57, x : x + 28]
        assert np.array_equal(above, digits[i] if i < 5 else np.zeros((28, 28)))
        assert np.array_equal(below, back[i] if i < 5 else np.zeros((28, 28)))


def test_info_of_weights(shared):
    facts = json.loads(ok("info", shared / "small.aew", "--json").out)
    assert list(facts) == [
        *["file", "type", "version", "name", "kind", "width", "height", "channels"],
        *["latents", "hidden"],
        *["output_activation", "parameters", "storage", "has_encoder", "is_variational", "qualities"],
        *["default_quality", "hash", "bytes", "sections", "provenance"],
    ]
    assert (facts["type"], facts["name"], facts["kind"]) == ("weights", "small", "elu")
    assert (facts["latents"], facts["hidden"], facts["parameters"]) == (4, [24], 38660)
    assert facts["bytes"] == (shared / "small.aew").stat().st_size
    assert len(facts["hash"]) == 64
    assert facts["provenance"].startswith(
        "aez train --kind elu --latent-size 4 --hidden 24 --steps 300 --batch-size 50 "
    )


def test_info_of_the_default_model():
    facts = json.loads(ok("info", "--json").out)
    assert (facts["file"], facts["type"], facts["has_encoder"]) == (None, "weights", True)
    assert facts["qualities"] >= 3


def test_info_of_an_image_set(shared):
    facts = json.loads(ok("info", shared / "bare.aez", "--json").out)
    assert list(facts) == [
        *["file", "type", "images", "width", "height", "channels", "mode", "max_error", "method"],
        *["latents", "quality"],
        *[
            "scale_quality",
            "bytes",
            "bytes_per_image",
            "blocks",
            "block_images",
            "raw_images",
            "source",
            "has_labels",
        ],
        *["has_names", "needs_model", "has_model", "predictor_name", "predictor_hash"],
        *["model_name", "model_hash"],
    ]
    assert (facts["mode"], facts["needs_model"]) == ("lossy", True)
    assert (facts["images"], facts["blocks"], facts["block_images"]) == (100, 7, 16)
    assert (facts["has_labels"], facts["has_names"], facts["has_model"]) == (True, False, False)
    assert (facts["source"], facts["model_name"]) == ("unknown", "small")
    assert json.loads(ok("info", shared / "set.aez", "--json").out)["has_model"] is True


def test_info_of_codes_and_parameters(tmp_path):
    (tmp_path / "codes.npy").write_bytes(npy(np.zeros((7, 5), np.float32)))
    facts = json.loads(ok("info", "codes.npy", "--json", cwd=tmp_path).out)
    assert facts == {"file": "codes.npy", "type": "array", "shape": [7, 5], "element_bytes": 4}


@pytest.mark.parametrize("storage", ["float32", "float16", "int8"])
@pytest.mark.parametrize("alone", [False, True])
def test_exports_keep_the_hash(tmp_path, shared, storage, alone):
    options = ["--decoder-only"] if alone else []
    model = shared / "small.aew"
    report = json.loads(
        ok("export", model, "--storage", storage, *options, "-o", "a.aew", "--json", cwd=tmp_path).out
    )
    assert list(report) == ["output", "name", "storage", "has_encoder", "bytes"]
    facts = json.loads(ok("info", "a.aew", "--json", cwd=tmp_path).out)
    assert (facts["storage"], facts["has_encoder"]) == (storage, not alone)
    assert facts["hash"] == json.loads(ok("info", model, "--json").out)["hash"]
    ok("decompress", shared / "bare.aez", "--model", "a.aew", "-o", "a.npy", cwd=tmp_path)
    ok("decompress", shared / "set.aez", "-o", "b.npy", cwd=tmp_path)
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()
    if alone:
        images, message = shared / "digits.idx", 'model "small" is a decoder alone: it cannot encode'
        fails(1, message, "encode", images, "--model", "a.aew", "-o", "x.npy", cwd=tmp_path)
        fails(1, message, "eval", images, "--model", "a.aew", cwd=tmp_path)
        message = 'the model "small" is a decoder alone and cannot compress'
        fails(1, message, "compress", images, "--model", "a.aew", "-o", "x.aez", cwd=tmp_path)


def test_what_an_int8_model_cannot_become(tmp_path, shared):
    ok("export", shared / "small.aew", "--storage", "int8", "-o", "a.aew", cwd=tmp_path)
    message = "float32 storage needs float networks; a model read from int8 has none"
    fails(1, message, "export", "a.aew", "--storage", "float32", "-o", "b.aew", cwd=tmp_path)


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_c_source_compiles_to_the_same_bytes(tmp_path, shared):
    ok("export", shared / "small.aew", "--decoder-only", "--storage", "int8", "-o", "a.aew", cwd=tmp_path)
    export = ["export", shared / "small.aew", "--decoder-only", "--storage", "int8", "--c-array", "digits"]
    ok(*export, "-o", "digits.c", cwd=tmp_path)
    (tmp_path / "main.c").write_text(
        "#include <stdio.h>\nextern const unsigned char digits[];\nextern const size_t digits_size;\n"
        "int main(void) { return fwrite(digits, 1, digits_size, stdout) != digits_size; }\n"
    )
    subprocess.run(
        ["cc", "-Wall", "-Wextra", "-Werror", "main.c", "digits.c", "-o", "main"], cwd=tmp_path, check=True
    )
    out = subprocess.run([tmp_path / "main"], capture_output=True, check=True).stdout
    assert out == (tmp_path / "a.aew").read_bytes()


def test_c_names_are_checked(shared):
    for name, problem in [
        ("1st", "'1st' begins with a digit"),
        ("a-b", "it may hold letters without accents, digits and underscores alone"),
        ("a b", "it may hold letters without accents, digits and underscores alone"),
        ("ä", "it may hold letters without accents, digits and underscores alone"),
        ("", "it is empty"),
        *((word, f"'{word}' is a keyword of C or C++") for word in "int class typeof co_await bool".split()),
        *(
            (
                word,
                f"'{word}' is reserved: names that begin with an underscore or hold two of them in a row are "
                "the compiler's",
            )
            for word in ["_x", "_Bool", "a__b", "__LINE__"]
        ),
        *(
            (word, f"'{word}' is a name of the standard library or of the compiler")
            for word in "size_t main linux malloc printf std NULL y1".split()
        ),
        ("a" * 59, "it has 59 characters, and compilers need tell apart no more than 58"),
    ]:
        message = f"--c-array needs a name for a C array, such as digits_model: {problem}."
        fails(64, message, "export", shared / "small.aew", "--c-array", name, "-o", "x.c")


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_names_that_are_taken_compile(tmp_path, shared):
    compilers = [["cc", "-x", "c"]] + ([["c++", "-x", "c++"]] if shutil.which("c++") else [])
    for name in ["a", "I", "digits_decoder", "ints", "Class", "a" * 58, "x1_"]:
        ok("export", shared / "small.aew", "--c-array", name, "-o", "x.c", "--force", "--quiet", cwd=tmp_path)
        for compiler in compilers:
            check = [*compiler, "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "x.c"]
            subprocess.run(check, cwd=tmp_path, check=True)


def test_c_source_of_a_decoder(tmp_path):
    golden = ROOT / "Tests" / "golden" / "tiny-int8.aew"
    report = ok("export", golden, "--c", "-o", "a.c", cwd=tmp_path)
    source = (tmp_path / "a.c").read_bytes()
    assert report.text == (
        "model    sample é\nprefix   decoder\nencoder  no\n"
        "flash    12,416 bytes of constants, about 328 of code\nmemory   7 bytes\n"
        f"bytes    {len(source):,}\n"
    )
    assert b"void decoder_decode(const int16_t *code, uint8_t *pixels, void *scratch);" in source
    assert b"encode" not in source
    export = ["export", golden, "--c", "--prefix", "tiny_8", "--encoder"]
    facts = json.loads(ok(*export, "-o", "b.c", "--json", cwd=tmp_path).out)
    source = (tmp_path / "b.c").read_bytes()
    assert facts == {
        "output": "b.c",
        "name": "sample é",
        "prefix": "tiny_8",
        "has_encoder": True,
        "constant_bytes": 20734,
        "code_bytes": 552,
        "scratch_bytes": 7,
        "bytes": len(source),
    }
    assert b"void tiny_8_encode(const uint8_t *pixels, int16_t *code, void *scratch);" in source
    assert ok(*export, "-o", "-").out == source
    message = "b.c: exists already (--force replaces it)"
    fails(1, message, *export, "-o", "b.c", cwd=tmp_path)


def test_c_source_that_cannot_be(tmp_path, shared):
    model = shared / "small.aew"
    rule = (
        "a prefix of names in C is a letter, then letters, digits and single underscores, the last one no "
        "underscore"
    )
    for options, message in [
        (["--prefix", "x"], "--prefix says how --c writes: give --c, too."),
        (["--encoder"], "--encoder says how --c writes: give --c, too."),
        (
            ["--c", "--c-array", "x"],
            "--c and --c-array write different files: the network, or the bytes of one. Give one.",
        ),
        (["--c", "--storage", "float32"], "--c writes integers: --storage can only be int8."),
        (
            ["--c", "--encoder", "--decoder-only"],
            "--decoder-only leaves the encoder out and --encoder asks for it: give one.",
        ),
        (["--c", "--prefix", "a__b"], f'--prefix: {rule}, 40 at most; "a__b" is not.'),
    ]:
        fails(64, message, "export", model, *options, "-o", "x.c", cwd=tmp_path)
    ok("export", model, "--decoder-only", "-o", "a.aew", cwd=tmp_path)
    message = 'model "small" is a decoder alone: it has no encoder'
    fails(1, message, "export", "a.aew", "--c", "--encoder", "-o", "x.c", cwd=tmp_path)
    message = 'model "tiny" has no integer networks, which C source is made of: quantize it first'
    fails(1, message, "export", ROOT / "Tests" / "golden" / "tiny.aew", "--c", "-o", "x.c", cwd=tmp_path)
    assert not (tmp_path / "x.c").exists()


def test_drawn_digits_come_with_parameters_and_labels(tmp_path):
    ok(
        "draw",
        "-o",
        "a.idx",
        "--labels",
        "l.idx",
        "--parameters",
        "p.npy",
        "--count",
        20,
        "--seed",
        4,
        cwd=tmp_path,
    )
    labels = read_idx((tmp_path / "l.idx").read_bytes())
    parameters = read_npy((tmp_path / "p.npy").read_bytes())
    assert parameters.shape[0] == 20
    assert np.array_equal(parameters[:, 0], labels)
    ok("draw", "-o", "b.idx", "--first", 5, "--count", 10, "--seed", 4, cwd=tmp_path)
    a, b = (read_idx((tmp_path / f"{n}.idx").read_bytes()) for n in "ab")
    assert np.array_equal(a[5:15], b)
    ok("draw", "-o", "c.idx", "--labels", "lc.idx.gz", "--digit", 7, "--count", 5, cwd=tmp_path)
    assert read_idx((tmp_path / "lc.idx.gz").read_bytes()).tolist() == [7] * 5
    for option, value, message in [
        ("--count", 0, "--count must be in 1 ... 268435456, not 0."),
        ("--first", -1, "--first must be at least 0, not -1."),
        ("--digit", 10, "--digit must be in 0 ... 9, not 10."),
        ("--size", "2000x28", "--size must be at most 1024x1024."),
    ]:
        fails(64, message, "draw", "-o", "x.idx", f"{option}={value}", cwd=tmp_path)
