"""Names of files are bytes, from arguments to system calls; messages about them are lines of text."""

import json
import os

import numpy as np
from conftest import environment, fails, ok
from imagefiles import png


def listed(folder) -> set[bytes]:
    return set(os.listdir(os.fsencode(folder)))


def test_names_of_any_bytes_are_written_and_read(tmp_path, shared):
    model = ["--model", shared / "small.aew"]
    os.symlink(shared / "hundred.idx", os.fsencode(tmp_path) + b"/caf\xe9.idx")
    names = [b"a\xe9.aez", b"a\xe8.aez", b"\xff\xfe\x80.aez"]
    for name in [*names, "é.aez".encode(), "\U0010ffe9.aez".encode()]:
        ok("compress", b"caf\xe9.idx", *model, "-o", name, "--quiet", cwd=tmp_path)
        assert name in listed(tmp_path)
        assert ok("test", name, *model, cwd=tmp_path).code == 0
    assert len(listed(tmp_path)) == 6
    ok("decompress", b"a\xe9.aez", *model, "-o", b"d\xe9/", cwd=tmp_path)
    assert len(listed(os.fsencode(tmp_path) + b"/d\xe9")) == 100
    ok("encode", b"caf\xe9.idx", *model, "-o", b"c\xe9.npy", cwd=tmp_path)
    ok("decode", b"c\xe9.npy", *model, "-o", b"p\xe9.png", cwd=tmp_path)
    ok("reconstruct", b"caf\xe9.idx", *model, "-o", b"r\xe9.png", cwd=tmp_path)
    ok("export", shared / "small.aew", "-o", b"m\xe9.aew", cwd=tmp_path)
    ok("eval", b"caf\xe9.idx", "--model", b"m\xe9.aew", cwd=tmp_path)
    extra = ["--labels", b"w\xe9.1", "--parameters", b"w\xe9.npy"]
    ok("draw", "--count", 3, "-o", b"w\xe9.idx", *extra, cwd=tmp_path)
    steps = [
        "--hidden",
        4,
        "--steps",
        5,
        "--latent-size",
        2,
        "--checkpoint",
        b"k\xe9",
        "--checkpoint-every",
        2,
    ]
    ok("train", b"w\xe9.idx", "--labels", b"w\xe9.1", *steps, "-o", b"t\xe9.aew", cwd=tmp_path)
    ok("train", b"w\xe9.idx", "--resume", b"k\xe9", "--force", "-o", b"t\xe9.aew", cwd=tmp_path)
    made = [b"c\xe9.npy", b"p\xe9.png", b"r\xe9.png", b"m\xe9.aew", b"w\xe9.idx", b"w\xe9.1", b"w\xe9.npy"]
    assert listed(tmp_path) >= {*made, b"t\xe9.aew", b"k\xe9"}


def test_models_are_found_under_names_of_any_bytes(tmp_path, shared):
    folder = os.fsencode(tmp_path) + b"/m\xe9"
    os.mkdir(folder)
    with open(folder + b"/s\xff.aew", "wb") as file:
        file.write((shared / "small.aew").read_bytes())
    ok("test", shared / "bare.aez", "--model-path", folder)
    ok("test", shared / "bare.aez", env={**environment(), "AE_MODEL_PATH": os.fsdecode(b"/none:" + folder)})


def test_a_folder_with_a_name_that_is_not_utf8(tmp_path, shared):
    os.mkdir(os.fsencode(tmp_path) + b"/in")
    for name in [b"a.png", b".\xff", b"notes\xff.txt"]:
        with open(os.fsencode(tmp_path) + b"/in/" + name, "wb") as file:
            file.write(png(np.zeros((28, 28))))
    # What is no picture does not matter.
    ok("compress", "in", "--model", shared / "small.aew", "-o", "a.aez", cwd=tmp_path)
    os.rename(os.fsencode(tmp_path) + b"/in/a.png", os.fsencode(tmp_path) + b"/in/\xe9.png")
    assert json.loads(ok("info", "in", "--json", cwd=tmp_path).out)["images"] == 1
    message = "in/\\xE9.png: an image set keeps names in UTF-8, which this one is not: rename the file"
    fails(1, message, "compress", "in", "--model", shared / "small.aew", "-o", "b.aez", cwd=tmp_path)


def test_a_name_in_a_set_is_the_name_of_the_file(tmp_path, shared):
    """Characters by which the tool stands for bytes are characters like others in a set and in a folder."""
    os.mkdir(tmp_path / "in")
    for name in ["\U0010ffe9.png", "\U0010ff80b.png", "ü.png"]:
        (tmp_path / "in" / name).write_bytes(png(np.zeros((28, 28))))
    ok("compress", "in", "--model", shared / "small.aew", "-o", "a.aez", cwd=tmp_path)
    assert json.loads(ok("info", "a.aez", "--json", cwd=tmp_path).out)["has_names"]
    ok("decompress", "a.aez", "--model", shared / "small.aew", "-o", "out/", cwd=tmp_path)
    assert listed(tmp_path / "out") == listed(tmp_path / "in")


def test_messages_spell_names_out_on_one_line(tmp_path, shared):
    reason = "cannot open: No such file or directory"
    for name, shown in [
        (b"\xe9\x9b", "\\xE9\\x9B"),
        (b"a\nb\r\x1b[31m\x7f", "a\\x0Ab\\x0D\\x1B[31m\\x7F"),
        ("a\u202e\u2028\u0085\ufeff".encode(), "a\\u{202E}\\u{2028}\\u{85}\\u{FEFF}"),
        ("\u0600\U000e0041".encode(), "\\u{600}\\u{E0041}"),
        ("naïve 数字".encode(), "naïve 数字"),
    ]:
        fails(1, f"{shown}: {reason}", "info", name, cwd=tmp_path)
        fails(1, f"{shown}: {reason}", "test", name, cwd=tmp_path)
        message = f"Codes are written as .npy: end the name {shown} in that."
        fails(64, message, "encode", "x", "-o", name, cwd=tmp_path)
        fails(64, f"Unexpected argument '{shown}'", "info", "a", name)
    name = "\x1b[31mX\nY\u202e"
    steps = ["--hidden", 4, "--steps", 1, "--latent-size", 2]
    made = ok("train", shared / "hundred.idx", *steps, "--name", name, "-o", "a.aew", cwd=tmp_path)
    assert made.text.splitlines()[0].endswith("\\x1B[31mX\\x0AY\\u{202E}")
    assert json.loads(ok("info", "a.aew", "--json", cwd=tmp_path).out)["name"] == name


def test_json_is_utf8_whatever_the_name(tmp_path, shared):
    with open(os.fsencode(tmp_path) + b"/\xe9\n.idx", "wb") as file:
        file.write((shared / "hundred.idx").read_bytes())
    facts = json.loads(ok("info", b"\xe9\n.idx", "--json", cwd=tmp_path).out.decode("utf-8"))
    assert facts["file"] == "\\xE9\n.idx"
