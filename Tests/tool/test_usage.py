"""Help, version, and mistakes in the command: exit status 64 and a word on what was wrong."""

import re

import pytest
from conftest import ROOT, ok, run

COMMANDS = [
    *["train", "eval", "encode", "decode", "compress", "decompress", "info", "test", "sample"],
    *["reconstruct", "draw", "fetch", "export"],
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
        (["frobnicate"], "Unexpected argument 'frobnicate'"),
        (["info", "--frobnicate"], "Unknown option '--frobnicate'"),
        (["encode"], "Missing expected argument '<images>'"),
        (["encode", "a.idx"], "Missing expected argument '--output <path>'"),
        (["encode", "a.idx", "-o"], "Missing value for '-o <path>'"),
        (["train", "a.idx", "-o", "b", "--kind", "gan"], "The value 'gan' is invalid for '--kind <kind>'"),
        (
            ["train", "a.idx", "-o", "b", "--steps", "many"],
            "The value 'many' is invalid for '--steps <steps>'",
        ),
        (
            ["train", "a.idx", "-o", "b", "--hidden", "5,,5"],
            "The value '5,,5' is invalid for '--hidden <widths>'",
        ),
        (["info", "a", "--split", "both"], "The value 'both' is invalid for '--split <split>'"),
        (["info", "a", "--size", "28"], "The value '28' is invalid for '--size <wxh>'"),
        (["info", "a", "--size", "0x28"], "The value '0x28' is invalid for '--size <wxh>'"),
        (["draw", "-o", "a.idx", "--seed=-1"], "The value '-1' is invalid for '--seed <seed>'"),
        (["eval", "a", "--samples", "0"], "--samples must be in 1 ... 100000, not 0."),
        (["sample", "-o", "a.png", "--count", "0"], "--count must be in 1 ... 268435456, not 0."),
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
    for preset in re.findall(r"^([a-z0-9-]+): ", ok("train", "--help").text, re.MULTILINE):
        assert re.search(rf"^\.BR? {preset}\b(?!-)", manual, re.MULTILINE), preset
