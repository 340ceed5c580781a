"""Help, version, and mistakes in the command: exit status 64 and a word on what was wrong."""

import json
import os
import pty
import re
import signal
import subprocess
import time

import numpy as np
import pytest
from conftest import ROOT, TOOL, environment, fails, ok, run
from imagefiles import idx, read_idx

COMMANDS = [
    *["train", "eval", "encode", "decode", "compress", "decompress", "info", "test", "sample"],
    *["qualities", "reconstruct", "draw", "fetch", "export", "quantize", "shrink"],
]


def test_help_names_every_command():
    text = ok("--help").text
    assert text == ok("help").text == ok("-h").text
    for command in COMMANDS:
        assert re.search(rf"^  {command} +\S", text, re.MULTILINE), command
    assert "EXAMPLES" in text


@pytest.mark.parametrize("command", [[c] for c in COMMANDS] + [["fetch", "mnist"]])
def test_every_command_has_help(command):
    text = ok(*command, "--help").text
    assert text.startswith("OVERVIEW: ")
    assert f"USAGE: aez {' '.join(command)}" in text
    if command != ["fetch"]:
        assert "EXAMPLE" in text
        assert "--json" in text
    assert max(map(len, text.splitlines())) <= 120


def test_version_is_that_of_the_header():
    header = (ROOT / "include/ae.h").read_text()
    parts = [re.search(rf"AE_VERSION_{part} (\d+)", header).group(1) for part in ["MAJOR", "MINOR", "PATCH"]]
    assert ok("--version").text == f"aez {'.'.join(parts)}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["frobnicate"], "There is no command 'frobnicate'. Commands are train, eval, encode, decode, "),
        (["comprss"], "There is no command 'comprss'. Did you mean 'compress'?"),
        (["Decompres", "x"], "There is no command 'Decompres'. Did you mean 'decompress'?"),
        (["tset", "x"], "There is no command 'tset'. Did you mean 'test'?"),
        (
            ["compress", "a", "-o", "b", "--qualty", "3"],
            "Unknown option '--qualty'. Did you mean '--quality'?",
        ),
        (
            ["train", "a", "-o", "b", "--preset", "quik"],
            "The value 'quik' is invalid for '--preset <preset>'",
        ),
        (["fetch", "fashion"], "There is no 'fashion' to fetch: aez fetch mnist."),
        (
            ["train", "a.idx", "-o", "b", "--kind", "gan"],
            "--kind takes one of pca, linear, sigmoid, relu, elu, vae, conv-vae, "
            'residual-vae, custom, not "gan".',
        ),
        (
            ["compress", "a", "-o", "b", "--exact", "--quality", "3"],
            "--quality is for codes: with --exact pixels are what they are, "
            "unless --preview keeps codes, too.",
        ),
        (["train", "-o", "b"], "Missing expected argument '<images> ...'"),
        (["sample", "-o", "a.png"], "Missing expected argument '--model <file>'"),
        (["compress", "a", "-o", "b", "--quality", "0"], "--quality must be in 1 ... 16, not 0."),
        (["info", "a", "--limit", "0"], "--limit must be at least 1, not 0."),
        (["draw", "-o", "a.idx", "--count=-4"], "--count must be in 1 ... 268435456, not -4."),
        (["info", "--frobnicate"], "Unknown option '--frobnicate'"),
        (["encode"], "Missing expected argument '<images>'"),
        (["encode", "a.idx"], "Missing expected argument '--output <path>'"),
        (["encode", "a.idx", "-o"], "Missing value for '-o <path>'"),
        (
            ["train", "a.idx", "-o", "b", "--steps", "many"],
            '--steps takes a whole number in 1 ... 4294967296, not "many".',
        ),
        (
            ["train", "a.idx", "-o", "b", "--hidden", "5,,5"],
            '--hidden takes whole numbers separated by commas, or none, not "5,,5".',
        ),
        (["info", "a", "--split", "both"], "The value 'both' is invalid for '--split <split>'"),
        (["info", "a", "--size", "28"], "The value '28' is invalid for '--size <wxh>'"),
        (["info", "a", "--size", "0x28"], "The value '0x28' is invalid for '--size <wxh>'"),
        (["draw", "-o", "a.idx", "--seed=-1"], "The value '-1' is invalid for '--seed <seed>'"),
        (["eval", "a", "--samples", "0"], "--samples must be in 1 ... 100000, not 0."),
        (
            ["sample", "--model", "a", "-o", "a.png", "--count", "0"],
            "--count must be in 1 ... 268435456, not 0.",
        ),
        (["reconstruct", "a", "-o", "a.png", "--count", "0"], "--count must be at least 1, not 0."),
        (["reconstruct", "a", "-o", "a.png", "--columns", "0"], "--columns must be at least 1, not 0."),
        (["decompress", "a", "-o", "a.idx", "--count", "0"], "--count must be at least 1, not 0."),
        (["decompress", "a", "-o", "a.png", "--columns", "0"], "--columns must be at least 1, not 0."),
    ],
)
def test_mistakes(arguments, message):
    done = run(*arguments)
    assert (done.code, done.out) == (64, b"")
    assert done.err.startswith(f"aez: {message}"), done.err
    assert "aez" in done.err.splitlines()[-1]


