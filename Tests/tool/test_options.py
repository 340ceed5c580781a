"""Flags that come from the engine's tables of options, and commands about qualities and quantisation."""

import json
import re
import subprocess
import sys

import pytest
from conftest import ROOT, TOOL, fails, ok, run

TABLES = ["train", "compress", "quantize", "predictor", "shrink"]


@pytest.fixture(scope="module")
def tables() -> dict[str, list[dict]]:
    return json.loads(ok("options", "--json").out)


def test_the_tables_are_for_programs_and_hidden(tables):
    assert list(tables) == TABLES
    for rows in tables.values():
        for row in rows:
            assert list(row) == [
                *[
                    "key",
                    "flag",
                    "letter",
                    "type",
                    "range",
                    "choices",
                    "default",
                    "automatic",
                    "documentation",
                ],
                *["former_flags", "implied"],
            ]
    assert len(ok("options").text.splitlines()) == sum(map(len, tables.values()))
    assert not re.search(r"^  options ", ok("--help").text, re.MULTILINE)
    assert "options" not in run("frobnicate").err.splitlines()[0]


@pytest.mark.parametrize("command", TABLES)
def test_every_row_is_a_flag_with_help(tables, command):
    text = " ".join(ok("train" if command == "predictor" else command, "--help").text.split())
    for row in tables[command]:
        shown = f" {row['flag']}{'' if row['type'] == 'flag' else ' <'}"
        assert (shown in text) == (not row["implied"]), row
        if not row["implied"]:
            assert row["documentation"] in text, row
            assert row["documentation"].endswith("."), row
            assert row["type"] == "flag" or f"default: {row['default']})" in text, row
            assert all(choice in text for choice in row["choices"])
        for former in row["former_flags"]:
            assert not re.search(rf" {former}[ ,]", text), former


def test_former_flags_still_work(tmp_path, shared, tables):
    former = {row["key"]: row["former_flags"] for name in ("train", "compress") for row in tables[name]}
    assert {key for key, flags in former.items() if flags} >= {"latent_size", "block_images", "rd_lambda"}
    recipes = [
        ["--latent", 3, "--batch", 10, "--rate", 0.002, "--clip", 5, "--average", 0.5, "--deform", 0.1],
        ["--latent-size", 3, "--batch-size", 10, "--learning-rate", 0.002, "--gradient-clip", 5],
    ]
    recipes[0] += ["--validation", 0.25, "--lambda", 0.5]
    recipes[1] += ["--weight-average", 0.5, "--deformation", 0.1, "--validation-fraction", 0.25]
    recipes[1] += ["--rd-lambda", 0.5]
    made = []
    for recipe in recipes:
        train = [
            "train",
            shared / "hundred.idx",
            "--hidden",
            4,
            "--steps",
            5,
            "-o",
            "a.aew",
            "--force",
            "--quiet",
        ]
        ok(*train, *recipe, cwd=tmp_path)
        made.append((tmp_path / "a.aew").read_bytes())
    assert made[0] == made[1]
    made = []
    for options in (["--block", 16, "--search", 1], ["--block-images", 16, "--search-passes", 1]):
        compress = [
            "compress",
            shared / "hundred.idx",
            "--model",
            shared / "small.aew",
            "-o",
            "a.aez",
            "--force",
        ]
        ok(*compress, *options, cwd=tmp_path)
        made.append((tmp_path / "a.aez").read_bytes())
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--latent", 0], "--latent must be in 1 ... 4096, not 0."),
        (["train", "--batch", "x"], '--batch takes a whole number in 1 ... 65536, not "x".'),
        (["train", "--schedule", "on"], '--schedule takes one of constant, cosine, one-cycle, not "on".'),
        (["compress", "--block", 0], "--block must be in 1 ... 65536, not 0."),
        (["compress", "--exact", "--max-error", 1], "--exact and --max-error exclude each other."),
        (["compress", "--max-error", 0], "--max-error must be in 1 ... 32, not 0; --exact is for none."),
        (["compress", "--max-error", 33], "--max-error must be in 0 ... 32, not 33."),
        (
            ["compress", "--mode", "lossy", "--max-error", 1],
            "--mode lossy and --max-error exclude each other.",
        ),
        (["compress", "--mode", "near-lossless"], "--mode near-lossless needs --max-error."),
        (["compress", "--method", "scans"], "--method is for --exact and --max-error."),
        (["compress", "--effort", 1], "--effort is for --exact and --max-error."),
        (["compress", "--effort", 3], "--effort must be 1 or 2, not 3; --method has names for them."),
        (["compress", "--preview"], "--preview is for --exact and --max-error."),
        (["compress", "--bytes-per-image", 0], "--bytes-per-image must be above 0."),
        (
            ["compress", "--bytes-per-image", 9, "--quality", 3],
            "--quality and --bytes-per-image exclude each other.",
        ),
        (
            ["compress", "--lossless", "--bytes-per-image", 9],
            "--bytes-per-image is for lossy sets: with --exact images take what they take.",
        ),
        (
            ["compress", "--mode", "lossless", "--quality", 3],
            "--quality is for codes: with --mode lossless pixels are what they are, unless --preview keeps "
            "codes, too.",
        ),
    ],
)
def test_messages_name_flags_as_they_were_typed(arguments, message):
    fails(64, message, arguments[0], "a", "-o", "b", *arguments[1:])


