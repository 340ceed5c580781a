"""A decoder as one C99 file gives the library's pixels, by every compiler and processor at hand."""

import ctypes
import functools
import http.server
import os
import re
import shutil
import struct
import subprocess
import threading
import zlib
from pathlib import Path

import libae
import numpy as np
import pytest
import strokes

CC = os.environ.get("CC", "cc")
HERE = Path(__file__).parent
STRICT = ["-std=c99", "-pedantic", "-Werror", "-Wall", "-Wextra", "-Wconversion"]
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
# Codes that are compared for each model; all of AE_TEST_CODES where someone asks for more.
CODES = int(os.environ.get("AE_TEST_CODES", "200"))

# Every operation in a decoder, twice the code itself in another order, and an encoder whose last layer is a
# convolution with moves behind it.
EVERYTHING = {
    "kind": "custom",
    "width": 8,
    "height": 6,
    "channels": 3,
    "latent_size": 12,
    "output_activation": "sigmoid",
    "encoder": "convolution(channels=4,kernel=3,stride=2,padding=1,activation=elu);"
    "max_pool(kernel=2,stride=1,padding=1);"
    "transposed_convolution(1,channels=3,kernel=3,stride=2,padding=1,activation=tanh);"
    "mean_pool(kernel=2);convolution(channels=4,kernel=2,height=3,width=1);channels_first()",
    "decoder": "channels_last(input,height=2,width=2,channels=3);"
    "convolution(0,channels=5,kernel=2,padding=1,activation=relu);"
    "dense(0,height=3,width=3,channels=5,activation=silu);add(1,2,activation=elu);"
    "transposed_convolution(input,channels=2,kernel=3,activation=gelu);"
    "concatenate(3,4);upsample(factor=2);max_pool(kernel=3,stride=2,padding=1);activation(activation=tanh);"
    "transposed_convolution(channels=6,kernel=4,stride=2,padding=1,activation=leaky_relu:0.2);"
    "mean_pool(kernel=2);mean_pool(10,whole=true);dense(11,height=3,width=3,channels=6,activation=relu);"
    "add(10,12);channels_first();reshape(height=6,width=9,channels=1);dense(outputs=144,activation=sigmoid);"
    "channels_last(height=6,width=8,channels=3)",
}


def images_of(size: tuple, count: int = 200) -> np.ndarray:
    """Strokes of another colour in each channel."""
    height, width, channels = size
    planes = [strokes.draw(count, height, width, seed=seed) for seed in range(channels)]
    return planes[0] if channels == 1 else np.stack(planes, axis=-1)


def custom(description: dict, **options) -> libae.Model:
    """A model of random weights with integers."""
    random = np.random.default_rng(5)
    implied = ("width", "height", "channels")
    size = tuple(description.get(name, 1) for name in ("height", "width", "channels"))
    network = {name: value for name, value in description.items() if name not in implied}
    empty = libae.train(images_of(size, 40), **network, codec=False, steps=1, batch_size=8)
    tensors = {
        name: random.normal(0, 1.5 / np.sqrt(max(1, array[0].size if array.ndim > 1 else 4)), array.shape)
        for name, array in empty.tensors().items()
    }
    made = libae.Model.from_tensors(empty.description, tensors)
    return made.quantize(images_of(made.size), **options)


MAKERS = {
    "dense": lambda: libae.train(
        strokes.draw(300, 12, 10, seed=1), kind="elu", latent_size=6, hidden=(48,), steps=300, name="den*/se"
    ),
    "one layer": lambda: libae.train(strokes.draw(300, 12, 10, seed=1), kind="pca", latent_size=5, hidden=()),
    "residual": lambda: libae.train(
        strokes.draw(200, 9, 11, seed=1), kind="residual-vae", latent_size=4, hidden=(6, 6, 5, 20), steps=60
    ),
    "everything, form 1": lambda: custom(EVERYTHING, weight_bits=8),
    "everything, form 2": lambda: custom(EVERYTHING),
    "alpha": lambda: custom(
        {
            "kind": "custom",
            "width": 7,
            "height": 5,
            "channels": 4,
            "latent_size": 6,
            "variational": True,
            "output_activation": "linear",
            "encoder": "convolution(channels=5,kernel=3,stride=2,padding=1,activation=relu);"
            "dense(outputs=12)",
            "decoder": "dense(height=3,width=4,channels=5,activation=relu);"
            "transposed_convolution(channels=4,kernel=4,stride=2,padding=1,height=5,width=7)",
        }
    ),
    **{
        name: lambda name=name: libae.Model.open(HERE.parent / "golden" / f"{name}.aew")
        for name in ("tiny-int8", "tiny-conv", "tiny-nodes", "tiny-nodes-form-2")
    },
}