def test_the_manual_knows_every_option():
    manual = (ROOT / "docs/aez.1").read_text().replace("\\-", "-")
    for command in [[c] for c in COMMANDS] + [["fetch", "mnist"]]:
        for option in re.findall(r"--[a-z][a-z-]*", ok(*command, "--help").text):
            assert option in manual, f"{command} {option}"
    for preset in re.findall(r"^  ([a-z0-9-]+): ", ok("train", "--help").text, re.MULTILINE):
        assert re.search(rf"^\.BR? {preset}\b(?!-)", manual, re.MULTILINE), preset


def test_presets_stand_in_lines_that_no_terminal_breaks():
    text = ok("train", "--help").text
    listing = text[text.index("PRESETS\n") : text.index("EXAMPLES\n")].splitlines()[1:-1]
    names = [line for line in listing if re.match(r"  \S", line)]
    assert len(names) >= 11
    for line in listing:
        assert len(line) < 80
        assert re.match(r"  [a-z0-9-]+: \S|    \S", line), line


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions_know_every_command(shell):
    script = ok("--generate-completion-script", shell).text
    for command in COMMANDS:
        assert command in script


def test_sizes_that_do_not_match_say_what_to_do(tmp_path, shared):
    (tmp_path / "a b.idx").write_bytes(idx(np.zeros((2, 9, 7))))
    message = (
        'a b.idx: images are 7 x 9, the model "digits-high" takes 28 x 28: train one of this size '
        "(aez train 'a b.idx' -o mine.aew, then --model mine.aew)"
    )
    fails(1, message, "eval", "a b.idx", cwd=tmp_path)
    fails(1, message, "encode", "a b.idx", "-o", "x.npy", cwd=tmp_path)
    fails(1, message, "reconstruct", "a b.idx", "-o", "x.png", cwd=tmp_path)
    fails(
        1, message + ", or keep every pixel with --exact", "compress", "a b.idx", "-o", "x.aez", cwd=tmp_path
    )
    (tmp_path / "wide.idx").write_bytes(idx(np.zeros((1, 40, 65))))
    message = (
        'wide.idx: images are 65 x 40, the model "digits-high" takes 28 x 28: train one of this size '
        "(aez train wide.idx -o mine.aew, then --model mine.aew)"
    )
    fails(1, message, "encode", "wide.idx", "-o", "x.npy", cwd=tmp_path)
    lossy = message + ", or keep every pixel with --exact"
    fails(1, lossy, "compress", "wide.idx", "-o", "x.aez", cwd=tmp_path)
    ok("compress", "wide.idx", "--exact", "-o", "x.aez", cwd=tmp_path)
    for shape in [(1, 1, 1), (3, 64, 1), (2, 1, 64)]:
        (tmp_path / "thin.idx").write_bytes(idx(np.ones(shape)))
        ok("compress", "thin.idx", "--exact", "-o", "thin.aez", "--force", cwd=tmp_path)


