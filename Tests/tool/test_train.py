"""Training from the command line: recipes, checkpoints, interruption, and bytes that repeat."""

import json
import os
import pty
import re
import signal
import subprocess
import time

import pytest
from conftest import TOOL, environment, fails, ok, run

# What a command line leaves out.
DEFAULTS = {("kind", "elu"), ("learning-rate", "0.001"), ("schedule", "constant"), ("beta", "1")}
SMALL = ["--hidden", "16", "--batch-size", 20, "--quiet"]


def info(path) -> dict:
    return json.loads(ok("info", path, "--json").out)


def test_the_report_of_a_run(tmp_path, shared):
    train = [
        "train",
        shared / "digits.idx",
        "-o",
        "a.aew",
        "--latent-size",
        3,
        "--steps",
        200,
        "--validation-fraction",
        0.2,
    ]
    facts = json.loads(ok(*train, "--hidden", "16,8", "--json", cwd=tmp_path).out)
    assert list(facts) == [
        *[
            "output",
            "name",
            "kind",
            "latents",
            "parameters",
            "images",
            "width",
            "height",
            "channels",
            "seed",
            "steps",
        ],
        *["seconds", "loss", "training_mse", "training_psnr_db", "validation_mse", "validation_psnr_db"],
        *["few_images", "storage", "bytes", "hash"],
    ]
    assert (facts["name"], facts["kind"], facts["latents"], facts["steps"]) == ("elu", "elu", 3, 200)
    assert facts["bytes"] == (tmp_path / "a.aew").stat().st_size
    assert info(tmp_path / "a.aew")["hidden"] == [16, 8]
    assert os.listdir(tmp_path) == ["a.aew"]


@pytest.mark.parametrize("kind", ["pca", "linear", "sigmoid", "relu", "elu", "vae"])
def test_every_kind_trains(tmp_path, shared, kind):
    ok("train", shared / "digits.idx", "-o", "a.aew", "--kind", kind, "--steps", 60, *SMALL, cwd=tmp_path)
    facts = info(tmp_path / "a.aew")
    assert facts["kind"] == kind
    assert facts["latents"] == (20 if kind == "vae" else 5)
    assert facts["hidden"] == ([] if kind == "pca" else [16])
    assert facts["output_activation"] == ("sigmoid" if kind == "vae" else "linear")
    report = json.loads(ok("eval", shared / "digits.idx", "--model", "a.aew", "--json", cwd=tmp_path).out)
    assert 0.001 < report["mse"] < 0.2


def test_every_option_reaches_the_recipe(tmp_path, shared):
    options = [
        *["--kind", "vae", "--latent-size", 6, "--hidden", "16,8", "--loss", "bernoulli"],
        *["--output-activation", "sigmoid", "--steps", 30, "--batch-size", 7, "--seed", 99],
        *["--learning-rate", 0.0005, "--schedule", "one-cycle", "--beta", 0.5, "--beta-warmup-steps", 10],
        *["--importance-samples", 2, "--importance-warmup-steps", 12, "--noise", 0.25, "--gradient-clip", 5],
        *["--weight-average", 0.9, "--binarize", "--validation-fraction", 0.125],
    ]
    ok("train", shared / "digits.idx", "-o", "a.aew", *options, "--name", "Größe", "--quiet", cwd=tmp_path)
    facts = info(tmp_path / "a.aew")
    assert facts["name"] == "Größe"
    line = "aez train " + " ".join(map(str, options))
    assert facts["provenance"].startswith(line + " ")
    assert re.fullmatch(
        r" (--name \S+ )?on 1000 images of 28 x 28, CRC-32 of their pixels \d+; quantised with 875 images, "
        r"CRC-32 of their pixels \d+",
        facts["provenance"][len(line) :],
    )


def test_muon_trains_convolutions_and_only_those(tmp_path, shared):
    train = ["train", shared / "digits.idx", "--steps", 30, "--quiet", "--optimizer"]
    convolutions = ["--kind", "conv-vae", "--hidden", "4,4,16", "--latent-size", 3]
    for optimizer in ("adam", "muon"):
        ok(*train, optimizer, *convolutions, "-o", f"{optimizer}.aew", cwd=tmp_path)
    assert " --optimizer muon " in info(tmp_path / "muon.aew")["provenance"]
    assert "--optimizer" not in info(tmp_path / "adam.aew")["provenance"]
    assert info(tmp_path / "muon.aew")["hash"] != info(tmp_path / "adam.aew")["hash"]
    message = "the optimizer muon is for convolutions; the kind elu has none"
    fails(1, message, *train, "muon", *SMALL, "-o", "dense.aew", cwd=tmp_path)