class Exported:
    """A model and its C file."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.source = folder / "decoder.c"
        model = MAKERS[name]()
        self.model = libae.Model.open(model.to_bytes("int8"))
        self.has_encoder = self.model.info.has_encoder
        self.text = model.to_c(self.source, encoder=self.has_encoder)
        assert self.source.read_text() == self.text

    def array(self, name: str) -> np.ndarray:
        """A constant of the file."""
        body = re.search(rf"\bdecoder_{name}\[\w+\] = {{(.*?)}};", self.text, re.DOTALL)[1]
        values = [value.strip() for value in body.split(",") if value.strip()]
        if values[0].endswith("f"):
            return np.array([float.fromhex(value[:-1]) for value in values], np.float32)
        return np.array([int(value) for value in values], np.int64)

    def number(self, name: str) -> int:
        return int(re.search(rf"^#define decoder_{name} (\d+)$", self.text, re.MULTILINE)[1])

    def codes(self, count: int = CODES) -> np.ndarray:
        """(count, d) int16: those that images have, and some out to the ends of the range."""
        random = np.random.default_rng(8)
        codes = random.normal(0, 300, (count, self.model.latent_size))
        codes[::5] *= 40
        codes[0] = 0
        return np.clip(np.rint(codes), -16383, 16383).astype(np.int16)

    def pixels_of(self, codes: np.ndarray) -> bytes:
        """What the library decodes of codes in fixed point."""
        latents = (codes.astype(np.float64) / 256 * self.array("scales")).astype(np.float32)
        return self.model.decode(latents, dtype=np.uint8).tobytes()

    def compile(self, compiler: list, name: str = "pipe", program: str = "decoder_pipe") -> "Path | None":
        """The program of this file, which must compile without a warning."""
        made = self.folder / name
        options = [f'-DSOURCE="{self.source}"', *(["-DWITH_ENCODER"] if self.has_encoder else [])]
        done = subprocess.run(
            [*compiler, *STRICT, *options, HERE / f"{program}.c", "-o", made],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return made


def pipe(program: list, what: str, data: np.ndarray) -> bytes:
    done = subprocess.run([*program, what], input=data.tobytes(), capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b""), done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Makes a model's C file, once for all tests of this file."""
    made: dict = {}

    def make(name: str) -> Exported:
        if name not in made:
            made[name] = Exported(name, tmp_path_factory.mktemp("exported"))
        return made[name]

    return make


@pytest.fixture(scope="module")
def sanitizer(tmp_path_factory) -> list:
    """Options of CC for the sanitizers, if it has them and they run here."""
    folder = tmp_path_factory.mktemp("sanitizer")
    (folder / "a.c").write_text("int main(void) { return 0; }\n")
    done = subprocess.run([CC, *SANITIZE, "a.c", "-o", "a"], cwd=folder, capture_output=True, check=False)
    runs = done.returncode == 0 and subprocess.run([folder / "a"], check=False).returncode == 0
    return SANITIZE if runs else []


