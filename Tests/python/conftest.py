"""Finds the library that was built, puts the package on the path, and trains the small models of the tests.

The library is LIBAE_LIBRARY, or .build/lib/libae.so as `make lib` leaves it. Without it nothing is tested,
and that is an error, not a skip.

With LIBAE_INSTALLED=1 the package that this Python has is tested, with its own library and models.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = Path(os.environ.get("LIBAE_LIBRARY") or ROOT / ".build" / "lib" / "libae.so").resolve()

if not LIBRARY.is_file():
    raise pytest.UsageError(f"{LIBRARY} is not there: run `make lib`, or set LIBAE_LIBRARY")
INSTALLED = os.environ.get("LIBAE_INSTALLED") == "1"
sys.path.insert(0, str(Path(__file__).parent))
if not INSTALLED:
    os.environ["LIBAE_LIBRARY"] = str(LIBRARY)
    os.environ.setdefault("AE_MODEL_PATH", str(ROOT / "models"))
    sys.path.insert(0, str(ROOT / "bindings" / "python" / "src"))

import libae  # noqa: E402
import strokes  # noqa: E402

# What an editable install leaves in the source folder would be tested instead.
if INSTALLED:
    if not Path(libae.library_path).resolve().is_relative_to(Path(sys.prefix).resolve()):
        raise pytest.UsageError(f"the package found {libae.library_path}, not that of {sys.prefix}")
elif Path(libae.library_path).resolve() != LIBRARY:
    raise pytest.UsageError(f"the package found {libae.library_path}, to be tested is {LIBRARY}")


def pytest_report_header() -> str:
    """Says what is tested."""
    return f"libae: {libae.library_path}\n  {libae.build_info()}"


# Not square, so that exchanged sides show.
HEIGHT, WIDTH = 12, 10


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def library() -> Path:
    """The shared library."""
    return LIBRARY


@pytest.fixture(scope="session")
def c_program(tmp_path_factory):
    """Makes the program of a C file of this folder, linked with the library."""

    def make(name: str) -> Path:
        made = tmp_path_factory.mktemp("program") / name
        command = [os.environ.get("CC", "cc"), "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
        command += ["-D_DEFAULT_SOURCE", f"-I{ROOT / 'include'}", Path(__file__).with_name(f"{name}.c"), "-o"]
        subprocess.run([*command, made, LIBRARY, f"-Wl,-rpath,{LIBRARY.parent}"], check=True)
        return made

    return make


@pytest.fixture(scope="session")
def images():
    """(700, 12, 10) uint8."""
    drawn = strokes.draw(700, HEIGHT, WIDTH, seed=1)
    drawn.setflags(write=False)
    return drawn


@pytest.fixture(scope="session")
def model(images):
    """A plain autoencoder with a codec; d = 6."""
    return libae.train(
        images, kind="elu", latent_size=6, hidden=(48,), steps=1500, seed=3, name="strokes", schedule="cosine"
    )


@pytest.fixture(scope="session")
def vae(images):
    """A variational autoencoder with a codec; d = 5."""
    return libae.train(images, kind="vae", latent_size=5, hidden=(40,), steps=400, seed=4)


@pytest.fixture(scope="session")
def int8(model):
    """`model`, stored as int8."""
    return libae.Model.open(model.to_bytes("int8"))


@pytest.fixture(scope="session")
def decoder(model):
    """The decoder of `model` alone."""
    return libae.Model.open(model.to_bytes(decoder_only=True))


@pytest.fixture(scope="session")
def packed(model, images):
    """`images` as an image set with labels, in blocks of 64."""
    return libae.compress(images, model, labels=np.arange(700) % 10, block_images=64)