def test_a_run_starts_from_a_trained_model(tmp_path, shared):
    train = ["train", shared / "digits.idx", *SMALL, "--latent-size", 3, "--steps", 300, "-o"]
    ok(*train, "first.aew", "--name", "first", "--learning-rate", 0.002, cwd=tmp_path)
    more = [
        "train",
        shared / "digits.idx",
        "--start",
        "first.aew",
        "--quiet",
        "--learning-rate",
        0.0001,
        "--steps",
    ]
    ok(*more, 20, "-o", "second.aew", cwd=tmp_path)
    facts = info(tmp_path / "second.aew")
    assert facts["name"] == "first"
    # Of the weights alone: the same however the file stores what is beside them.
    assert re.search(
        r", from the weights of SHA-256 [0-9a-f]{64}; quantised with 1000 images, ", facts["provenance"]
    )
    made = "aez train --kind elu --latent-size 3 --hidden 16 --output-activation linear --steps 20 "
    assert facts["provenance"].startswith(made)
    measure = ["eval", shared / "digits.idx", "--json", "--model"]
    first = json.loads(ok(*measure, "first.aew", cwd=tmp_path).out)["mse"]
    assert json.loads(ok(*measure, "second.aew", cwd=tmp_path).out)["mse"] < 1.05 * first
    message = (
        "a run of kind elu, 28 x 28, 784-16-4, linear output cannot start from a model of kind elu, 28 x 28, "
        "784-16-3, linear output"
    )
    fails(1, message, *more, 20, "--latent-size", 4, "-o", "third.aew", cwd=tmp_path)
    done = run(*more[:5], "--resume", "first.aew", "-o", "third.aew", cwd=tmp_path)
    assert done.code == 64
    assert "--resume goes on with the checkpoint's recipe" in done.err
    assert not (tmp_path / "third.aew").exists()


def test_storage_of_the_output(tmp_path, shared):
    sizes = []
    for storage in ["float32", "float16", "int8"]:
        options = ["-o", f"{storage}.aew", "--storage", storage, "--steps", 50]
        ok("train", shared / "digits.idx", *options, *SMALL, cwd=tmp_path)
        facts = info(tmp_path / f"{storage}.aew")
        assert facts["storage"] == storage
        sizes.append(facts["bytes"])
    assert sizes[0] > sizes[1] > sizes[2]


def test_a_seed_fixes_every_byte_whatever_the_threads(tmp_path, shared):
    made = []
    for name, threads, seed in [("a", "1", 7), ("b", "2", 7), ("c", "2", 8)]:
        options = ["-o", f"{name}.aew", "--seed", seed, "--steps", 120, "--kind", "vae", *SMALL]
        ok("train", shared / "digits.idx", *options, cwd=tmp_path, env=environment(AE_THREADS=threads))
        made.append((tmp_path / f"{name}.aew").read_bytes())
    assert made[0] == made[1]
    assert made[0] != made[2]


def test_a_run_cut_in_two_ends_with_the_bytes_of_one(tmp_path, shared):
    train = ["train", shared / "digits.idx", "--steps", 400, *SMALL]
    ok(*train, "-o", "whole.aew", "--checkpoint", "c.aew", "--checkpoint-every", 150, cwd=tmp_path)
    # The last checkpoint is of the first report after step 300.
    assert info(tmp_path / "c.aew")["provenance"] == "checkpoint after step 300 of 400"
    resume = ["train", shared / "digits.idx", "-o", "again.aew", "--resume", "c.aew", "--quiet"]
    # On other images it would be another run.
    for change, message in [
        (["--limit", 500], "the run began on 1000 images, and 500 others came: "),
        (["--labels", shared / "labels.idx1"], None),
    ]:
        done = run(*resume, *change, "--force", cwd=tmp_path)
        assert (done.code == 0) == (message is None), done
        if message:
            assert done.err.endswith(
                message + "it goes on with the images that it began with; "
                "--start c.aew begins a new run from its weights\n"
            )
    ok(*resume, "--force", cwd=tmp_path)
    assert (tmp_path / "again.aew").read_bytes() == (tmp_path / "whole.aew").read_bytes()


