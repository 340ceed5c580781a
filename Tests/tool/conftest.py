"""What the tests of the tool share: running it, and a few small models and image sets made once.

The tool is the one that AEZ names, else .build/release/aez.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOL = Path(os.environ.get("AEZ", ROOT / ".build/release/aez")).resolve()


@dataclass
class Run:
    """How a run of the tool ended."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()


def environment(**changes: str) -> dict[str, str]:
    """This process's environment without what would lead the tool to files of this machine."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("AE_") or k in ("AE_CPU", "AE_THREADS")}
    kept.pop("XDG_CACHE_HOME", None)
    kept["HOME"] = "/nonexistent"
    kept.update(changes)
    return kept


def run(*arguments, stdin: bytes = b"", cwd=None, env: dict[str, str] | None = None, timeout=300) -> Run:
    done = subprocess.run(
        [TOOL, *(each if isinstance(each, bytes) else str(each) for each in arguments)],
        input=stdin,
        capture_output=True,
        cwd=cwd,
        env=env or environment(),
        timeout=timeout,
        check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr.decode())


def ok(*arguments, **options) -> Run:
    """Runs the tool, which must succeed and say nothing on standard error."""
    done = run(*arguments, **options)
    assert (done.code, done.err) == (0, ""), (arguments, done)
    return done


def fails(code: int, message: str, *arguments, **options) -> Run:
    """Runs the tool, which must fail with this status, this message, and nothing on standard output."""
    done = run(*arguments, **options)
    assert done.code == code, (arguments, done)
    if code == 1:
        assert done.err == f"aez: {message}\n", (arguments, done)
    else:
        # After a mistake in the command comes how it is used.
        assert done.err.startswith(f"aez: {message}\n"), (arguments, done)
        assert "Usage: aez" in done.err
    assert done.out == b""
    return done


@pytest.fixture(scope="session")
def shared(tmp_path_factory) -> Path:
    """Files that tests read and none changes.

    digits.idx, labels.idx1   1000 drawn digits, their labels
    small.aew                 an elu autoencoder of 4 latents, trained a little
    vae.aew                   a variational one of 3
    set.aez, bare.aez         the first 100 digits with labels, with small.aew embedded and without
    """
    folder = tmp_path_factory.mktemp("shared")
    ok("draw", "-o", "digits.idx", "--labels", "labels.idx1", "--count", 1000, "--seed", 5, cwd=folder)
    train = ["--hidden", "24", "--steps", 300, "--batch-size", 50, "--quiet"]
    ok("train", "digits.idx", "-o", "small.aew", "--latent-size", 4, *train, "--name", "small", cwd=folder)
    ok("train", "digits.idx", "-o", "vae.aew", "--kind", "vae", "--latent-size", 3, *train, cwd=folder)
    ok("draw", "-o", "hundred.idx", "--labels", "hundred.idx1", "--count", 100, "--seed", 5, cwd=folder)
    compress = [
        "compress",
        "hundred.idx",
        "--model",
        "small.aew",
        "--labels",
        "hundred.idx1",
        "--block-images",
        16,
    ]
    ok(*compress, "-o", "set.aez", "--embed-model", cwd=folder)
    ok(*compress, "-o", "bare.aez", cwd=folder)
    return folder