@pytest.mark.parametrize("name", MAKERS)
def test_the_c_file_decodes_and_encodes_as_the_library_does(exported, sanitizer, name):
    made = exported(name)
    program = [made.compile([CC, "-O0", *sanitizer])]
    codes = made.codes()
    assert pipe(program, "decode", codes) == made.pixels_of(codes)
    random = np.random.default_rng(2)
    latents = random.normal(0, 40, codes.shape).astype(np.float32) * made.array("scales")
    # Halves, which are rounded away from 0, and what lies beyond the largest code.
    latents[::4] = (np.rint(latents[::4] * 256) + 0.5) / 256
    latents[1] = 3e38
    latents[2] = -3e38
    expected = made.model.decode(latents, dtype=np.uint8).tobytes()
    assert pipe(program, "floats", latents) == expected
    if not made.has_encoder:
        return
    images = np.concatenate(
        [images_of(made.model.size, 30), random.integers(0, 256, (60, *made.model.image_shape), np.uint8)]
    )
    latents = made.model.encode(images)
    assert pipe(program, "latents", images) == latents.tobytes()
    words = np.frombuffer(pipe(program, "encode", images), np.int16).reshape(latents.shape)
    assert len(np.unique(words)) > 5
    if name.startswith("tiny"):
        return  # what its floats and its words are worth was never fitted to each other
    nearest = np.clip(np.rint(latents / made.array("scales") * 256.0), -16383, 16383)
    assert np.abs(words - nearest).max() <= 1


def test_words_are_the_sums_scaled_as_the_weight_file_says(exported):
    made = exported("dense")
    program = [made.compile([CC, "-O1"])]
    random = np.random.default_rng(3)
    images = random.integers(0, 256, (200, *made.model.image_shape), np.uint8)
    sums = np.frombuffer(pipe(program, "sums", images), np.int32).reshape(-1, 6).astype(np.int64)
    words = np.frombuffer(pipe(program, "encode", images), np.int16).reshape(-1, 6)
    # IENC ends with its last layer, dense, from 48 to 6: a shift, weights, and in planes biases, multipliers
    # and scales.
    data = made.model.to_bytes()
    at = 32 + 32 * struct.unpack_from("<I", data, 24)[0]
    for index in range(struct.unpack_from("<I", data, 24)[0]):
        tag, _, stored, raw = struct.unpack_from("<4sIQQ", data, 32 + 32 * index)
        if tag == b"IENC":
            section = data[at : at + stored] if stored == raw else zlib.decompress(data[at : at + stored])
        at += stored
    last = section[-(1 + 48 * 6 + 12 * 6) :]
    planes = np.frombuffer(last, np.uint8, 24, 1 + 48 * 6 + 4 * 6).reshape(4, 6)
    multipliers = sum(planes[place].astype(np.int64) << 8 * place for place in range(4))
    expected = np.clip(sums * multipliers + (1 << last[0] - 1) >> last[0], -16383, 16383)
    np.testing.assert_array_equal(words, expected)


COMPILERS = {
    "gcc -Os": ["gcc", "-Os"],
    "gcc -O3": ["gcc", "-O3"],
    "clang -O2": ["clang", "-O2"],
    "tcc": ["tcc"],
    "32 bits": ["gcc", "-m32", "-O2"],
    "C++": ["c++", "-x", "c++"],
}


@pytest.mark.parametrize("name", ["dense", "everything, form 1"])
@pytest.mark.parametrize("compiler", COMPILERS)
def test_every_compiler_makes_the_same_of_it(exported, tmp_path, compiler, name):
    command = COMPILERS[compiler]
    if not shutil.which(command[0]):
        pytest.skip(f"there is no {command[0]}")
    if compiler in ("32 bits", "C++"):
        (tmp_path / "a.c").write_text("#include <stdio.h>\nint main(void) { return 0; }\n")
        done = subprocess.run([*command, "a.c", "-o", "a"], cwd=tmp_path, capture_output=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"{' '.join(command)} makes no programs here")
    made = exported(name)
    if compiler == "C++":
        # The declarations alone; the file is C.
        (tmp_path / "a.cpp").write_text(
            f'#define decoder_DECLARATIONS\n#include "{made.source}"\n'
            "int main() { static unsigned char pixels[decoder_IMAGE_SIZE], scratch[decoder_SCRATCH_SIZE];\n"
            "int16_t code[decoder_LATENT_COUNT] = {0}; decoder_decode(code, pixels, scratch);\n"
            f"return pixels[0] != {made.pixels_of(np.zeros((1, made.model.latent_size), np.int16))[0]}; }}\n"
        )
        subprocess.run([CC, *STRICT, "-c", made.source, "-o", tmp_path / "a.o"], check=True)
        subprocess.run(["c++", "-Wall", "-Werror", "a.cpp", "a.o", "-o", "a"], cwd=tmp_path, check=True)
        subprocess.run([tmp_path / "a"], check=True)
        return
    codes = made.codes()
    program = made.compile(command, compiler.replace(" ", "_"))
    assert pipe([program], "decode", codes) == made.pixels_of(codes)