def interrupt(arguments, cwd, after) -> tuple[int, str]:
    """Starts the tool, waits until `after` exists, sends SIGINT; its status and standard error."""
    process = subprocess.Popen(
        [TOOL, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env=environment(),
    )
    deadline = time.monotonic() + 120
    while not after.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert out == b""
    return process.returncode, err.decode()


def test_an_interrupted_run_keeps_its_work(tmp_path, shared):
    train = ["train", shared / "digits.idx", "--steps", 1500, *SMALL]
    ok(*train, "-o", "whole.aew", cwd=tmp_path)
    checkpoint = tmp_path / "a.aew.checkpoint"
    images = shared / "digits.idx"
    # So many steps that it cannot be done before the signal comes.
    endless = ["train", images, "--steps", 1 << 30, *SMALL, "-o", "x y.aew", "--checkpoint-every", 1]
    code, err = interrupt(
        [*endless, "--limit", 500, "--storage", "int8"], tmp_path, tmp_path / "x y.aew.checkpoint"
    )
    assert code == 1
    pattern = (
        r"aez: stopping\naez: training was stopped after step (\d+) of 1073741824; "
        r"go on with: aez train \S+digits.idx -o 'x y.aew' --resume 'x y.aew.checkpoint' --limit 500 "
        r"--storage int8 --checkpoint-every 1\n"
    )
    step = int(re.fullmatch(pattern, err).group(1))
    assert step > 0
    made = f"checkpoint after step {step} of 1073741824"
    assert info(tmp_path / "x y.aew.checkpoint")["provenance"] == made
    assert not (tmp_path / "x y.aew").exists()

    code, err = interrupt([*train, "-o", "a.aew", "--checkpoint-every", 100], tmp_path, checkpoint)
    if code == 1:
        assert "aez train " in err
        ok("train", images, "-o", "a.aew", "--resume", checkpoint, "--quiet", cwd=tmp_path)
    assert (tmp_path / "a.aew").read_bytes() == (tmp_path / "whole.aew").read_bytes()


def test_divergence_ends_with_the_last_good_state(tmp_path, shared):
    wild = ["--kind", "relu", "--hidden", "64,64,64,64,64,64", "--learning-rate", 10, "--steps", 100000]
    done = run("train", shared / "digits.idx", "-o", "a.aew", *wild, cwd=tmp_path)
    assert (done.code, done.out) == (1, b"")
    assert re.fullmatch(
        r"aez: the loss is not finite at step \d+; the network is as it was after step \d+: "
        r"try a lower learning rate than 10 or a gradient clip; "
        r"its state is in a.aew.checkpoint, which can be looked at, or resumed with: "
        r"aez train \S+digits.idx -o a.aew --resume a.aew.checkpoint\n",
        done.err,
    ), done.err
    assert info(tmp_path / "a.aew.checkpoint")["kind"] == "relu"
    assert not (tmp_path / "a.aew").exists()


def test_progress_is_for_terminals_alone(tmp_path, shared):
    train = ["train", shared / "digits.idx", "-o", "a.aew", "--steps", 3000, "--hidden", "16", "--force"]
    assert run(*train, cwd=tmp_path).err == ""
    shown = {}
    for quiet in [False, True]:
        ours, theirs = pty.openpty()
        options = ["--quiet"] if quiet else []
        with subprocess.Popen(
            [TOOL, *map(str, train), *options],
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            cwd=tmp_path,
            env=environment(),
        ) as process:
            os.close(theirs)
            text = b""
            try:
                while piece := os.read(ours, 65536):
                    text += piece
            except OSError:
                # How a terminal says that the other side has gone.
                pass
            assert process.wait() == 0
        os.close(ours)
        shown[quiet] = text.decode()
    assert shown[True] == ""
    assert re.search(
        r"\[#+\.*\] \d+%  \d+/3000  loss [\d.e-]+  MSE [\d.]+  [\d.]+ dB  \d:\d\d left", shown[False]
    ), shown[False]
    # The line is cleared at the end, so that the report stands alone.
    assert shown[False].endswith("\r\x1b[K")


def test_options_that_do_not_go_together(tmp_path, shared):
    train = ["train", shared / "digits.idx", "-o", "a.aew"]
    for options, code, message in [
        (
            ["--kind", "conv-vae", "--hidden", "500"],
            1,
            "number of hidden layers of a conv-vae must be in 2 ... 8, not 1",
        ),
        (
            ["--kind", "conv-vae", "--hidden", "500,500"],
            1,
            "encoder: node 1, dense: it would read 98000 numbers; at most 65536 may be: "
            "convolutions or pools make fewer",
        ),
        (["--latent-size", 0], 64, "--latent-size must be in 1 ... 4096, not 0."),
        (["--hidden", "500,0"], 64, "--hidden must be in 1 ... 4096, not 0."),
        (["--steps", 0], 64, "--steps must be in 1 ... 4294967296, not 0."),
        (["--batch-size", 100000], 64, "--batch-size must be in 1 ... 65536, not 100000."),
        (["--learning-rate", "nan"], 64, '--learning-rate takes a number in 1e-12 ... 10, not "nan".'),
        (["--validation-fraction", 0.9], 64, "--validation-fraction must be in 0 ... 0.5, not 0.9."),
        (
            ["--loss", "bernoulli", "--output-activation", "linear"],
            1,
            "the Bernoulli loss needs a sigmoid output",
        ),
        (["--name", "x" * 65], 64, "--name has at most 64 bytes of UTF-8, not 65."),
        (["--kind", "pca", "--latent-size", 785], 1, "latent size of a pca must be in 1 ... 784, not 785"),
        (
            ["--resume", "c", "--steps", 5],
            64,
            "--resume goes on with the checkpoint's recipe: leave the options of the recipe out.",
        ),
        (
            ["--resume", "c", "--preset", "study"],
            64,
            "--resume goes on with the checkpoint's recipe: leave the options of the recipe out.",
        ),
        (["--checkpoint-every", 0], 64, "--checkpoint-every must be at least 1, not 0."),
    ]:
        fails(code, message, *train, *options, cwd=tmp_path)
    message = "--checkpoint-every needs --checkpoint where the output has no name."
    fails(64, message, "train", shared / "digits.idx", "-o", "-", "--checkpoint-every", 5)
    assert os.listdir(tmp_path) == []


def test_presets_are_options(tmp_path, shared):
    ok(
        "train",
        shared / "digits.idx",
        "-o",
        "a.aew",
        "--preset",
        "quick",
        "--steps",
        20,
        *SMALL,
        cwd=tmp_path,
    )
    line = info(tmp_path / "a.aew")["provenance"]
    # What is said beside the preset wins.
    assert line.startswith(
        "aez train --kind elu --latent-size 8 --hidden 16 --steps 20 --batch-size 20 --seed 1 "
        "--learning-rate 0.002 "
    )
    done = run("train", shared / "digits.idx", "-o", "b.aew", "--preset", "slow", cwd=tmp_path)
    assert done.code == 64
    assert "The value 'slow' is invalid for '--preset <preset>'" in done.err


def test_every_preset_trains_as_help_says(tmp_path, shared):
    text = run("train", "--help", cwd=tmp_path).out.decode().split("\nPRESETS\n")[1].split("\n\n")[0]
    presets: dict[str, str] = {}
    for line in text.splitlines():
        if head := re.match(r"  ([a-z0-9-]+): ", line):
            presets[name := head[1]] = ""
        elif line.startswith("    --"):
            presets[name] += f"{line} "
    assert {"study", "quick", "conv-30", "best-vae-50"} <= presets.keys()
    for name, options in presets.items():
        short = ["--steps", 1, "--batch-size", 2, "--limit", 40, "--quiet"]
        ok("train", shared / "digits.idx", "-o", f"{name}.aew", "--preset", name, *short, cwd=tmp_path)
        line = info(tmp_path / f"{name}.aew")["provenance"] + " "
        for option, value in re.findall(r"--([a-z-]+) ?((?!--)\S*)", " ".join(options.split())):
            if option not in ("steps", "batch-size") and (option, value) not in DEFAULTS:
                assert f" --{option} {value}".rstrip() + " " in line, name


def test_what_is_no_checkpoint_is_refused(tmp_path, shared):
    resume = ["train", shared / "digits.idx", "-o", "a.aew", "--resume"]
    small = shared / "small.aew"
    message = f"{small}: this weight file is not a checkpoint: it has no state of training"
    fails(1, message, *resume, small, cwd=tmp_path)
    fails(1, "none: cannot open: No such file or directory", *resume, "none", cwd=tmp_path)
    train = ["train", shared / "digits.idx", "-o", "b.aew", "--checkpoint", "c", "--checkpoint-every", 100]
    ok(*train, "--steps", 100, *SMALL, cwd=tmp_path)
    data = (tmp_path / "c").read_bytes()
    (tmp_path / "cut").write_bytes(data[: len(data) // 2])
    done = run(*resume, "cut", cwd=tmp_path)
    assert (done.code, done.out) == (1, b"")
    assert done.err.startswith("aez: cut: ")


def test_an_old_checkpoint_is_not_replaced_unasked(tmp_path, shared):
    (tmp_path / "a.aew.checkpoint").write_bytes(b"dear")
    train = ["train", shared / "digits.idx", "-o", "a.aew", "--steps", 20, *SMALL]
    fails(1, "a.aew.checkpoint: exists already (--force replaces it)", *train, cwd=tmp_path)
    assert (tmp_path / "a.aew.checkpoint").read_bytes() == b"dear"
    ok(*train, "--force", cwd=tmp_path)


def test_a_full_disk_stops_a_run_at_its_checkpoint(tmp_path, shared):
    train = ["train", shared / "digits.idx", "-o", "a.aew", "--steps", 1 << 30, *SMALL]
    message = "/dev/full: cannot write: No space left on device"
    fails(1, message, *train, "--checkpoint", "/dev/full", "--checkpoint-every", 100, cwd=tmp_path)
    assert os.listdir(tmp_path) == []
