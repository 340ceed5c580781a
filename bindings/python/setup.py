"""Puts libae.so and the models that come with it into the package, building the library where there is none.

Everything else about the package stands in pyproject.toml. The library comes from the first of:

1. LIBAE_PREBUILT, a path to libae.so or to the folder that holds it;
2. .build/lib/ of the checkout that this folder is part of;
3. `make lib` in that checkout, which takes a Swift toolchain.

The models are those of the folder that LIBAE_MODELS names, of the checkout, or of the installation that
LIBAE_PREBUILT is part of. In the package they lie where the library itself looks for them: in
share/libae/models, beside the library's folder.

With LIBAE_SYSTEM=1 the package carries neither, for distributions that have libae.so as a package of its own:
it is then for any machine, and opens the system's library.

What is missing is said in one line, and without a traceback: whoever runs pip is to read what to do.

The checkout is found from LIBAE_ROOT, from where this file is, or, if the build runs in a copy of this
folder, from the folder that it was started in.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.dist import Distribution

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:  # setuptools before 70.1, as distributions have it
    from wheel.bdist_wheel import bdist_wheel

LIBRARY = "libae.dylib" if sys.platform == "darwin" else "libae.so"
# In the package: the folder of the library, and that of the models, which the library finds from there.
LIBRARY_FOLDER = "_lib"
MODEL_FOLDER = "share/libae/models"
# Of the examples; no set needs it.
LEFT_OUT = {"conv-vae.aew"}
# Whether the library is the system's.
IS_SYSTEM = os.environ.get("LIBAE_SYSTEM", "") not in ("", "0")


def checkout() -> "Path | None":
    """The root of the repository, or None."""
    named = os.environ.get("LIBAE_ROOT")
    starts = [Path(named)] if named else [Path(__file__).resolve().parent]
    if not named and os.environ.get("PWD"):
        starts.append(Path(os.environ["PWD"]))
    for start in starts:
        for folder in (start, *start.parents):
            if (folder / "include" / "ae.h").is_file() and (folder / "Package.swift").is_file():
                return folder
    return None


def make_library(root: Path) -> None:
    """Runs `make lib`, or ends with a line that says what is missing for it."""
    instead = f"or set LIBAE_PREBUILT to a {LIBRARY} that is built"
    tools = {
        "make": "make (of build-essential)",
        os.environ.get("SWIFT") or "swift": "a Swift toolchain, 6.3 or later (https://swift.org/install)",
    }
    for tool, what in tools.items():
        if shutil.which(tool) is None:
            raise SystemExit(f"libae: no {tool} here to build {LIBRARY} with: install {what}, {instead}")
    if subprocess.run(["make", "-C", str(root), "lib"]).returncode != 0:
        raise SystemExit(f"libae: make lib failed in {root}, see above: mend that, {instead}")


def library() -> Path:
    """Path of the shared library, which is built if it has to be."""
    named = os.environ.get("LIBAE_PREBUILT")
    if named:
        path = Path(named) / LIBRARY if Path(named).is_dir() else Path(named)
        if not path.is_file():
            raise SystemExit(f"libae: LIBAE_PREBUILT={named}: no {LIBRARY} there")
        return path
    root = checkout()
    if root is None:
        raise SystemExit(
            f"libae: these are the Python files alone, without {LIBRARY}, which is written in Swift: "
            f"install a wheel (pip install --only-binary libae libae), or set LIBAE_PREBUILT to a {LIBRARY}, "
            f"or LIBAE_ROOT to a checkout of libae, where make lib builds it with Swift 6.3 or later"
        )
    path = root / ".build" / "lib" / LIBRARY
    if not path.is_file():
        make_library(root)
    if not path.is_file():
        raise SystemExit(f"libae: make lib did not make {path}")
    return path


def models() -> "list[Path]":
    """Paths of the weights that come with the package."""
    named = os.environ.get("LIBAE_MODELS")
    root = checkout()
    if named:
        folders = [Path(named)]
    else:
        beside = library().resolve().parent
        folders = [root / "models"] if root else []
        folders += [up / "share" / "libae" / "models" for up in list(beside.parents)[:2]]
    found = next((files for folder in folders if (files := sorted(folder.glob("*.aew")))), [])
    if not found:
        raise SystemExit(
            f"libae: no models: set LIBAE_MODELS to a folder of weight files, or LIBAE_ROOT to a checkout of "
            f"libae (looked at {', '.join(map(str, folders))})"
        )
    return [path for path in found if path.name not in LEFT_OUT]


def carried() -> "list[tuple[Path, str]]":
    """What goes into the package beside the Python files: each file, and its name there."""
    if IS_SYSTEM:
        return []
    # Resolved, since libae.so is a link to the file that carries the version.
    pairs = [(library().resolve(), f"{LIBRARY_FOLDER}/{LIBRARY}")]
    return pairs + [(path, f"{MODEL_FOLDER}/{path.name}") for path in models()]


class BuildWithLibrary(build_py):
    """Copies the library and the models into the package."""

    def run(self) -> None:
        # What an earlier build left behind would go into the wheel.
        if not self.editable_mode:
            shutil.rmtree(Path(self.build_lib) / "libae", ignore_errors=True)
        super().run()
        # An editable install runs from the source folder, so that is where they have to be.
        package = Path(self.get_package_dir("libae") if self.editable_mode else self.build_lib + "/libae")
        for folder in (LIBRARY_FOLDER, MODEL_FOLDER):
            shutil.rmtree(package / folder, ignore_errors=True)
        # Anew, not written over: a process that has the old one loaded keeps it.
        for source, name in carried():
            (package / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, package / name)

    def get_outputs(self, include_bytecode: bool = True) -> "list[str]":
        folder = os.path.join(self.build_lib, "libae")
        return [
            *super().get_outputs(include_bytecode),
            *(os.path.join(folder, name) for _, name in carried()),
        ]


class PlatformWheel(bdist_wheel):
    """Any Python 3, this kind of machine: ctypes needs no interpreter's ABI, the library has its own."""

    def get_tag(self) -> "tuple[str, str, str]":
        return "py3", "none", "any" if IS_SYSTEM else super().get_tag()[2]


class PlatformDistribution(Distribution):
    """Tells that the wheel is not for every machine, if it carries the library."""

    def has_ext_modules(self) -> bool:
        return not IS_SYSTEM


setup(
    cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": PlatformWheel},
    distclass=PlatformDistribution,
)
