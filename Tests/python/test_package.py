"""The package as pip makes it: what the wheel carries, and that it works far from the checkout."""

import os
import shutil
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import libae
import numpy as np
import pytest
import strokes

# In the working folder of a checkout these may be there from an editable install.
LEFT_OUT = shutil.ignore_patterns("_lib", "share", "*.egg-info", "build", "__pycache__")

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
def weights(root):
    """The folder of models that come with libae."""
    return root / "models"


@pytest.fixture(scope="module")
def wheel(sources, library, weights, tmp_path_factory):
    """A wheel from a library that was built before."""
    place = tmp_path_factory.mktemp("wheels")
    done = build(sources, place, LIBAE_PREBUILT=str(library.parent), LIBAE_MODELS=str(weights), PWD="/")
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = place.iterdir()
    return made


def test_the_wheel_is_for_any_python_3_on_this_kind_of_machine(wheel):
    name, version, python, abi, platform = wheel.stem.split("-")
    assert (name, version, python, abi) == ("libae", libae.__version__, "py3", "none")
    assert platform.startswith(("linux_", "manylinux", "macosx"))


def test_the_wheel_carries_the_library_and_the_models(wheel, library, weights, root):
    shipped = {"digits-high.aew", "digits-low.aew", "exact.aew", "mnist-30.aew", "universal.aew"}
    shipped |= {"digits-high-small.aew", "digits-low-small.aew"}
    assert shipped == {path.name for path in weights.glob("*.aew")} - {"conv-vae.aew"}
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if name.startswith("libae/")}
        assert archive.read("libae/_lib/libae.so") == library.read_bytes()
        for name in shipped:
            assert archive.read(f"libae/share/libae/models/{name}") == (weights / name).read_bytes()
        record = archive.read(f"libae-{libae.__version__}.dist-info/RECORD").decode()
    python = {f"libae/{path.name}" for path in (root / "bindings" / "python" / "src" / "libae").glob("*.py")}
    carried = {"libae/_lib/libae.so", "libae/py.typed"} | {
        f"libae/share/libae/models/{name}" for name in shipped
    }
    assert names == python | carried
    assert all(name in record for name in names)


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory):
    """The wheel, installed, far from the checkout."""
    place = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)
    return place


def alone():
    """An environment in which nothing says where library or models are."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LIBAE_", "AE_")) and name != "LD_LIBRARY_PATH"
    }


def test_the_installed_package_works_by_itself(site, tmp_path):
    digits = strokes.draw(300, seed=4)
    np.save(tmp_path / "images.npy", digits)
    program = (
        "import numpy, libae; images = numpy.load('images.npy'); print(libae.library_path)\n"
        "for name in (None, 'digits-low', 'exact', 'mnist-30'): print(libae.default_model(name).info.hash)\n"
        "libae.compress_file('set.aez', images); libae.compress_file('exact.aez', images, exact=True)\n"
        "numpy.save('back.npy', libae.decompress('set.aez'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env={**alone(), "PYTHONPATH": str(site)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    path, *hashes = done.stdout.split()
    assert path == str(site / "libae" / "_lib" / "libae.so")
    assert hashes == [
        libae.default_model(name).info.hash for name in (None, "digits-low", "exact", "mnist-30")
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", libae.PoorFitWarning)
        assert (tmp_path / "set.aez").read_bytes() == libae.compress(digits)
    assert (tmp_path / "exact.aez").read_bytes() == libae.compress(digits, exact=True)
    np.testing.assert_array_equal(np.load(tmp_path / "back.npy"), libae.decompress(tmp_path / "set.aez"))


def test_a_c_program_finds_the_packages_models(site, root, tmp_path):
    (tmp_path / "program.c").write_text(
        "#include <ae.h>\n#include <stdio.h>\n"
        "int main(void) {\n  ae_model *model;\n"
        "  if (ae_model_default(NULL, NULL, &model) != AE_OK) return puts(ae_last_error());\n"
        "  ae_model_free(model);\n  return 0;\n}\n"
    )
    shared = site / "libae" / "_lib"
    arguments = [os.environ.get("CC", "cc"), f"-I{root / 'include'}", tmp_path / "program.c"]
    arguments += ["-o", tmp_path / "program", shared / "libae.so"]
    subprocess.run(arguments, check=True)
    (shared / "libae.so.1").unlink(missing_ok=True)
    (shared / "libae.so.1").symlink_to("libae.so")
    done = subprocess.run(
        [tmp_path / "program"],
        env={**alone(), "LD_LIBRARY_PATH": str(shared)},
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    (shared / "libae.so.1").unlink()
    assert (done.returncode, done.stdout) == (0, b"")


def make_checkout(place, sources, weights, makefile):
    """A checkout with a Makefile of the test's, and its bindings/python."""
    (place / "include").mkdir(parents=True)
    (place / "include" / "ae.h").touch()
    (place / "Package.swift").touch()
    (place / "Makefile").write_text(makefile)
    (place / "models").symlink_to(weights)
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
    (line,) = lines_of(done)
    assert (
        "install a wheel (pip install --only-binary libae libae), or set LIBAE_PREBUILT to a libae.so" in line
    )
    assert "LIBAE_ROOT to a checkout" in line
    done = build(sources, tmp_path, PWD="/", LIBAE_PREBUILT="/nowhere")
    assert "LIBAE_PREBUILT=/nowhere: no libae.so there" in done.stdout + done.stderr
    alone = tmp_path / "lib" / "libae.so"
    alone.parent.mkdir()
    shutil.copy(library, alone)
    done = build(sources, tmp_path, PWD="/", LIBAE_PREBUILT=str(alone))
    assert "no models: set LIBAE_MODELS" in lines_of(done)[0]


def test_the_models_of_an_installed_library_are_found_beside_it(sources, library, weights, tmp_path):
    installed = tmp_path / "usr" / "lib" / "some-machine"
    installed.mkdir(parents=True)
    shutil.copy(library, installed / "libae.so")
    (tmp_path / "usr" / "share" / "libae").mkdir(parents=True)
    (tmp_path / "usr" / "share" / "libae" / "models").symlink_to(weights)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    done = build(sources, wheels, PWD="/", LIBAE_PREBUILT=str(installed))
    assert done.returncode == 0, done.stdout + done.stderr
    with zipfile.ZipFile(next(wheels.iterdir())) as archive:
        assert "libae/share/libae/models/universal.aew" in archive.namelist()


def test_a_distributions_package_carries_neither_library_nor_models(sources, library, weights, tmp_path):
    wheels, site = tmp_path / "wheels", tmp_path / "site"
    wheels.mkdir()
    done = build(sources, wheels, PWD="/", LIBAE_SYSTEM="1")
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = wheels.iterdir()
    assert made.name == f"libae-{libae.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(made) as archive:
        names = [name for name in archive.namelist() if name.startswith("libae/")]
        assert {Path(name).suffix for name in names} == {".py", ".typed"}
        archive.extractall(site)
    # The system's library is the one that the loader knows.
    system = tmp_path / "system"
    system.mkdir()
    (system / "libae.so.1").symlink_to(library)
    done = subprocess.run(
        [sys.executable, "-c", "import libae; print(libae.library_path)"],
        env={**alone(), "PYTHONPATH": str(site), "LD_LIBRARY_PATH": str(system)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "libae.so.1\n", done.stderr


def test_the_licence_goes_along(wheel, root):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("licenses/LICENSE"))
        assert archive.read(name) == (root / "LICENSE").read_bytes()