PROCESSORS = {
    "arm": ("arm-linux-gnueabihf-gcc", "qemu-arm", ["-mthumb"]),
    "aarch64": ("aarch64-linux-gnu-gcc", "qemu-aarch64", []),
}


@pytest.mark.parametrize("name", ["dense", "everything, form 2"])
@pytest.mark.parametrize("processor", PROCESSORS)
def test_other_processors_make_the_same_of_it(exported, processor, name):
    compiler, emulator, options = PROCESSORS[processor]
    emulator = shutil.which(emulator) or shutil.which(f"{emulator}-static")
    if not shutil.which(compiler) or not emulator:
        pytest.skip(f"there is no {compiler} or no {PROCESSORS[processor][1]}")
    made = exported(name)
    program = made.compile([compiler, "-Os", "-static", *options], processor)
    codes = made.codes()
    assert pipe([emulator, program], "decode", codes) == made.pixels_of(codes)
    if made.has_encoder:
        images = images_of(made.model.size, 20)
        assert pipe([emulator, program], "latents", images) == made.model.encode(images).tobytes()


@pytest.mark.skipif(not shutil.which("nm") or not shutil.which("size"), reason="there are no binutils")
@pytest.mark.parametrize("name", ["dense", "one layer", "everything, form 2"])
def test_an_object_needs_nothing_and_takes_what_the_file_says(exported, tmp_path, name):
    made = exported(name)
    includes = re.findall(r"^\s*#\s*include (.*)$", made.text, re.MULTILINE)
    assert includes == ["<stdint.h>"]
    found = re.search(r"Flash +([\d,]+) bytes of constants, and about ([\d,]+) of code", made.text)
    constants, code = (int(number.replace(",", "")) for number in found.groups())
    for compiler in [CC, "arm-linux-gnueabihf-gcc"]:
        if not shutil.which(compiler):
            continue
        thumb = ["-mthumb"] if compiler != CC else []
        command = [compiler, *STRICT, "-Os", *thumb, "-fno-builtin", "-fno-asynchronous-unwind-tables"]
        subprocess.run([*command, "-c", made.source, "-o", tmp_path / "a.o"], check=True)
        needed = subprocess.run(["nm", "-u", tmp_path / "a.o"], capture_output=True, text=True, check=True)
        # Division is a function of the compiler's own on Arm.
        assert not [word for word in needed.stdout.split() if word != "U" and not word.startswith("__aeabi_")]
        shown = subprocess.run(["size", "-A", tmp_path / "a.o"], capture_output=True, text=True, check=True)
        sections = dict(line.split()[:2] for line in shown.stdout.splitlines() if line.startswith("."))
        sizes = {section: int(size) for section, size in sections.items()}
        assert sizes.get(".data", 0) == sizes.get(".bss", 0) == 0
        text = sum(size for section, size in sizes.items() if section.startswith(".text"))
        constant = (".rodata", ".data.rel.ro")
        rodata = sum(size for section, size in sizes.items() if section.startswith(constant))
        # Pointers take more on 64 bits; small constants become part of the code.
        assert 0.98 * constants - 200 <= rodata <= 1.01 * constants + (1000 if compiler == CC else 200)
        assert 0.6 * code <= text <= 1.4 * code, (text, code)
    library = ctypes.CDLL(made.compile([CC, "-shared", "-fPIC", "-O1"], "shared.so", "decoder_pipe"))
    assert library.decoder_decode


