"""The package as pip makes it: what the wheel carries, and that it works far from the checkout."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import libae
import numpy as np
import pytest

# In the working folder of a checkout these may be there from an editable install.
LEFT_OUT = shutil.ignore_patterns("libae.so", "default.aew", "*.egg-info", "build", "__pycache__")

STUB = """\
lib:
\tmkdir -p .build/lib
\tcp {library} .build/lib/libae.so
\techo made >made
"""


def build(folder: Path, wheels: Path, **environment) -> subprocess.CompletedProcess:
    """Runs `pip wheel` without a network, with the setuptools of the tests' environment."""
    base = {name: value for name, value in os.environ.items() if not name.startswith(("LIBAE_", "PIP_"))}
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
    return subprocess.run(
        [*command, "--no-build-isolation", "--wheel-dir", str(wheels), str(folder)],
        env={**base, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **environment},
        cwd=wheels,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def sources(root, tmp_path_factory):
    """bindings/python, by itself: what a build in a temporary copy sees."""
    return Path(
        shutil.copytree(
            root / "bindings" / "python", tmp_path_factory.mktemp("copy") / "python", ignore=LEFT_OUT
        )
    )


@pytest.fixture(scope="module")
def weights(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "some.aew"
    model.save(path, storage="int8")
    return path


@pytest.fixture(scope="module")
def wheel(sources, library, weights, tmp_path_factory):
    """A wheel from a library that was built before."""
    place = tmp_path_factory.mktemp("wheels")
    done = build(
        sources, place, LIBAE_PREBUILT=str(library.parent), LIBAE_DEFAULT_MODEL=str(weights), PWD="/"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = place.iterdir()
    return made


def test_the_wheel_is_for_any_python_3_on_this_kind_of_machine(wheel):
    name, version, python, abi, platform = wheel.stem.split("-")
    assert (name, version, python, abi) == ("libae", libae.__version__, "py3", "none")
    assert platform.startswith(("linux_", "manylinux", "macosx"))


def test_the_wheel_carries_the_library_and_the_model(wheel, library, weights, root):
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if name.startswith("libae/")}
        assert archive.read("libae/libae.so") == library.read_bytes()
        assert archive.read("libae/default.aew") == weights.read_bytes()
        record = archive.read(f"libae-{libae.__version__}.dist-info/RECORD").decode()
    python = {f"libae/{path.name}" for path in (root / "bindings" / "python" / "src" / "libae").glob("*.py")}
    assert names == python | {"libae/libae.so", "libae/default.aew", "libae/py.typed"}
    assert all(name in record for name in names)


def test_the_installed_package_works_by_itself(wheel, model, images, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    np.save(tmp_path / "images.npy", images)
    program = (
        "import numpy, libae; images = numpy.load('images.npy'); packed = libae.compress(images); "
        "print(libae.library_path); print(libae.default_model().info.hash); "
        "open('set.aez', 'wb').write(packed); numpy.save('back.npy', libae.decompress(packed))"
    )
    base = {name: value for name, value in os.environ.items() if not name.startswith("LIBAE_")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**base, "PYTHONPATH": str(tmp_path / "site")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(tmp_path / "site" / "libae" / "libae.so"), model.info.hash]
    packed = (tmp_path / "set.aez").read_bytes()
    assert packed == libae.compress(images, model)
    np.testing.assert_array_equal(np.load(tmp_path / "back.npy"), libae.decompress(packed, model))


def make_checkout(place, sources, weights, makefile):
    """A checkout with a Makefile of the test's, and its bindings/python."""
    (place / "include").mkdir(parents=True)
    (place / "include" / "ae.h").touch()
    (place / "Package.swift").touch()
    (place / "Makefile").write_text(makefile)
    (place / "models").mkdir()
    shutil.copy(weights, place / "models" / "default.aew")
    return Path(shutil.copytree(sources, place / "bindings" / "python"))


def lines_of(done):
    """What the build itself said: the lines after pip's own."""
    text = done.stdout + done.stderr
    assert "Traceback" not in text
    return [line.strip() for line in text.splitlines() if "libae: " in line]


@pytest.mark.parametrize("fault", ["no Swift", "make fails"])
def test_a_build_that_cannot_be_says_why_in_a_line(sources, weights, tmp_path, fault):
    inside = make_checkout(tmp_path / "checkout", sources, weights, "lib:\n\tfalse\n")
    wheels, tools = tmp_path / "wheels", tmp_path / "tools"
    wheels.mkdir()
    tools.mkdir()
    for tool in ("make", "sh", "false"):
        (tools / tool).symlink_to(shutil.which(tool))
    if fault == "make fails":
        (tools / "swift").symlink_to("/bin/true")
    done = build(inside, wheels, PATH=str(tools), PWD="/")
    assert done.returncode != 0
    (line,) = lines_of(done)
    assert "set LIBAE_PREBUILT to a libae.so that is built" in line
    assert ("swift.org/install" in line) == (fault == "no Swift")
    assert ("make lib failed in" in line) == (fault == "make fails")


@pytest.mark.parametrize("where", ["in the checkout", "in a copy, started in the checkout", "LIBAE_ROOT"])
def test_without_a_library_make_lib_is_run_in_the_checkout(sources, library, weights, tmp_path, where):
    checkout = tmp_path / "checkout"
    inside = make_checkout(checkout, sources, weights, STUB.format(library=library))
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "swift").symlink_to("/bin/true")
    folder, environment = {
        "in the checkout": (inside, {"PWD": "/"}),
        "in a copy, started in the checkout": (sources, {"PWD": str(checkout / "bindings")}),
        "LIBAE_ROOT": (sources, {"PWD": "/", "LIBAE_ROOT": str(checkout)}),
    }[where]
    environment["PATH"] = f"{tools}{os.pathsep}{os.environ['PATH']}"
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    done = build(folder, wheels, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (checkout / "made").exists()
    # And not a second time, now that it is there.
    (checkout / "made").unlink()
    assert build(folder, wheels, **environment).returncode == 0
    assert not (checkout / "made").exists()


def test_a_build_with_nothing_to_carry_says_what_to_set(sources, library, tmp_path):
    done = build(sources, tmp_path, PWD="/")
    assert done.returncode != 0
    assert "set LIBAE_PREBUILT to one, or LIBAE_ROOT to a checkout" in lines_of(done)[0]
    done = build(sources, tmp_path, PWD="/", LIBAE_PREBUILT="/nowhere")
    assert "LIBAE_PREBUILT=/nowhere: no libae.so there" in done.stdout + done.stderr
    done = build(sources, tmp_path, PWD="/", LIBAE_PREBUILT=str(library))
    assert "no default model: set LIBAE_DEFAULT_MODEL" in lines_of(done)[0]
