"""Finding and typing the library: where it is looked for, and that the declarations are those of ae.h."""

import ctypes
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import libae
import numpy as np
import pytest
from libae import _foreign, _library

PACKAGE = Path(libae.__file__).parent


def run(program, package_folder=PACKAGE.parent, **environment):
    base = {name: value for name, value in os.environ.items() if not name.startswith("LIBAE_")}
    base.pop("LD_LIBRARY_PATH", None)
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**base, "PYTHONPATH": str(package_folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def declared(root) -> "set[str]":
    text = (root / "include" / "ae.h").read_text()
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    return set(re.findall(r"\b((?:ae|vae)_\w+)\([^()]*(?:\([^()]*\)[^()]*)*\);", text))


def test_every_function_of_the_header_is_declared_and_typed(root):
    assert declared(root) == set(_foreign.SIGNATURES)
    for name, (result, arguments) in _foreign.SIGNATURES.items():
        function = getattr(_library.lib, name)
        assert function.restype is result
        assert tuple(function.argtypes) == arguments


STRUCTS = {
    "ae_context_options": _foreign.ContextOptions,
    "ae_option_information": _foreign.OptionInformation,
    "ae_preset_information": _foreign.PresetInformation,
    "ae_model_information": _foreign.ModelInformation,
    "ae_tensor": _foreign.Tensor,
    "ae_quality_information": _foreign.QualityInformation,
    "ae_imageset_information": _foreign.ImageSetInformation,
    "ae_training_progress": _foreign.Progress,
    "ae_trainer_callbacks": _foreign.TrainerCallbacks,
}


def test_structs_are_laid_out_as_a_c_compiler_lays_them_out(root, tmp_path):
    lines = []
    for name, struct in STRUCTS.items():
        lines.append(f'printf("{name} %zu\\n", sizeof({name}));')
        lines += [
            f'printf("{name}.{field} %zu %zu\\n", offsetof({name}, {field}), sizeof((({name} *)0)->{field}));'
            for field, *_ in struct._fields_
        ]
    source = tmp_path / "layout.c"
    source.write_text(
        "#include <ae.h>\n#include <stddef.h>\n#include <stdio.h>\nint main(void) {"
        + "\n".join(lines)
        + "}\n"
    )
    compiler = os.environ.get("CC", "cc")
    subprocess.run([compiler, "-I", root / "include", source, "-o", tmp_path / "layout"], check=True)
    told = subprocess.run([tmp_path / "layout"], check=True, capture_output=True, text=True).stdout
    expected = []
    for name, struct in STRUCTS.items():
        expected.append(f"{name} {ctypes.sizeof(struct)}")
        expected += [
            f"{name}.{field} {getattr(struct, field).offset} {getattr(struct, field).size}"
            for field, *_ in struct._fields_
        ]
    assert told.splitlines() == expected
    # And the header has no field that is not here.
    header = (root / "include" / "ae.h").read_text()
    for name, struct in STRUCTS.items():
        body = re.search(rf"typedef struct {name} \{{(.*?)\}} {name};", header, re.DOTALL).group(1)
        body = re.sub(r"/\*.*?\*/", "", body, flags=re.DOTALL)
        count = sum(declaration.count(",") + 1 for declaration in body.split(";") if declaration.strip())
        assert count == len(struct._fields_)


@pytest.mark.parametrize(
    ("words", "prefix"),
    [
        (_foreign.KINDS, "AE_KIND_"),
        (_foreign.STORAGES, "AE_STORAGE_"),
        (_foreign.MODES, "AE_MODE_"),
        (_foreign.METHODS, "AE_METHOD_"),
        (_foreign.TABLES, "AE_OPTIONS_"),
        (_foreign.TYPES, "AE_OPTION_"),
    ],
)
def test_words_stand_for_the_numbers_of_the_header(root, words, prefix):
    header = (root / "include" / "ae.h").read_text()
    found = {name: int(value) for name, value in re.findall(rf"\b{prefix}(\w+) = (\d+)", header)}
    assert found == {word.upper().replace("-", "_"): number for number, word in enumerate(words)}


def test_versions_agree(root):
    header = (root / "include" / "ae.h").read_text()
    assert int(re.search(r"#define AE_ABI_VERSION (\d+)", header).group(1)) == _foreign.ABI_VERSION
    parts = [
        re.search(rf"#define AE_VERSION_{part} (\d+)", header).group(1)
        for part in ("MAJOR", "MINOR", "PATCH")
    ]
    assert libae.version() == libae.__version__ == ".".join(parts)
    assert libae.version() in libae.build_info()
    assert "aew 1, aez 1 to 3, " in libae.build_info()


def test_the_version_check_knows_what_fits():
    for later in (2_000, 2_007, 3_000, 1_000_000):
        assert _library._version_fault(later) is None
    assert "0.1.0" in _library._version_fault(1_000)
    assert "0.1.9" in _library._version_fault(1_009)


def test_a_library_that_is_missing_is_an_import_error_that_says_where_it_looked(tmp_path):
    done = run("import libae")
    assert done.returncode == 1
    assert "ImportError: libae's shared library was not found. Looked at:" in done.stderr
    for place in (str(PACKAGE / "_lib" / "libae.so"), "LIBAE_LIBRARY: not set", "the system's libae.so.1"):
        assert place in done.stderr


def test_the_one_beside_the_package_comes_first_then_the_environments(library, tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "libae", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "libae" / "_lib").mkdir(exist_ok=True)
    show = "import libae; print(libae.library_path)"
    done = run(show, tmp_path, LIBAE_LIBRARY=str(library))
    assert done.stdout.strip() == str(library)
    shutil.copy(library, tmp_path / "libae" / "_lib" / "libae.so")
    done = run(show, tmp_path, LIBAE_LIBRARY="/nowhere/libae.so")
    assert done.stdout.strip() == str(tmp_path / "libae" / "_lib" / "libae.so")
    # One beside it that does not load is told of, and the next is tried.
    (tmp_path / "libae" / "_lib" / "libae.so").write_bytes(b"not a library")
    assert run(show, tmp_path, LIBAE_LIBRARY=str(library)).stdout.strip() == str(library)
    done = run(show, tmp_path, LIBAE_LIBRARY="/nowhere/libae.so")
    assert str(tmp_path / "libae" / "_lib" / "libae.so") in done.stderr
    assert "/nowhere/libae.so" in done.stderr


def compile_library(tmp_path, text) -> str:
    source, out = tmp_path / "other.c", tmp_path / "libother.so"
    source.write_text(text)
    subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", source, "-o", out], check=True)
    return str(out)


def test_other_libraries_are_refused_by_name(tmp_path):
    stranger = compile_library(tmp_path, "int other(void) { return 1; }\n")
    assert "is not libae" in run("import libae", LIBAE_LIBRARY=stranger).stderr
    earlier = compile_library(tmp_path, "unsigned ae_version(void) { return 1000; }\n")
    done = run("import libae", LIBAE_LIBRARY=earlier)
    assert f"is version 0.1.0, this package was written for {libae.__version__}" in done.stderr
    partial = compile_library(tmp_path, "unsigned ae_version(void) { return 2003004; }\n")
    assert "has no function ae_" in run("import libae", LIBAE_LIBRARY=partial).stderr
    functions = "".join(f"unsigned {name}(void) {{ return 2000000; }}\n" for name in _foreign.SIGNATURES)
    other = compile_library(tmp_path, functions)
    assert "has ABI version 2000000" in run("import libae", LIBAE_LIBRARY=other).stderr


def test_a_model_that_is_missing_says_where_it_was_looked_for(library, tmp_path):
    # Far from the folder in which it finds models.
    alone = shutil.copy(library, tmp_path)
    done = run("import libae; libae.default_model()", LIBAE_LIBRARY=str(alone), AE_MODEL_PATH="/nowhere")
    assert "ModelError: " in done.stderr
    assert "/nowhere" in done.stderr
    assert "digits-high" in done.stderr


def test_a_set_that_needs_another_model_says_so_even_without_a_default_model(library, packed, tmp_path):
    (tmp_path / "set.aez").write_bytes(packed)
    program = f"import libae; libae.decompress({str(tmp_path / 'set.aez')!r})"
    done = run(program, LIBAE_LIBRARY=str(library), AE_MODEL_PATH="/nowhere")
    assert "ModelError" in done.stderr
    assert "strokes" in done.stderr


def test_threads_can_be_set_and_absurd_numbers_are_refused():
    before = libae.threads()
    try:
        libae.set_threads(3)
        assert libae.threads() == 3
        libae.set_threads(0)
        assert libae.threads() >= 1
        for count in (-1, 257, 2**40):
            with pytest.raises(libae.ArgumentError):
                libae.set_threads(count)
    finally:
        libae.set_threads(before)


def test_nothing_is_printed(capfd, model, images):
    libae.train(images, steps=20, hidden=(8,))
    libae.decompress(libae.compress(images, model), model)
    with pytest.raises(libae.Error):
        model.encode(np.full((12, 10), np.nan))
    assert capfd.readouterr() == ("", "")