def test_a_dense_decoder_is_small():
    """8 numbers, 128 hidden units, 28 x 28: less than 200 KB of flash and 16 KB of memory."""
    images = strokes.draw(200, 28, 28, seed=1)
    model = libae.train(images, latent_size=8, hidden=(128,), steps=30)
    text = model.to_c()
    found = re.search(r"Flash +([\d,]+) bytes of constants, and about ([\d,]+) of code", text)
    assert sum(int(number.replace(",", "")) for number in found.groups()) < 120_000
    assert "#define decoder_SCRATCH_SIZE 128\n" in text


def congruential_codes(count: int, latents: int) -> np.ndarray:
    """The codes of decoder_checksum.c."""
    state, codes = 1, np.empty((count, latents), np.int16)
    for image in range(count):
        for index in range(latents):
            state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
            codes[image, index] = (state >> 21) - 1024 if image % 2 == 0 else (state >> 16) % 32767 - 16383
    return codes


def test_as_a_webassembly_module(exported, tmp_path):
    clang = next((path for path in (swift_tool("clang"), shutil.which("clang")) if path), None)
    runner = swift_tool("wasmkit") or shutil.which("wasmkit")
    if not clang or not runner:
        pytest.skip("there is no clang or no wasmkit")
    for name in ("dense", "everything, form 2"):
        made = exported(name)
        module = tmp_path / "decoder.wasm"
        options = ["--target=wasm32", "-Os", "-ffreestanding", "-nostdlib", "-Ddecoder_WASM"]
        options += ["-Wl,--no-entry", *STRICT, f'-DSOURCE="{made.source}"', "-o", module]
        done = subprocess.run(
            [clang, *options, HERE / "decoder_checksum.c"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0 and "wasm-ld" in done.stderr:
            pytest.skip("clang has no wasm-ld")
        assert done.returncode == 0, done.stderr
        count = CODES
        expected = zlib.crc32(made.pixels_of(congruential_codes(count, made.model.latent_size)))
        for function, arguments, result in [
            ("checksum", [f"i32:{count}"], expected),
            ("width", [], made.model.info.width),
            ("height", [], made.model.info.height),
            ("channels", [], made.model.info.channels),
            ("latent_count", [], made.model.latent_size),
        ]:
            ran = subprocess.run(
                [runner, "run", module, function, *arguments], capture_output=True, text=True, check=True
            )
            assert int(re.search(r"i32\((\d+)\)", ran.stdout)[1]) == result, (function, ran.stdout)


CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
COMPARING = """<!doctype html><body><script type="module">
import { openDecoder } from "./decoder.mjs";
const bytes = async (name) => (await fetch(name)).arrayBuffer();
const decoder = await openDecoder(fetch("decoder.wasm"));
const [codes, pixels] = [new Int16Array(await bytes("codes")), new Uint8Array(await bytes("pixels"))];
const [d, size] = [decoder.latentCount, decoder.width * decoder.height * decoder.channels];
let equal = 0;
for (let i = 0; i * d < codes.length; i++) {
  const decoded = decoder.decode(codes.subarray(i * d, (i + 1) * d));
  equal += decoded.every((value, at) => value === pixels[i * size + at]);
}
const code = decoder.encode(pixels.subarray(0, size));
document.body.textContent = `${equal} images are equal, the first one is code ${code.join(" ")}`;
</script></body>
"""


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_the_page_in_a_browser(exported, root, tmp_path):
    clang = swift_tool("clang") or shutil.which("clang")
    if not clang:
        pytest.skip("there is no clang")
    made = exported("dense")
    options = ["--target=wasm32", "-Os", "-ffreestanding", "-nostdlib", "-Ddecoder_WASM", "-Wl,--no-entry"]
    subprocess.run([clang, *options, "-o", tmp_path / "decoder.wasm", made.source], check=True)
    for name in ("index.html", "decoder.mjs"):
        shutil.copy(root / "examples" / "wasm" / name, tmp_path)
    codes = made.codes()
    (tmp_path / "codes").write_bytes(codes.tobytes())
    (tmp_path / "pixels").write_bytes(made.pixels_of(codes))
    (tmp_path / "comparing.html").write_text(COMPARING)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def shown(page: str) -> str:
        quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        place = f"--user-data-dir={tmp_path / 'profile'}"
        address = f"http://127.0.0.1:{server.server_port}/{page}"
        command = [CHROMIUM, *quiet, place, "--virtual-time-budget=20000", "--dump-dom", address]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout

    try:
        page = shown("comparing.html")
        code = pipe([made.compile([CC, "-O1"])], "encode", np.frombuffer(made.pixels_of(codes[:1]), np.uint8))
        numbers = " ".join(map(str, np.frombuffer(code, np.int16)))
        assert f"{len(codes)} images are equal, the first one is code {numbers}" in page
        page = shown("index.html")
        assert page.count('type="range"') == made.model.latent_size
        assert re.search(r'<canvas [^>]*width="10" height="12"', page), page
    finally:
        server.shutdown()
        server.server_close()


def swift_tool(name: str) -> "str | None":
    """A program that lies beside Swift's compiler."""
    swift = shutil.which(os.environ.get("SWIFT", "swift"))
    found = Path(swift).resolve().parent / name if swift else None
    return str(found) if found and found.is_file() else None


@pytest.mark.page
def test_the_commands_and_the_program_of_the_page_do_what_it_says(root, tmp_path):
    page = (root / "docs" / "embed-c.md").read_text()
    tool = os.environ.get("AEZ") or str(root / ".build" / "release" / "aez")
    if not Path(tool).is_file():
        pytest.skip("there is no tool: AEZ does not name it")
    clang = swift_tool("clang") or shutil.which("clang")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "aez").symlink_to(Path(tool).resolve())
    if not shutil.which("cc"):
        (tmp_path / "bin" / "cc").symlink_to(shutil.which(CC))
    path = os.pathsep.join([str(tmp_path / "bin"), *([str(Path(clang).parent)] if clang else [])])
    environment = {**os.environ, "PATH": f"{path}{os.pathsep}{os.environ['PATH']}"}
    (tmp_path / "program.c").write_text(re.search(r"^```c\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)[1])
    shutil.copy(root / "examples" / "ascii_digit.c", tmp_path)
    told = []
    for language, block in re.findall(r"^```(sh|text)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE):
        if language == "text":
            # Sizes of tables differ a little between kernel paths.
            shown, expected = (re.sub(r"[\d,]+", "N", text) for text in (told[-1], block))
            assert expected in shown
            continue
        if "wasm32" in block and not clang:
            continue
        done = subprocess.run(
            ["sh", "-e", "-c", block],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (block, done.stderr)
        told.append(done.stdout)
    assert any("28 x 28 pixels" in text for text in told)


def test_what_cannot_be_exported(images, decoder, model):
    plain = libae.Model.from_tensors(model.description, model.tensors())
    with pytest.raises(libae.KindError, match="no integer networks, which C source is made of: quantize it"):
        plain.to_c()
    with pytest.raises(libae.KindError, match="is a decoder alone: it has no encoder"):
        decoder.to_c(encoder=True)
    for prefix in ("", "1st", "_x", "x_", "a__b", "a-b", "ä", "a" * 41):
        with pytest.raises(libae.ArgumentError, match="a prefix of names in C is"):
            model.to_c(prefix=prefix)
    with pytest.raises(libae.ArgumentError, match="NUL"):
        model.to_c(prefix="a\0b")
    with pytest.raises(TypeError):
        model.to_c(prefix=3)
    with pytest.raises(libae.FileError) as caught:
        model.to_c("/nowhere/decoder.c")
    assert caught.value.filename == "/nowhere/decoder.c"
    assert decoder.to_c(prefix="a1_b") == model.to_c(prefix="a1_b")


def test_prefixes_and_names_do_not_break_the_file(exported, tmp_path):
    made = exported("dense")
    assert 'of the model "den..se"' in made.text
    # Two in one program.
    for prefix in ("a", "if"):
        made.model.to_c(tmp_path / f"{prefix}.c", prefix=prefix, encoder=True)
    both = '#include "a.c"\n#include "if.c"\nint main(void) { return a_WIDTH - if_WIDTH; }\n'
    (tmp_path / "main.c").write_text(both)
    subprocess.run([CC, *STRICT, "main.c", "-o", "main"], cwd=tmp_path, check=True)
    subprocess.run([tmp_path / "main"], check=True)