def test_modes_and_methods_have_several_names(tmp_path, shared):
    made = []
    for options in (
        ["--exact", "--effort", 1],
        ["--lossless", "--method", "contexts"],
        ["--mode", "lossless", "--method", "contexts", "--no-preview"],
    ):
        ok("compress", shared / "hundred.idx", *options, "-o", "a.aez", "--force", cwd=tmp_path)
        made.append((tmp_path / "a.aez").read_bytes())
    assert made[0] == made[1] == made[2]
    assert "--effort" not in ok("compress", "--help").text
    info = json.loads(ok("info", "a.aez", "--json", cwd=tmp_path).out)
    assert (info["mode"], info["method"]) == ("lossless", "contexts")


def test_models_that_come_with_the_library_have_names(tmp_path, shared):
    compress = ["compress", shared / "hundred.idx", "--force", "-o", "a.aez", "--json"]
    named = json.loads(ok(*compress, "--model", "digits-low", "--quality", 4, cwd=tmp_path).out)
    data = (tmp_path / "a.aez").read_bytes()
    scaled = json.loads(ok(*compress, "--quality", 4, cwd=tmp_path).out)
    assert (tmp_path / "a.aez").read_bytes() == data
    assert named["model"] == scaled["model"] == "digits-low"
    assert (named["quality"], scaled["quality"], scaled["scale_quality"]) == (4, 4, 4)
    # A file of that name is what is meant.
    (tmp_path / "digits-low").write_bytes((shared / "small.aew").read_bytes())
    assert json.loads(ok(*compress, "--model", "digits-low", cwd=tmp_path).out)["model"] == "small"
    done = run("compress", shared / "hundred.idx", "--model", "digits-lo", "-o", "b.aez", cwd=tmp_path)
    assert (done.code, done.err) == (
        1,
        "aez: digits-lo: cannot open: No such file or directory; models that come with libae are digits-low, "
        "digits-high, exact, mnist-30, universal, digits-low-small, digits-high-small\n",
    )
    # With a dot or a slash it is a path.
    missing = ["compress", shared / "hundred.idx", "-o", "b.aez", "--model", "digits.aew"]
    fails(1, "digits.aew: cannot open: No such file or directory", *missing, cwd=tmp_path)


def test_info_tells_of_models_by_their_names(tmp_path, shared):
    facts = json.loads(ok("info", "digits-low", "--json", cwd=tmp_path).out)
    assert (facts["file"], facts["name"], facts["latents"]) == ("digits-low", "digits-low", 32)
    (tmp_path / "digits-low").write_bytes((shared / "small.aew").read_bytes())
    assert json.loads(ok("info", "digits-low", "--json", cwd=tmp_path).out)["name"] == "small"


def test_qualities_are_one_scale(shared):
    lines = ok("qualities").text.splitlines()
    assert lines[0] == "quality  bytes/image  PSNR, dB  model"
    assert len(lines) == 15
    for quality, line in enumerate(lines[1:], 1):
        model = "digits-low" if quality < 8 else "digits-high"
        default = "  (default)" if quality == 8 else ""
        assert re.fullmatch(rf" +{quality} +\d+\.\d\d +\d+\.\d\d  {model}{re.escape(default)}", line), line
    rows = json.loads(ok("qualities", "--json").out)["qualities"]
    assert list(rows[0]) == ["quality", "model", "model_quality", "is_default", "bytes_per_image", "psnr"]
    assert [row["quality"] for row in rows] == list(range(1, 15))
    assert [row["model_quality"] for row in rows] == [*range(1, 8)] * 2
    assert [row["quality"] for row in rows if row["is_default"]] == [8]
    sizes = [row["bytes_per_image"] for row in rows]
    assert sizes == sorted(sizes)


