"""Programs that use the library as it is installed: the examples, the C++ wrapper, the code in docs/."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import libae
import numpy as np
import pytest
import strokes

CC = os.environ.get("CC", "cc")
CXX = os.environ.get("CXX", "c++")
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def run(arguments, **options):
    """Runs a program that has to do without the library's place in the environment."""
    environment = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
    environment.update(options.pop("environment", {}))
    return subprocess.run(
        [str(argument) for argument in arguments],
        env=environment,
        capture_output=True,
        check=False,
        **options,
    )


def succeed(arguments, **options):
    done = run(arguments, **options)
    assert done.returncode == 0, f"{arguments}\n{done.stdout!r}\n{done.stderr.decode(errors='replace')}"
    return done


@pytest.fixture(scope="session")
def prefix(root, library, tmp_path_factory):
    """The library, installed as `make install` does it."""
    place = tmp_path_factory.mktemp("installed")
    for folder in ("include", "lib/pkgconfig"):
        (place / folder).mkdir(parents=True)
    shutil.copy(root / "include" / "ae.h", place / "include")
    shutil.copy(root / "bindings" / "cpp" / "ae.hpp", place / "include")
    name = f"libae.so.{libae.version()}"
    shutil.copy(library, place / "lib" / name)
    (place / "lib" / "libae.so.1").symlink_to(name)
    (place / "lib" / "libae.so").symlink_to(name)
    shutil.copy(library.parent / "libae.a", place / "lib")
    text = (root / "tools" / "libae.pc.in").read_text()
    for word, value in (
        ("@PREFIX@", str(place)),
        ("@LIBDIR@", str(place / "lib")),
        ("@INCLUDEDIR@", str(place / "include")),
        ("@VERSION@", libae.version()),
    ):
        text = text.replace(word, value)
    (place / "lib" / "pkgconfig" / "libae.pc").write_text(text)
    return place


@pytest.fixture(scope="session")
def digits():
    """(1000, 28, 28) uint8."""
    return strokes.draw(1000, seed=9)


@pytest.fixture(scope="session")
def files(digits, tmp_path_factory):
    """digits.idx, plain.aew, vae.aew (int8), decoder.aew, for programs to read."""
    place = tmp_path_factory.mktemp("files")
    (place / "digits.idx").write_bytes(strokes.idx(digits))
    plain = libae.train(digits, latent_size=6, hidden=(64,), steps=1000, name="plain")
    plain.save(place / "plain.aew")
    vae = libae.train(digits, kind="vae", latent_size=8, hidden=(64,), steps=1500, name="vae")
    vae.save(place / "vae.aew", storage="int8")
    vae.save(place / "decoder.aew", storage="int8", decoder_only=True)
    vae.to_c(place / "decoder.c")
    return place


@pytest.fixture(scope="session")
def programs(root, prefix, files, tmp_path_factory):
    """The example programs, built by their Makefile against the installed library."""
    place = tmp_path_factory.mktemp("programs") / "build"
    succeed(
        [
            "make",
            "-C",
            root / "examples",
            f"BUILD={place}",
            f"PKG_CONFIG_PATH={prefix}/lib/pkgconfig",
            f"DECODER={files}/decoder.aew",
            f"SOURCE={files}/decoder.c",
            f"CC={CC}",
            f"CXX={CXX}",
            f"CFLAGS=-O1 {' '.join(STRICT)}",
            f"CXXFLAGS=-O1 {' '.join(STRICT)}",
        ]
    )
    return place


def commands(root, programs):
    return {
        "c": [programs / "digits"],
        "cpp": [programs / "digits-cpp"],
        "python": [sys.executable, root / "examples" / "digits.py"],
    }


def python_path():
    return {"PYTHONPATH": str(Path(libae.__file__).parents[1])}


@pytest.mark.parametrize("weights", ["plain.aew", "vae.aew"])
@pytest.mark.parametrize("language", ["c", "cpp", "python"])
def test_the_digits_example_draws_inputs_outputs_and_samples(
    root, programs, files, digits, tmp_path, language, weights
):
    out = tmp_path / "out.pgm"
    command = commands(root, programs)[language]
    done = succeed([*command, files / weights, files / "digits.idx", out], environment=python_path())
    model = libae.Model.open(files / weights)
    codes = model.encode(digits[:10])
    rows = [digits[:10], model.decode(codes, dtype=np.uint8)]
    if model.info.is_variational:
        rows.append(model.sample(10, seed=1, dtype=np.uint8))
    expected = np.concatenate([np.concatenate(list(row), axis=1) for row in rows])
    np.testing.assert_array_equal(strokes.read_pgm(out.read_bytes()), expected)
    line = done.stdout.decode().split(" is ")
    assert line[0] == f"{model.name}: 784 pixels to {model.latent_size} numbers; the first image"
    np.testing.assert_allclose([float(number) for number in line[1].split()], codes[0], atol=6e-4)
    assert done.stderr == b""


