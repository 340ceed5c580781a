"""aez train --exact: a predictor alone, from several sets, and beside autoencoders."""

import json

import imagefiles
import numpy as np
import pytest
from conftest import ok, run

FEW = ["--exact-steps", 4, "--exact-batch-size", 64, "--exact-hidden", "6,5", "--quiet"]


def info(path, cwd) -> dict:
    return json.loads(ok("info", path, "--json", cwd=cwd).out)


@pytest.fixture
def sets(tmp_path):
    """Grey images and images in colour."""
    random = np.random.default_rng(1)
    ramp = np.add.outer(np.arange(9), np.arange(7)) * 6
    grey = np.clip(ramp + random.integers(0, 90, (60, 1, 1)), 0, 255).astype(np.uint8)
    colour = random.integers(0, 40, (30, 5, 6, 3)).astype(np.uint8)
    (tmp_path / "grey.npy").write_bytes(imagefiles.npy(grey))
    (tmp_path / "colour.npy").write_bytes(imagefiles.npy(colour))
    return tmp_path


def test_a_predictor_of_two_sets(sets):
    made = json.loads(
        ok("train", "grey.npy", "colour.npy", "--exact", "-o", "p.aew", *FEW, "--json", cwd=sets).out
    )
    assert made["kind"] == "predictor"
    assert made["images"] == 90
    assert made["held_out"] == 8
    assert made["predictor_hidden"] == [6, 5]
    for key in ("contexts_bits", "float_bits", "integer_bits", "coded_bits"):
        assert 0 < made[key] < 17
    assert made["bytes"] == (sets / "p.aew").stat().st_size
    facts = info("p.aew", sets)
    assert (facts["kind"], facts["width"], facts["latents"]) == ("predictor", 0, 0)
    assert facts["predictor_hidden"] == [6, 5]
    assert facts["predictor_hash"] == made["hash"]
    assert facts["provenance"].startswith("aez train --exact --exact-hidden 6,5 --exact-steps 4")
    again = [*FEW[:4], "--quiet", "--exact-start", "p.aew", "--exact-augment"]
    ok("train", "colour.npy", "--exact", "-o", "q.aew", *again, cwd=sets)
    assert info("q.aew", sets)["predictor_hidden"] == [6, 5]


def test_what_repeats(sets):
    for name in ("a.aew", "b.aew"):
        ok("train", "grey.npy", "--exact", "-o", name, *FEW, cwd=sets)
    assert (sets / "a.aew").read_bytes() == (sets / "b.aew").read_bytes()


def test_beside_an_autoencoder_and_added_to_one(sets):
    recipe = ["--kind", "linear", "--latent-size", 2, "--steps", 5]
    ok("train", "grey.npy", "--exact", *recipe, "-o", "both.aew", *FEW, cwd=sets)
    facts = info("both.aew", sets)
    assert facts["kind"] == "linear"
    assert facts["predictor_hidden"] == [6, 5]
    ok("train", "grey.npy", *recipe, "-o", "plain.aew", "--quiet", cwd=sets)
    assert "predictor_hidden" not in info("plain.aew", sets)
    ok("train", "grey.npy", "--exact", "--from", "plain.aew", "-o", "added.aew", *FEW, cwd=sets)
    assert info("added.aew", sets)["predictor_hash"] == facts["predictor_hash"]


def refuses(sets, code, message, *words):
    """The tool ends with this status, and says this."""
    done = run(*words, cwd=sets)
    assert (done.code, done.out) == (code, b""), done
    assert message in done.err, done


def test_what_is_refused(sets):
    ok("train", "grey.npy", "--exact", "-o", "p.aew", *FEW, cwd=sets)
    recipe = ["--kind", "linear", "--latent-size", 2, "--steps", 5, "--quiet"]
    ok("train", "grey.npy", *recipe, "-o", "e.aew", cwd=sets)
    coding = ["encode", "grey.npy", "-o", "c.npy"]
    for words in (["eval", "grey.npy"], coding, ["quantize", "grey.npy", "-o", "q"]):
        refuses(sets, 1, "p.aew: is a predictor", *words, "--model", "p.aew")
    for code, words, message in (
        (64, ["--exact-steps", 3], "--exact-steps is for --exact"),
        (64, ["--exact-start", "p.aew"], "--exact-start is for --exact"),
        (64, ["colour.npy"], "Several sets of images are for --exact alone"),
        (64, ["--exact", "--steps", 3], "--steps is of an autoencoder's recipe"),
        (64, ["--exact", "--exact-steps", 0], "--exact-steps must be in 1"),
        (1, ["--exact", "--exact-hidden", "1000,1000"], "at most 262144 weights"),
        (1, ["--exact", "--exact-start", "e.aew"], "e.aew: holds no predictor"),
        (1, ["--exact", "--exact-start", "p.aew", "--exact-hidden", "3"], "6,5, not 3"),
    ):
        refuses(sets, code, message, "train", "grey.npy", *words, "-o", "x.aew")