def test_files_in_each_others_place_are_told_apart(tmp_path, shared):
    (tmp_path / "s.aez").write_bytes((shared / "set.aez").read_bytes())
    (tmp_path / "m.aew").write_bytes((shared / "small.aew").read_bytes())
    (tmp_path / "d.idx").write_bytes((shared / "hundred.idx").read_bytes())
    for command, output in [("compress", "x.aez"), ("encode", "x.npy"), ("train", "x.aew")]:
        message = "s.aez: is an image set (.aez): aez decompress makes images of it"
        fails(1, message, command, "s.aez", "-o", output, cwd=tmp_path)
        message = "m.aew: is a weight file (.aew): it holds a model and no images"
        fails(1, message, command, "m.aew", "-o", output, cwd=tmp_path)
    message = "s.aez: is an image set (.aez), and a weight file (.aew) is expected, which aez train makes"
    fails(1, message, "compress", "d.idx", "--model", "s.aez", "-o", "x.aez", cwd=tmp_path)
    fails(1, message, "sample", "--model", "s.aez", "-o", "x.png", cwd=tmp_path)
    message = "d.idx: is an IDX file, and a weight file (.aew) is expected, which aez train makes"
    fails(1, message, "eval", "d.idx", "--model", "d.idx", cwd=tmp_path)
    fails(1, message, "export", "d.idx", "-o", "x.aew", cwd=tmp_path)


def test_a_set_unlike_the_models_images_is_told_of(tmp_path, shared):
    rng = np.random.default_rng(4)
    # Stripes, checks and noise: nothing that a model of digits knows.
    images = np.zeros((60, 28, 28), np.uint8)
    for i in range(60):
        images[i] = np.kron(rng.integers(0, 256, (7, 7)), np.ones((4, 4)))
    (tmp_path / "odd.idx").write_bytes(idx(images))
    done = run("compress", "odd.idx", "-o", "odd.aez", "--json", cwd=tmp_path)
    assert done.code == 0
    assert json.loads(done.out)["fits_poorly"] is True
    assert re.fullmatch(
        r'aez: odd.idx: the model "digits-high" reconstructs these images poorly: '
        r"(\d+ of 60 images stored raw, \d+\.\d\d dB|60 of 60 images stored raw), \d+\.\d bytes an image; "
        r"train one for them "
        r"\(aez train odd.idx -o mine.aew, then --model mine.aew\), or keep every pixel with --exact\n",
        done.err,
    ), done.err
    done = run("compress", "odd.idx", "-o", "-", cwd=tmp_path)
    assert "reconstructs these images poorly" in done.err
    ok("compress", "odd.idx", "-o", "quiet.aez", "--quiet", cwd=tmp_path)
    ok("compress", "odd.idx", "-o", "exact.aez", "--exact", cwd=tmp_path)
    # Digits are what it has learned, whatever the quality.
    for quality in [[], ["--quality", 1], ["--quality", 14]]:
        report = ok(
            "compress", shared / "hundred.idx", *quality, "-o", "a.aez", "--force", "--json", cwd=tmp_path
        )
        assert json.loads(report.out)["fits_poorly"] is False


def test_quality_is_told_on_the_scale_it_was_asked_on(tmp_path, shared):
    compress = ["compress", shared / "hundred.idx", "-o", "a.aez", "--force"]
    text = ok(*compress, "--quality", 14, cwd=tmp_path).text
    assert re.search(r"^quality +14 of 14$", text, re.MULTILINE)
    facts = json.loads(ok(*compress, "--quality", 14, "--json", cwd=tmp_path).out)
    assert (facts["quality"], facts["scale_quality"]) == (7, 14)
    text = ok(*compress, "--model", shared / "small.aew", "--quality", 2, cwd=tmp_path).text
    assert re.search(r"^quality +2 of \d$", text, re.MULTILINE)