@pytest.mark.parametrize("language", ["c", "cpp", "python"])
def test_the_digits_example_takes_fewer_than_ten_images(root, programs, files, digits, tmp_path, language):
    (tmp_path / "three.idx").write_bytes(strokes.idx(digits[:3]))
    out = tmp_path / "out.pgm"
    command = commands(root, programs)[language]
    succeed([*command, files / "plain.aew", tmp_path / "three.idx", out], environment=python_path())
    picture = strokes.read_pgm(out.read_bytes())
    assert picture.shape == (56, 280)
    np.testing.assert_array_equal(picture[:28, :84], np.concatenate(list(digits[:3]), axis=1))
    assert not picture[:, 84:].any()


@pytest.mark.parametrize("language", ["c", "cpp", "python"])
def test_the_digits_example_says_what_is_wrong(root, programs, files, digits, tmp_path, language):
    command = commands(root, programs)[language]
    (tmp_path / "other.idx").write_bytes(strokes.idx(digits[:3, :20]))
    for weights, images in (
        (tmp_path / "nowhere.aew", files / "digits.idx"),
        (files / "digits.idx", files / "digits.idx"),
        (files / "plain.aew", tmp_path / "nowhere.idx"),
        (files / "plain.aew", files / "plain.aew"),
        (files / "plain.aew", tmp_path / "other.idx"),
    ):
        done = run([*command, weights, images, tmp_path / "out.pgm"], environment=python_path())
        assert done.returncode == 1
        assert done.stderr.startswith(b"digits")
        assert done.stderr.count(b"\n") == 1
    assert not (tmp_path / "out.pgm").exists()


def test_the_embedded_decoder_needs_no_file_and_no_libae(programs, files, tmp_path):
    program = shutil.copy(programs / "embedded_decoder", tmp_path)
    done = succeed([program, "2"], cwd=tmp_path)
    picture = strokes.read_pgm(done.stdout)
    axis = np.linspace(-2, 2, 10, dtype=np.float32)
    codes = np.zeros((10, 10, 8), np.float32)
    codes[..., 0], codes[..., 1] = axis[None, :], axis[:, None]
    decoded = libae.Model.open(files / "decoder.aew").decode(codes, dtype=np.uint8)
    difference = picture.astype(int) - decoded.swapaxes(1, 2).reshape(280, 280)
    assert np.abs(difference).max() <= 2
    needed = succeed(["readelf", "-d", program]).stdout.decode()
    libraries = set(re.findall(r"\(NEEDED\).*\[(\w+)", needed))
    assert "libae" not in libraries
    assert libraries <= {"libc", "libm", "libz", "libpthread", "ld"}


