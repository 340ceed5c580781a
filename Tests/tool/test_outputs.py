"""What is written where: no output lost, mixed up, or half-done; nothing removed that is not the tool's."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import TOOL, environment, fails, ok, run
from imagefiles import png, read_idx


def shell(command: str, cwd: Path) -> subprocess.CompletedProcess:
    words = ["bash", "-c", command, "bash", str(TOOL)]
    return subprocess.run(words, cwd=cwd, env=environment(), capture_output=True, check=False)


@pytest.fixture
def digits(tmp_path) -> Path:
    ok("draw", "-o", "d.idx", "--count", 5, "--quiet", cwd=tmp_path)
    return tmp_path


def test_closed_standard_descriptors_are_not_reused(tmp_path, shared):
    damaged = bytearray((shared / "bare.aez").read_bytes())
    damaged[-100] ^= 1
    (tmp_path / "bad.aez").write_bytes(damaged)
    model = shared / "small.aew"
    salvage = ["decompress", "bad.aez", "--model", model, "--salvage"]
    expected = run(*salvage, "-o", "whole.idx", cwd=tmp_path)
    assert expected.code == 1
    assert "1 part damaged" in expected.err
    for closed in [">&- 2>&-", "2>&-", "<&- >&- 2>&-"]:
        done = shell(f'"$1" decompress bad.aez --model {model} --salvage --force -o o.idx {closed}', tmp_path)
        assert done.returncode == 1
        assert (tmp_path / "o.idx").read_bytes() == (tmp_path / "whole.idx").read_bytes()
    done = shell('"$1" draw --count 2 -o - >&-', tmp_path)
    assert done.returncode == 1
    assert done.stderr == b"aez: standard output: cannot write: Bad file descriptor\n"
    done = shell('"$1" info - <&-', tmp_path)
    assert done.returncode == 1


def test_one_file_twice_is_refused_by_any_name(digits):
    (digits / "a.idx").write_bytes(b"dear")
    os.symlink("a.idx", digits / "link.idx")
    os.link(digits / "a.idx", digits / "hard.idx")
    os.symlink("new.idx", digits / "dangling.idx")
    os.symlink(".", digits / "here")
    for first, second in [
        ("a.idx", "a.idx"),
        ("a.idx", "./a.idx"),
        ("a.idx", "link.idx"),
        ("link.idx", "hard.idx"),
        ("new.idx", "here/new.idx"),
        ("dangling.idx", "new.idx"),
        ("-", "/dev/stdout"),
    ]:
        for option in ["--labels", "--parameters"]:
            done = run("draw", "-f", "-o", first, option, second, cwd=digits)
            assert (done.code, done.out) == (64, b""), (first, second, done)
            assert "are one file, and two are to be written" in done.err
    done = run("train", "d.idx", "-o", "m", "--checkpoint", "m", cwd=digits)
    assert (done.code, done.out) == (64, b"")
    (digits / "out").mkdir()
    done = run("draw", "-o", "out/", "--labels", "out/l", cwd=digits)
    assert "out/l is inside of the folder out/" in done.err
    names = ["a.idx", "d.idx", "dangling.idx", "hard.idx", "here", "link.idx", "out"]
    assert sorted(os.listdir(digits)) == names
    assert os.listdir(digits / "out") == []
    assert (digits / "a.idx").read_bytes() == b"dear"
    # A device loses nothing.
    ok("draw", "-o", "/dev/null", "--as", "idx", "--labels", "/dev/null", "--quiet", cwd=digits)


def test_what_is_read_is_not_written_over(digits, shared):
    before = (digits / "d.idx").read_bytes()
    os.link(digits / "d.idx", digits / "hard")
    for output in ["d.idx", "./d.idx", "hard"]:
        done = run("compress", "d.idx", "--exact", "-f", "-o", output, cwd=digits)
        assert (done.code, done.out) == (64, b"")
        assert "is what is read" in done.err
    (digits / "m.aew").write_bytes((shared / "small.aew").read_bytes())
    assert run("export", "m.aew", "-f", "--storage", "int8", "-o", "m.aew", cwd=digits).code == 64
    assert (digits / "d.idx").read_bytes() == before


SPELLINGS = ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "//dev/../dev/stdout", "link"]


@pytest.mark.parametrize("path", SPELLINGS)
def test_no_report_among_data(digits, path):
    os.symlink("/dev/stdout", digits / "link")
    expected = ok("compress", "d.idx", "--exact", "-o", "-", cwd=digits).out
    assert ok("compress", "d.idx", "--exact", "-o", path, cwd=digits).out == expected
    done = run("compress", "d.idx", "--exact", "--json", "-o", path, cwd=digits)
    assert (done.code, done.out) == (64, b"")
    with open(digits / "regular", "wb") as file:
        command = [TOOL, "compress", "d.idx", "--exact", "-o", path]
        subprocess.run(command, stdout=file, cwd=digits, check=True)
    assert (digits / "regular").read_bytes() == expected
    labels = ok("draw", "--count", 5, "-o", "other.idx", "--labels", path, cwd=digits).out
    assert len(read_idx(labels)) == 5


def test_a_pipe_with_a_name_gets_data_alone(digits):
    os.mkfifo(digits / "pipe")
    expected = ok("compress", "d.idx", "--exact", "-o", "-", cwd=digits).out
    done = shell('cat pipe > got & "$1" compress d.idx --exact -o pipe > pipe; wait', digits)
    assert done.returncode == 0, done
    assert (digits / "got").read_bytes() == expected
    fails_at = run("compress", "d.idx", "--exact", "-o", "/dev/stderr", cwd=digits)
    assert fails_at.code == 64
    assert "is standard error, where messages go" in fails_at.err


def test_nothing_that_is_not_the_tools_is_removed(digits):
    for name, make in [
        (".git", Path.mkdir),
        (".hidden", Path.touch),
        ("x.png", Path.mkdir),
        (".x.png", Path.touch),
        ("notes.txt", Path.touch),
    ]:
        folder = digits / f"of{name}"
        folder.mkdir()
        make(folder / name)
        message = f"{folder.name}: exists already and is not empty (--force replaces a folder of pictures)"
        fails(1, message, "draw", "-o", folder.name, "--count", 2, cwd=digits)
        message = f"{folder.name}: holds more than pictures, such as {name}, and is not replaced"
        fails(1, message, "draw", "-o", folder.name, "--count", 2, "--force", cwd=digits)
        assert os.listdir(folder) == [name]
    ok("draw", "-o", "out/", "--count", 4, "--quiet", cwd=digits)
    (digits / "out/mine.png").write_bytes(png(np.zeros((28, 28))))
    message = (
        "out: holds mine.png, which is not among what is to be written, and which aez has not written: "
        "move it away, or name another folder"
    )
    fails(1, message, "draw", "-o", "out", "--count", 2, "--force", cwd=digits)
    (digits / "out/mine.png").unlink()
    # Written by the tool, and changed since.
    (digits / "out/00003.png").write_bytes(png(np.ones((28, 28))))
    message = message.replace("mine.png", "00003.png")
    fails(1, message, "draw", "-o", "out", "--count", 2, "--force", cwd=digits)
    assert len(os.listdir(digits / "out")) == 5
    # Under a name that is to be written, it is what --force is for.
    ok("draw", "-o", "out", "--count", 4, "--force", "--quiet", cwd=digits)
    ok("draw", "-o", "out", "--count", 2, "--force", "--quiet", cwd=digits)
    assert sorted(os.listdir(digits / "out")) == ["00000.png", "00001.png", "labels-idx1-ubyte"]


def test_a_folder_that_is_there_is_filled_where_it_is(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    folder.chmod(0o2750)
    inode = folder.stat().st_ino
    os.symlink("out", tmp_path / "link")
    draw = ["draw", "--count", 2, "--quiet", "-o"]
    ok(*draw, "link/", cwd=tmp_path)
    assert (folder.stat().st_ino, folder.stat().st_mode & 0o7777) == (inode, 0o2750)
    (folder / "00001.png").chmod(0o640)
    ok(*draw, "link", "--force", cwd=tmp_path)
    assert (folder / "00001.png").stat().st_mode & 0o7777 == 0o640
    here = tmp_path / "here"
    here.mkdir()
    ok(*draw, ".", cwd=here)
    assert len(os.listdir(here)) == 3
    ok(*draw, "n" * 255, "--as", "png", cwd=tmp_path)
    ok(*draw, "m" * 251 + ".idx", cwd=tmp_path)
    message = f"{'n' * 256}: a name of a folder has at most 255 bytes"
    fails(1, message, *draw, "n" * 256, "--as", "png", cwd=tmp_path)


def test_signals_that_stop_and_signals_that_are_ignored(digits):
    endless = [TOOL, "train", "d.idx", "--steps", str(1 << 30), "--hidden", "4", "--latent-size", "2"]

    def start(output: str, **options) -> subprocess.Popen:
        command = [*endless, "-o", output, "--checkpoint-every", "1"]
        process = subprocess.Popen(
            command, cwd=digits, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options
        )
        for _ in range(200):
            if (digits / f"{output}.checkpoint").exists():
                return process
            time.sleep(0.05)
        raise AssertionError("no checkpoint")

    for number in [signal.SIGHUP, signal.SIGTERM, signal.SIGINT]:
        process = start(f"s{number}")
        process.send_signal(number)
        assert process.wait(30) == 1
        assert b"go on with" in process.stderr.read()
        # As nohup does.
        ignore = {"preexec_fn": lambda number=number: signal.signal(number, signal.SIG_IGN)}
        process = start(f"i{number}", **ignore)
        process.send_signal(number)
        time.sleep(0.3)
        assert process.poll() is None
        process.send_signal(signal.SIGQUIT)
        assert process.wait(30) == -signal.SIGQUIT
        assert process.stderr.read() == b""
    assert not [name for name in os.listdir(digits) if name.startswith(".aez")]


def test_a_limit_on_the_size_of_files_is_an_error(digits):
    done = shell('ulimit -f 1; "$1" draw --count 100 -o a.idx', digits)
    assert (done.returncode, done.stderr) == (1, b"aez: a.idx: cannot write: File too large\n")
    assert os.listdir(digits) == ["d.idx"]


def test_the_next_run_removes_what_killed_ones_left(digits):
    """A leftover has no lock; one of a run under way has."""
    ok("draw", "-o", "out/", "--count", 2, "--quiet", cwd=digits)
    process = subprocess.Popen([TOOL, "draw", "-f", "-o", "out/", "--count", "20000"], cwd=digits)
    left = []
    for _ in range(400):
        left = [name for name in os.listdir(digits / "out") if name.startswith(".aez-")]
        if left:
            break
        time.sleep(0.01)
    assert left
    process.kill()
    process.wait()
    assert set(os.listdir(digits / "out")) >= set(left)
    facts = json.loads(ok("draw", "-f", "-o", "out/", "--count", 2, "--json", cwd=digits).out)
    assert facts["images"] == 2
    assert len(os.listdir(digits / "out")) == 3