def test_few_images_are_said_to_be_learned_by_heart(tmp_path, shared):
    train = ["train", shared / "digits.idx", "--steps", 2, "--hidden", 4, "-o", "a.aew", "--force"]
    few = ok(*train, "--limit", 20, cwd=tmp_path).text
    assert re.search(r"^note +20 images are few, and a network learns few by heart", few, re.MULTILINE)
    assert "--validation-fraction 0.2" in few
    facts = json.loads(ok(*train, "--limit", 20, "--json", cwd=tmp_path).out)
    assert facts["few_images"] is True
    assert "note" not in ok(*train, cwd=tmp_path).text


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize(
    "options",
    [["--exact"], ["--exact", "--block-images", 65536], ["--max-error", 2], ["--search-passes", 16]],
)
def test_a_signal_stops_a_set_within_a_second(tmp_path, options, sign):
    if sign != signal.SIGINT and options != ["--exact"]:
        pytest.skip("one kind of set is enough for the other signals")
    ok("draw", "-o", "many.idx", "--count", 20000, "--quiet", cwd=tmp_path)
    if "--search-passes" in options:  # which takes the least time
        drawn = read_idx((tmp_path / "many.idx").read_bytes())
        (tmp_path / "many.idx").write_bytes(idx(np.tile(drawn, (8, 1, 1))))
    command = [TOOL, "compress", "many.idx", "-o", "many.aez", *map(str, options)]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    time.sleep(0.4)
    start = time.monotonic()
    process.send_signal(sign)
    out, err = process.communicate(timeout=60)
    assert time.monotonic() - start < 2
    assert (process.returncode, out) == (1, b"")
    assert err == b"aez: stopping\naez: stopped before many.aez was complete\n"
    assert [path.name for path in tmp_path.iterdir()] == ["many.idx"]


def test_a_signal_that_is_ignored_stays_so(tmp_path, shared):
    script = 'trap "" INT; exec "$0" compress "$1" --exact -o a.aez --quiet'
    process = subprocess.Popen(
        ["sh", "-c", script, TOOL, shared / "digits.idx"], cwd=tmp_path, env=environment()
    )
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) == 0


def test_a_second_signal_ends_at_once(tmp_path, shared):
    """The first one is heard; steps of a second each cannot be cut, but the process can."""
    process = subprocess.Popen(
        [
            TOOL,
            "train",
            shared / "digits.idx",
            "--kind",
            "conv-vae",
            "--batch-size",
            "1000",
            "-o",
            "a.aew",
            "--quiet",
        ],
        cwd=tmp_path,
        env=environment(),
        stderr=subprocess.PIPE,
    )
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    assert process.stderr.readline() == b"aez: stopping\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode in (1, -signal.SIGINT)


@pytest.mark.parametrize("command", [["compress"], ["test"], ["decompress"]])
def test_progress_shows_images_on_a_terminal(tmp_path, shared, command):
    images = shared / "digits.idx"
    exact = ["--exact", "--method", "contexts", "-o", "many.aez"]
    if command[0] == "compress":
        arguments = list(map(str, ["compress", images, *exact]))
    else:
        ok("compress", images, *exact, "--quiet", cwd=tmp_path)
        arguments = [command[0], "many.aez", *(["-o", "again.idx"] if command[0] == "decompress" else [])]
    for quiet in [[], ["--quiet"]]:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [TOOL, *arguments, "--force", *quiet] if command[0] != "test" else [TOOL, *arguments, *quiet],
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=theirs,
        )
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 65536):
                shown += piece
        except OSError:
            pass
        os.close(ours)
        assert process.wait(timeout=120) == 0
        assert (b"images " in shown and b"/1,000" in shown) == (quiet == []), shown
        assert quiet or shown.endswith(b"\r\x1b[K")


@pytest.mark.skipif(not os.environ.get("AE_IMAGES"), reason="AE_IMAGES names no folder of real images")
def test_clothes_are_no_digits_and_that_is_told(tmp_path):
    clothes = os.path.join(os.environ["AE_IMAGES"], "fashion-test-images-idx3-ubyte.gz")
    done = run("compress", clothes, "--limit", 500, "-o", "x.aez", "--json", cwd=tmp_path)
    facts = json.loads(done.out)
    assert (done.code, facts["fits_poorly"]) == (0, True)
    assert "reconstructs these images poorly" in done.err
    assert "aez train" in done.err
    assert "--exact" in done.err