def test_qualities_are_measured_and_stored(tmp_path, shared):
    measure = ["qualities", shared / "hundred.idx", "--model", shared / "small.aew"]
    measured = json.loads(ok(*measure, "--json", cwd=tmp_path).out)["qualities"]
    ok(*measure, "-o", "a.aew", cwd=tmp_path)
    stored = json.loads(ok("qualities", "--model", "a.aew", "--json", cwd=tmp_path).out)["qualities"]
    assert stored == measured
    assert all(row["bytes_per_image"] > 0 and row["psnr"] > 5 for row in measured)
    assert sum(row["is_default"] for row in measured) == 1
    # Figures are no part of the model: sets are read with either.
    ok("test", shared / "bare.aez", "--model", "a.aew", cwd=tmp_path)
    fails(1, "a.aew: exists already (--force replaces it)", *measure, "-o", "a.aew", cwd=tmp_path)
    message = "--output writes a model with measured figures: name --model and images."
    fails(64, message, "qualities", "-o", "b.aew", cwd=tmp_path)
    fails(64, message, "qualities", shared / "hundred.idx", "-o", "b.aew", cwd=tmp_path)


def test_quantize_fits_a_codec_to_other_images(tmp_path, shared):
    quantize = ["quantize", shared / "hundred.idx", "--model", shared / "small.aew", "-o", "a.aew"]
    facts = json.loads(ok(*quantize, "--storage", "int8", "--json", cwd=tmp_path).out)
    assert list(facts) == [
        *[
            "output",
            "name",
            "images",
            "width",
            "height",
            "channels",
            "float_mse",
            "float_psnr_db",
            "integer_mse",
        ],
        *["integer_psnr_db", "bytes", "hash"],
    ]
    info = json.loads(ok("info", "a.aew", "--json", cwd=tmp_path).out)
    assert (info["storage"], info["hash"], info["bytes"]) == ("int8", facts["hash"], facts["bytes"])
    ok("compress", shared / "hundred.idx", "--model", "a.aew", "-o", "a.aez", cwd=tmp_path)
    ok("test", "a.aez", "--model", "a.aew", cwd=tmp_path)
    fails(1, "a.aew: exists already (--force replaces it)", *quantize, cwd=tmp_path)
    message = 'a codec is fitted to a model in floats with an encoder; "small" is not one'
    again = ["quantize", shared / "hundred.idx", "--model", "a.aew", "-o", "b.aew"]
    fails(1, message, *again, cwd=tmp_path)


def test_the_manual_has_the_options_of_the_tables():
    check = [sys.executable, ROOT / "tools/man.py", "--check", "--tool", TOOL]
    done = subprocess.run(check, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_shrink_makes_a_small_model(tmp_path, shared):
    shrink = ["shrink", shared / "small.aew", shared / "hundred.idx", "-o", "a.aew", "--steps", 40]
    facts = json.loads(ok(*shrink, "--density", 0.2, "--name", "tiny", "--json", cwd=tmp_path).out)
    assert list(facts) == [
        *["output", "name", "images", "width", "height", "channels", "held_out", "attempts", "density"],
        *["loss_db", "bytes", "decoder_bytes", "hash"],
    ]
    assert (facts["name"], facts["held_out"], facts["density"]) == ("tiny", 10, 0.2)
    assert facts["attempts"] == [{"density": 0.2, "loss_db": facts["loss_db"]}]
    info = json.loads(ok("info", "a.aew", "--json", cwd=tmp_path).out)
    assert (info["storage"], info["hash"], info["bytes"]) == ("int8", facts["hash"], facts["bytes"])
    assert info["name"] == "tiny"
    ok("compress", shared / "hundred.idx", "--model", "a.aew", "-o", "a.aez", cwd=tmp_path)
    ok("test", "a.aez", "--model", "a.aew", cwd=tmp_path)
    fails(1, "a.aew: exists already (--force replaces it)", *shrink, cwd=tmp_path)
    # A loss is given with its unit or without; where it is large, few weights stay.
    again = ["--target-loss", "20dB", "-o", "b.aew", "--json"]
    facts = json.loads(ok(*shrink[:3], "--steps", 5, *again, cwd=tmp_path).out)
    assert facts["loss_db"] <= 20
    assert len(facts["attempts"]) > 1
    message = '--target-loss takes a number in 0.001 ... 20, not "0.1bits".'
    fails(64, message, *shrink[:3], "-o", "c.aew", "--target-loss", "0.1bits", cwd=tmp_path)
    text = ok(*shrink[:5], "--density", 0.5, "--steps", 5, "--force", cwd=tmp_path).text
    assert "of its float32 weights" in text
    assert "50.0 % of the weights" in text
    message = "shrinking trains on images and measures on others: 20 are the fewest, 19 came"
    fails(1, message, *shrink[:3], "--limit", 19, "-o", "c.aew", cwd=tmp_path)
