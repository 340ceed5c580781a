"""Kills the tool and the library at random moments while they write: each file is the old one or the new one.

    Tests/kill.py [COUNT [SEED]]

After each kill what is there must be whole, and after the next run, which is not killed, all that is there.
AEZ names the tool, LIBAE_LIBRARY the library; without the latter, saving through the library is left out, and
fetching without curl.
"""

import gzip
import hashlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOOL = Path(os.environ.get("AEZ", ROOT / ".build/release/aez")).resolve()
SAVE = """
import sys
sys.path.insert(0, sys.argv[1])
import libae
model = libae.Model.open("m.aew")
print("ready", flush=True)
for _ in range(int(sys.argv[2])):
    model.save("saved.aew")
"""
# A set, and the same with more images.
APPEND = """
import sys
sys.path.insert(0, sys.argv[1])
import libae
import numpy as np
rng = np.random.default_rng(1)
images = rng.integers(0, 256, (2000, 12, 12), np.uint8)
if sys.argv[2] == "begin":
    libae.compress_file("grown.aez", images, mode="lossless", method="contexts", block_images=100)
else:
    print("ready", flush=True)
    libae.append("grown.aez", images)
"""


def tool(*arguments: str) -> list[str]:
    return [str(TOOL), *arguments]


class Kind:
    """One way to write: its commands for an old and a new state of one output."""

    def __init__(self, folder: Path, name: str, output: str, old: list[str], new: list[str]) -> None:
        self.folder, self.name, self.output, self.old, self.new = folder, name, output, old, new
        self.states = []
        for command in [old, new]:
            self.finish(command)
            self.states.append(self.state())
        start = time.monotonic()
        self.finish(old)
        self.seconds = time.monotonic() - start
        self.others = self.listed()

    def finish(self, command: list[str]) -> None:
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)

    def state(self) -> dict[str, bytes]:
        path = self.folder / self.output
        if path.is_dir():
            entries = {name: path / name for name in os.listdir(path)}
            return {name: b"" if entry.is_dir() else entry.read_bytes() for name, entry in entries.items()}
        return {"": path.read_bytes()}

    def listed(self) -> list[str]:
        return sorted(os.listdir(self.folder))

    def kill(self, chance: random.Random) -> bool:
        """One kill. Returns whether it left something behind for the next run to remove."""
        process = subprocess.Popen(
            self.new, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(chance.uniform(0, 1.1 * self.seconds))
        process.kill()
        process.wait()
        old, new = self.states
        for name, content in self.state().items():
            if name.startswith(".aez-"):
                continue
            whole = [state[name] for state in self.states if name in state]
            assert content in whole, f"{self.name}: {name or self.output} is neither the old nor the new"
        left = self.listed() != self.others or any(name.startswith(".aez-") for name in self.state())
        self.finish(self.old)
        assert self.state() == old, f"{self.name}: the next run wrote something else"
        assert self.listed() == self.others, f"{self.name}: {set(self.listed()) - set(self.others)} is left"
        return left


class New(Kind):
    """One that makes what is not there: it is whole or missing."""

    def kill(self, chance: random.Random) -> bool:
        path = self.folder / self.output
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        process = subprocess.Popen(
            self.new, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(chance.uniform(0, 1.1 * self.seconds))
        process.kill()
        process.wait()
        if path.exists():
            assert self.state() in self.states, f"{self.name}: {self.output} is torn"
        left = [name for name in self.listed() if name.startswith(".aez-")]
        self.finish(self.old)
        assert self.listed() == self.others, f"{self.name}: {set(self.listed()) - set(self.others)} is left"
        return bool(left)


class Fetch(New):
    """Fetching four files: each is whole or missing, but for what is fetched yet and is called so."""

    def __init__(self, folder: Path) -> None:
        names = [
            f"{part}-{what}-ubyte" for part in ["train", "t10k"] for what in ["images-idx3", "labels-idx1"]
        ]
        pixels = random.Random(1).randbytes(28 * 28 * 400)
        plain = {}
        for name in names:
            sizes = [400, 28, 28] if "images" in name else [400]
            head = bytes([0, 0, 8, len(sizes)]) + b"".join(size.to_bytes(4, "big") for size in sizes)
            plain[name] = head + (pixels if "images" in name else bytes(400))
        self.files = {f"{name}.gz": gzip.compress(data, mtime=0) for name, data in plain.items()}
        files = self.files

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                data = files[self.path.lstrip("/")]
                wanted = self.headers.get("Range")
                start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
                if start >= len(data):
                    self.send_error(416)
                    return
                self.send_response(206 if wanted else 200)
                if wanted:
                    self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
                self.send_header("Content-Length", str(len(data) - start))
                self.end_headers()
                # Slowly, so that kills find it under way.
                try:
                    for at in range(start, len(data), 1 << 14):
                        self.wfile.write(data[at : at + (1 << 14)])
                        time.sleep(0.002)
                except OSError:
                    pass

            def log_message(self, *_: object) -> None:
                """Silent."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in plain.items())
        (folder / "sums.txt").write_text(sums)
        mirror = f"http://127.0.0.1:{server.server_port}"
        command = tool("fetch", "mnist", "--mirror", mirror, "--sums", "sums.txt", "--into", "data", "-q")
        super().__init__(folder, "fetch", "data", command, command)

    def kill(self, chance: random.Random) -> bool:
        path = self.folder / self.output
        shutil.rmtree(path)
        process = subprocess.Popen(
            self.new, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(chance.uniform(0, 1.1 * self.seconds))
        process.kill()
        process.wait()
        there = self.state() if path.exists() else {}
        for name, content in there.items():
            if name in self.states[0]:
                assert content == self.states[0][name], f"fetch: {name} is torn"
        self.finish(self.old)
        assert self.state() == self.states[0], f"fetch: {set(self.state()) - set(self.states[0])} is left"
        return any(name not in self.states[0] for name in there)


def kinds(folder: Path) -> list[Kind]:
    for name, seed in [("a.idx", "1"), ("b.idx", "2")]:
        draw = tool("draw", "-q", "-o", name, "--count", "150", "--seed", seed)
        subprocess.run(draw, cwd=folder, check=True)
        subprocess.run(tool("compress", "-q", name, "-o", name + ".aez"), cwd=folder, check=True)
    train = ["--hidden", "8", "--latent", "2", "--steps", "40", "--batch", "20", "-q", "-f"]
    train += ["--checkpoint", "t.checkpoint", "--checkpoint-every", "5"]
    subprocess.run(tool("train", "a.idx", *train, "-o", "m.aew"), cwd=folder, check=True)

    def pair(first: list[str], second: list[str]) -> tuple[list[str], list[str]]:
        return tool(*first), tool(*second)

    def decompress(output: str) -> tuple[list[str], list[str]]:
        return pair(*(["decompress", "-q", "-f", f"{name}.idx.aez", "-o", output] for name in "ab"))

    compress = pair(*(["compress", "-q", "-f", f"{name}.idx", "-o", "set.aez"] for name in "ab"))
    training = pair(*(["train", f"{name}.idx", *train, "-o", "t.aew"] for name in "ab"))
    result = [
        Kind(folder, "compress", "set.aez", *compress),
        Kind(folder, "decompress to a file", "out.idx", *decompress("out.idx")),
        Kind(folder, "decompress into a folder", "out", *decompress("out/")),
        New(folder, "decompress to a new folder", "new", *decompress("new/")),
        Kind(folder, "train", "t.aew", *training),
    ]
    if os.environ.get("LIBAE_LIBRARY"):
        package = str(ROOT / "bindings/python/src")
        save = [[sys.executable, "-c", SAVE, package, count] for count in ["1", "200"]]
        result.append(Kind(folder, "save through the library", "saved.aew", *save))
        append = [[sys.executable, "-c", APPEND, package, what] for what in ["begin", "go on"]]
        result.append(Kind(folder, "append through the library", "grown.aez", *append))
    if shutil.which("curl"):
        result.append(Fetch(folder))
    return result


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    chance = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    folder = Path(tempfile.mkdtemp(prefix="aez-kill-"))
    try:
        made = kinds(folder)
        for kind in made:
            kind.others = kind.listed()
        left = {kind.name: [0, 0] for kind in made}
        for index in range(count):
            kind = made[index % len(made)]
            left[kind.name][0] += 1
            left[kind.name][1] += kind.kill(chance)
        for name, (kills, litter) in left.items():
            print(f"{name}: {kills} kills, {litter} left something, which the next run removed")
        print(f"{count} kills: old or new, nothing torn, nothing left after the next run")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