def test_the_ascii_digit_is_the_decoded_image(programs, files, tmp_path):
    code = np.array([0.5, -1.25, 2, 0, 0.75], np.float32)
    done = succeed([programs / "ascii_digit", *code], cwd=tmp_path)
    model = libae.Model.open(files / "decoder.aew")
    image = model.decode(np.concatenate([code, np.zeros(3, np.float32)]), dtype=np.uint8)
    marks = np.array(list(" .:-=+*#%@"))[image.astype(int) * 10 // 256]
    assert done.stdout.decode() == "".join("".join(line.repeat(2)) + "\n" for line in marks)
    needed = succeed(["readelf", "-d", programs / "ascii_digit"]).stdout.decode()
    assert set(re.findall(r"\(NEEDED\).*\[(\w+)", needed)) <= {"libc", "ld"}


def test_the_cpp_wrapper_keeps_its_promises(root, prefix, tmp_path):
    program = tmp_path / "wrapper"
    succeed(
        [
            CXX,
            "-std=c++17",
            *STRICT,
            "-Wshadow",
            "-Wconversion",
            f"-I{prefix}/include",
            root / "Tests" / "python" / "wrapper.cpp",
            "-o",
            program,
            f"-L{prefix}/lib",
            "-lae",
            f"-Wl,-rpath,{prefix}/lib",
        ]
    )
    assert succeed([program], cwd=tmp_path).stderr == b""


def blocks(path, language):
    """The code blocks of a page, in order."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(), re.DOTALL | re.MULTILINE)
    assert found, f"{path} has no code in {language}"
    return found


@pytest.mark.page
def test_the_c_and_cpp_code_in_the_docs_compiles_and_runs(root, prefix, files, tmp_path):
    page = root / "docs" / "c.md"
    shared = [f"-I{prefix}/include", f"-L{prefix}/lib", f"-Wl,-rpath,{prefix}/lib"]
    printed = []
    for number, (language, code) in enumerate(
        [("c", code) for code in blocks(page, "c")] + [("cpp", code) for code in blocks(page, "cpp")]
    ):
        source = tmp_path / f"block{number}.{language}"
        source.write_text(code)
        compiler = [CC, "-std=c11"] if language == "c" else [CXX, "-std=c++17"]
        if "int main(" not in code:
            succeed([*compiler, *STRICT, *shared, "-c", source, "-o", tmp_path / f"block{number}.o"])
            continue
        program = tmp_path / f"block{number}"
        succeed([*compiler, *STRICT, *shared, source, "-o", program, "-lae"])
        arguments = [files / "vae.aew"] if "argv" in code else []
        printed.append(succeed([program, *arguments], cwd=tmp_path).stdout.decode())
    assert printed[0] == printed[-1] == "784 bytes an image, 8 numbers\n"
    assert libae.Model.open(tmp_path / "bars.aew").image_shape == (16, 16)


@pytest.mark.page
def test_the_functions_in_the_docs_pack_and_read(root, prefix, files, digits, tmp_path):
    code = next(code for code in blocks(root / "docs" / "c.md", "c") if "size_t pack(" in code)
    source = tmp_path / "pack.c"
    source.write_text(
        "#include <stdio.h>\n#include <string.h>\n" + code + "int main(int argc, char **argv) {\n"
        "  static unsigned char images[100 * 784], image[784];\n"
        "  unsigned char *out;\n"
        "  ae_model *model;\n"
        '  FILE *file = fopen(argv[2], "rb");\n'
        "  if (argc != 4 || ae_model_open(NULL, argv[1], &model) != AE_OK)\n"
        "    return 1;\n"
        "  if (fread(images, 1, 16, file) != 16 || fread(images, 784, 100, file) != 100)\n"
        "    return 1;\n"
        "  size_t size = pack(model, images, 100, &out);\n"
        "  if (size == 0 || read_one(out, size, 42, image) != AE_OK ||\n"
        "      read_one(out, size, 100, image) == AE_OK)\n"
        "    return 2;\n"
        '  file = fopen(argv[3], "wb");\n'
        "  fwrite(image, 1, 784, file);\n"
        "  return fclose(file);\n"
        "}\n"
    )
    program = tmp_path / "pack"
    succeed([CC, "-std=c11", f"-I{prefix}/include", source, "-o", program, prefix / "lib" / "libae.so"])
    out = tmp_path / "image"
    succeed(
        [program, files / "vae.aew", files / "digits.idx", out],
        environment={"LD_LIBRARY_PATH": str(prefix / "lib")},
    )
    model = libae.Model.open(files / "vae.aew")
    expected = libae.decompress(libae.compress(digits[:100], model, quality=1), model)[42]
    np.testing.assert_array_equal(np.fromfile(out, np.uint8).reshape(28, 28), expected)


def checked(code):
    """Code in which `expression  # -> value` is an assertion."""
    return re.sub(
        r"^( *)(\S.*?)  # -> (.*)$",
        lambda match: f"{match[1]}_got = ({match[2]}); assert repr(_got) == {match[3]!r}, repr(_got)",
        code,
        flags=re.MULTILINE,
    )


@pytest.mark.page
def test_the_python_code_in_the_docs_runs_and_gives_what_it_says(root, library, files, digits, tmp_path):
    page = root / "docs" / "python.md"
    program = "\n".join(checked(code) for code in blocks(page, "python"))
    assert program.count("assert") > 15
    (tmp_path / "digits.idx").write_bytes(strokes.idx(digits))
    environment = python_path()
    succeed([sys.executable, "-W", "error", "-c", program], cwd=tmp_path, environment=environment)


@pytest.mark.page
def test_the_python_code_in_the_readme_runs(root, files, digits, tmp_path):
    program = "import numpy as np\ndigits = np.fromfile('digits.idx', np.uint8)[16:].reshape(-1, 28, 28)\n"
    program += "\n".join(blocks(root / "bindings" / "python" / "README.md", "python"))
    (tmp_path / "digits.idx").write_bytes(strokes.idx(digits))
    environment = python_path()
    succeed([sys.executable, "-W", "error", "-c", program], cwd=tmp_path, environment=environment)
