"""Fetching from a server on loopback: sums, resuming, servers that cannot resume, and bad ones."""

import gzip
import hashlib
import json
import os
import shutil
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from conftest import environment, fails, ok, run
from imagefiles import idx

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="fetching needs curl")

NAMES = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
]


class Mirror:
    """A server of files that counts, and misbehaves when told to."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.can_resume = True
        self.cut_after: int | None = None
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name, wanted = self.path.lstrip("/"), self.headers.get("Range")
                mirror.requests.append((name, wanted))
                data = mirror.files.get(name)
                if data is None:
                    self.send_error(404)
                    return
                start = 0
                if wanted and mirror.can_resume:
                    start = int(wanted.removeprefix("bytes=").rstrip("-"))
                    if start >= len(data):
                        self.send_error(416)
                        return
                    self.send_response(206)
                    self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
                else:
                    self.send_response(200)
                self.send_header("Content-Length", str(len(data) - start))
                self.end_headers()
                self.wfile.write(data[start : mirror.cut_after])

            def log_message(self, *_) -> None:
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def mirror(tmp_path):
    """A mirror with four small files, and their sums in sums.txt."""
    served = Mirror()
    rng = np.random.default_rng(8)
    lines = []
    for name in NAMES:
        count = 60 if name.startswith("train") else 20
        array = rng.integers(0, 256, (count, 28, 28) if "images" in name else count)
        served.files[f"{name}.gz"] = gzip.compress(idx(array), mtime=0)
        lines.append(f"{hashlib.sha256(idx(array)).hexdigest()}  {name}\n")
    (tmp_path / "sums.txt").write_text("".join(lines))
    yield served
    served.server.shutdown()
    served.server.server_close()


def fetch(mirror_url, *arguments, **options):
    return ["fetch", "mnist", "--mirror", mirror_url, "--sums", "sums.txt", "--into", "data", *arguments]


def test_four_files_are_fetched_once(tmp_path, mirror):
    facts = json.loads(ok(*fetch(mirror.url), "--json", cwd=tmp_path).out)
    assert list(facts) == ["folder", "files"]
    assert [f["name"] for f in facts["files"]] == NAMES
    assert all(f["fetched"] for f in facts["files"])
    for name in NAMES:
        assert (tmp_path / f"data/{name}.gz").read_bytes() == mirror.files[f"{name}.gz"]
    assert len(os.listdir(tmp_path / "data")) == 4
    count = len(mirror.requests)
    report = ok(*fetch(mirror.url), cwd=tmp_path)
    assert report.text.count("was there") == 4
    assert len(mirror.requests) == count
    # And they are what other commands take.
    facts = json.loads(ok("info", "data", "--split", "test", "--json", cwd=tmp_path).out)
    assert (facts["images"], facts["has_labels"]) == (20, True)


def test_the_cache_is_where_other_commands_look(tmp_path, mirror):
    """With the right sums the files go to the cache; here they are put there to be found."""
    cache = tmp_path / "cache/libae/mnist"
    ok("fetch", "mnist", "--mirror", mirror.url, "--sums", "sums.txt", "--into", cache, cwd=tmp_path)
    env = environment(XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert json.loads(ok("info", "mnist:train", "--json", env=env).out)["images"] == 60
    home = tmp_path / "home/.cache/libae"
    home.mkdir(parents=True)
    os.rename(cache, home / "mnist")
    env = environment(HOME=str(tmp_path / "home"))
    assert json.loads(ok("info", "mnist:train", "--json", env=env).out)["images"] == 60


def test_an_interrupted_download_goes_on(tmp_path, mirror):
    name = f"{NAMES[0]}.gz"
    mirror.cut_after = 1000
    done = run(*fetch(mirror.url), cwd=tmp_path)
    assert (done.code, done.out) == (1, b"")
    url = f"{mirror.url}/{name}"
    assert done.err == f"aez: {NAMES[0]}: could not be fetched: {url}: the transfer was cut off\n"
    assert (tmp_path / f"data/{name}.part").read_bytes() == mirror.files[name][:1000]
    assert os.listdir(tmp_path / "data") == [f"{name}.part"]
    mirror.cut_after = None
    mirror.requests.clear()
    ok(*fetch(mirror.url), cwd=tmp_path)
    assert mirror.requests[0] == (name, "bytes=1000-")
    assert (tmp_path / f"data/{name}").read_bytes() == mirror.files[name]
    assert len(os.listdir(tmp_path / "data")) == 4


def test_a_server_that_cannot_resume_is_asked_for_all(tmp_path, mirror):
    name = f"{NAMES[0]}.gz"
    (tmp_path / "data").mkdir()
    (tmp_path / f"data/{name}.part").write_bytes(mirror.files[name][:1000])
    mirror.can_resume = False
    ok(*fetch(mirror.url), cwd=tmp_path)
    assert (tmp_path / f"data/{name}").read_bytes() == mirror.files[name]


@pytest.mark.parametrize("part", ["wrong", "whole", "longer"])
def test_a_part_of_something_else_is_dropped(tmp_path, mirror, part):
    name = f"{NAMES[0]}.gz"
    data = mirror.files[name]
    (tmp_path / "data").mkdir()
    kept = {"wrong": b"x" * 1000, "whole": data, "longer": data + b"x" * 10}[part]
    (tmp_path / f"data/{name}.part").write_bytes(kept)
    ok(*fetch(mirror.url), cwd=tmp_path)
    assert (tmp_path / f"data/{name}").read_bytes() == data
    asked = [wanted for asked, wanted in mirror.requests if asked == name]
    assert (
        asked
        == {"wrong": ["bytes=1000-", None], "whole": [], "longer": [f"bytes={len(data) + 10}-", None]}[part]
    )


def test_a_corrupted_file_is_refused_and_the_next_mirror_tried(tmp_path, mirror):
    good = dict(mirror.files)
    bad = gzip.compress(b"not what was asked for", mtime=0)
    mirror.files[f"{NAMES[1]}.gz"] = bad
    done = run(*fetch(mirror.url), cwd=tmp_path)
    wrong = hashlib.sha256(b"not what was asked for").hexdigest()
    right = hashlib.sha256(gzip.decompress(good[f"{NAMES[1]}.gz"])).hexdigest()
    url = f"{mirror.url}/{NAMES[1]}.gz"
    message = f"{NAMES[1]}: could not be fetched: {url}: its SHA-256 is {wrong}, {right} expected"
    assert (done.code, done.out, done.err) == (1, b"", f"aez: {message}\n")
    assert os.listdir(tmp_path / "data") == [f"{NAMES[0]}.gz"]
    second = Mirror()
    second.files = good
    ok(*fetch(mirror.url), "--mirror", second.url, cwd=tmp_path)
    assert (tmp_path / f"data/{NAMES[1]}.gz").read_bytes() == good[f"{NAMES[1]}.gz"]
    second.server.shutdown()
    second.server.server_close()


def test_a_cut_gzip_file_is_refused(tmp_path, mirror):
    name = f"{NAMES[0]}.gz"
    mirror.files[name] = mirror.files[name][:-20]
    done = run(*fetch(mirror.url), cwd=tmp_path)
    assert done.code == 1
    assert "the compressed bytes are cut short" in done.err
    assert os.listdir(tmp_path / "data") == []


def test_a_damaged_file_that_was_there_is_fetched_again(tmp_path, mirror):
    ok(*fetch(mirror.url), cwd=tmp_path)
    path = tmp_path / f"data/{NAMES[2]}.gz"
    path.write_bytes(path.read_bytes()[:-1])
    report = ok(*fetch(mirror.url), cwd=tmp_path)
    assert report.text.count("was there") == 3
    assert path.read_bytes() == mirror.files[f"{NAMES[2]}.gz"]


def test_mirrors_come_from_the_environment(tmp_path, mirror):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    arguments = ["fetch", "mnist", "--sums", "sums.txt", "--into", "data"]
    ok(*arguments, cwd=tmp_path, env=environment(AE_MNIST_MIRROR=f"{nobody} {mirror.url}/"))
    message = f"{NAMES[0]}: could not be fetched: {nobody}/{NAMES[0]}.gz: cannot connect"
    (tmp_path / f"data/{NAMES[0]}.gz").unlink()
    fails(1, message, *arguments, cwd=tmp_path, env=environment(AE_MNIST_MIRROR=nobody))


def test_what_a_mirror_does_not_have_is_told(tmp_path, mirror):
    mirror.files.clear()
    url = f"{mirror.url}/{NAMES[0]}.gz"
    message = f"{NAMES[0]}: could not be fetched: {url}: the server refused, or does not have it"
    fails(1, message, *fetch(mirror.url), cwd=tmp_path)


def test_the_sums_of_mnist_itself_are_the_default(tmp_path, mirror):
    done = run("fetch", "mnist", "--mirror", mirror.url, "--into", "data", cwd=tmp_path)
    assert done.code == 1
    assert "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db expected" in done.err


def test_bad_sums_and_places(tmp_path, mirror):
    fails(
        64,
        "--sums is for another set than MNIST: say with --into where it goes.",
        "fetch",
        "mnist",
        "--sums",
        "x",
    )
    (tmp_path / "sums.txt").write_text("hello\n")
    fails(1, "sums.txt: line 1 is not a SHA-256 and a name", *fetch(mirror.url), cwd=tmp_path)
    (tmp_path / "sums.txt").write_text("0" * 64 + "  other\n")
    message = f"sums.txt: sums of {', '.join(NAMES)} expected, each once"
    fails(1, message, *fetch(mirror.url), cwd=tmp_path)
    (tmp_path / "data").write_bytes(b"")
    fails(1, "data: cannot make the folder: File exists", "fetch", "mnist", "--into", "data/x", cwd=tmp_path)
    env = environment()
    del env["HOME"]
    fails(1, "there is no HOME to keep a cache in: say --into", "fetch", "mnist", env=env)
    env = environment(PATH=str(Path("/nonexistent")))
    done = run("fetch", "mnist", "--into", tmp_path / "y", "--mirror", mirror.url, env=env)
    assert (done.code, done.err) == (1, "aez: cannot run curl: No such file or directory\n")


def test_a_server_that_does_not_end_is_cut_off(tmp_path, mirror):
    """The files of MNIST have sizes that are known; of other sets a file has at most 256 MB."""
    name = f"{NAMES[0]}.gz"
    mirror.files[name] = bytes(48 << 20)
    arguments = ["fetch", "mnist", "--mirror", mirror.url, "--into", "data"]
    url = f"{mirror.url}/{name}"
    message = f"{NAMES[0]}: could not be fetched: {url}: it sends more than 47,105,552 bytes"
    fails(1, message, *arguments, cwd=tmp_path)
    assert os.listdir(tmp_path / "data") == []
