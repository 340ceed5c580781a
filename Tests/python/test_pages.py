"""What README, docs/tool.md and docs/import.md tell their readers to type, typed.

Other pages are run beside the tests of what they are about.

Every test of a page has the mark `page`: `make wheel PAGES=1` runs those on an installed wheel.
"""

import os
import re
import subprocess
from pathlib import Path

import libae
import numpy as np
import pytest
import strokes
from test_programs import blocks

pytestmark = pytest.mark.page


def indented(text):
    """The code of a page that is indented by four columns: pieces between blank lines, in order."""
    found = re.findall(r"(?:^    .*\n)+", text, re.MULTILINE)
    return [re.sub(r"^    ", "", piece, flags=re.MULTILINE) for piece in found]


def section(root, title):
    """The pieces of code of a section of README.md."""
    return indented((root / "README.md").read_text().split(f"\n## {title}\n")[1].split("\n## ")[0])


def replaced(code, *changes):
    """Code with some of it changed, all of which must be there."""
    for old, new in changes:
        assert old in code, old
        code = code.replace(old, new)
    return code


@pytest.fixture(scope="module")
def aez(root):
    """The tool, as a path."""
    tool = Path(os.environ.get("AEZ") or root / ".build" / "release" / "aez")
    if not tool.is_file():
        pytest.skip("there is no tool: AEZ does not name it")
    return tool.resolve()


@pytest.fixture
def shell(aez, tmp_path):
    """Runs commands in a folder that has what the pages speak of."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "aez").symlink_to(aez)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"

    def run(command):
        done = subprocess.run(
            ["sh", "-ec", command],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    digits = strokes.draw(200, seed=1)
    (tmp_path / "mnist-test.idx").write_bytes(strokes.idx(strokes.draw(600, seed=2)))
    for name in ("digits.idx", "mnist-train.idx"):
        (tmp_path / name).write_bytes(strokes.idx(digits))
    np.save(tmp_path / "photos.npy", strokes.draw_colour(60, 32, 32, 3, seed=2))
    np.save(tmp_path / "more.npy", strokes.draw_colour(20, 32, 32, 3, seed=3))
    np.save(tmp_path / "icons.npy", strokes.draw_colour(30, 32, 32, 4, seed=4))
    run(
        "for set in icons photos; do\n"
        "  aez compress $set.npy --exact --fast -o $set.aez; aez decompress $set.aez -o $set/\n"
        "done\n"
        "aez compress digits.idx --exact --fast -o letters.aez\n"
        "for folder in letters more-letters folder-of-pngs; do aez decompress letters.aez -o $folder/; done\n"
        "rm icons.aez photos.aez letters.aez icons.npy"
    )
    return run


def typed(commands):
    """Commands with images that are here, and few steps."""
    for line in commands.splitlines():
        command = line.split(" #")[0].strip()
        if not command or command.startswith(("aez fetch", "make ", "aez study")):
            continue
        command = re.sub(r"\bmnist:(train|test)\b", r"mnist-\1.idx", command)
        command = re.sub(r"--images \d+", "--images 500", command)
        if re.match(r"aez train .*--exact\b", command):
            command += " --exact-steps 20"
        elif "--resume" not in command and "--steps" in command:
            command = re.sub(r"--steps \d+", "--steps 20", command)
        elif command.startswith("aez train") and "--resume" not in command:
            command += " --steps 20"
        command = command.replace(" residual-vae", " residual-vae --hidden 8,8,32")
        # A checkpoint is what remains of a run that was stopped, and is gone at the end of one that was not.
        if "--checkpoint-every" in command:
            command = re.sub(r"--checkpoint-every \d+", "--checkpoint-every 5", command)
            command = command.replace("--steps 20", "--steps 400")
            command += " & until [ -f vae.aew.checkpoint ]; do sleep 0.02; done; kill $!; wait $! || true"
        yield command


def test_the_commands_of_the_readme(root, shell, tmp_path):
    commands = list(typed("\n".join(section(root, "From the command line"))))
    assert len(commands) == 9
    for command in commands:
        shell(command)
    for name in ("digits.aez", "icons.aez", "more.aez", "folder.aez"):
        assert (tmp_path / name).stat().st_size > 0
    restored = (tmp_path / "restored-idx3-ubyte").read_bytes()
    assert restored[:16] == (tmp_path / "digits-idx3-ubyte").read_bytes()[:16]


def test_the_commands_of_the_tools_page(root, shell, tmp_path):
    text = (root / "docs" / "tool.md").read_text().split("## At work")[1].split("\n## ")[0]
    commands = [command for block in indented(text) for command in typed(block)]
    assert len(commands) > 30
    for command in commands:
        shell(command)
    assert "30 of 32 x 32 x 4" in shell("aez info icons.aez")
    assert np.load(tmp_path / "codes.npy").shape[0] == 600


def test_the_c_code_of_the_readme(root, library, tmp_path):
    include, codes, written, read, *commands = section(root, "From C")
    assert commands[0].startswith("cc program.c $(pkg-config")
    digits = strokes.draw(100, seed=5)
    libae.train(digits, latent_size=6, hidden=(32,), steps=20).save(tmp_path / "mine.aew")
    (tmp_path / "digits").write_bytes(digits.tobytes())
    (tmp_path / "program.c").write_text(
        f"""#include <stdio.h>
#include <stdlib.h>
{include}
static unsigned char pixels[100 * 784], image[784];
static size_t count = 100;
static int next(const unsigned char *images, size_t *some) {{
  static int calls;
  *some = 100;
  return images != NULL && calls++ < 2;
}}
static int code(void) {{
{codes}  free(codes);
  return 0;
}}
static void sets(void) {{
  const unsigned char *images = pixels;
{written}{replaced(read, ("123456", "123"))}}}
int main(void) {{
  FILE *file = fopen("digits", "rb");
  if (!file || fread(pixels, 784, 100, file) != 100)
    return 1;
  fclose(file);
  sets();
  puts(ae_last_error());
  return code() || fwrite(image, 1, 784, stdout) != 784;
}}
"""
    )
    cc = os.environ.get("CC", "cc")
    build = [cc, "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{root / 'include'}", "program.c", library]
    subprocess.run([*build, f"-Wl,-rpath,{library.parent}", "-o", "program"], cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "program"], cwd=tmp_path, check=True, stdout=subprocess.PIPE)
    error, image = done.stdout[:-784], np.frombuffer(done.stdout[-784:], np.uint8).reshape(28, 28)
    assert error == b"\n"
    assert len(libae.ImageSet.open(tmp_path / "digits.aez")) == 200
    np.testing.assert_array_equal(image, libae.ImageSet.open(tmp_path / "digits.aez")[123])


def test_the_python_code_of_the_readme(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    digits = strokes.draw(300, seed=5)
    names = {"digits": digits, "rgb": strokes.draw_colour(60, 32, 32, 3, seed=2)}
    install, code = section(root, "From Python")[:2]
    assert install.startswith("pip install ./bindings/python ")
    fewer = [('"quick"', '"quick", steps=20'), ("train_predictor(rgb", "train_predictor(rgb, steps=20")]
    exec(replaced(code, *fewer), names)
    assert names["again"].shape == digits.shape
    assert names["some"].shape == (3, 28, 28)
    assert names["codes"].shape == (300, 16)


@pytest.mark.parametrize("place", ["sklearn", "torch", "zarr", "dask"])
def test_the_places_of_the_readme(root, tmp_path, monkeypatch, place):
    pytest.importorskip({"dask": "dask.array"}.get(place, place))
    monkeypatch.chdir(tmp_path)
    digits = strokes.draw(300, seed=5)
    Path("digits.aez").write_bytes(libae.compress(digits, exact=True))
    names = {"digits": digits, "rows": digits.reshape(300, -1) / 255.0}
    (code,) = [piece for piece in section(root, "From Python") if f" libae.{place}" in piece]
    exec(code.replace("latent_size=8", "latent_size=8, steps=20"), names)
    if place == "sklearn":
        assert names["codes"].shape == (300, 8)
    elif place == "torch":
        assert sum(len(batch) for batch in names["loader"]) == 300
    elif place == "zarr":
        np.testing.assert_array_equal(names["zarr"].open("digits.zarr")[:], digits)
    else:
        assert Path("all.aez").read_bytes() == libae.compress(digits, exact=True)


@pytest.mark.filterwarnings("ignore:.* are stored as pixels")  # the network has learned nothing
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the exporter that needs no package of its own
def test_the_code_of_the_page_on_imports(root, tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    for module in ("onnx", "safetensors"):
        pytest.importorskip(module)
    nn = torch.nn
    monkeypatch.chdir(tmp_path)

    class Network(nn.Module):
        def __init__(self, channels, side):
            super().__init__()
            self.channels, self.side = channels, side
            self.inward, self.outward = nn.Linear(channels * side**2, 8), nn.Linear(8, channels * side**2)

        def encode(self, x):
            return self.inward(x.flatten(1))

        def decode(self, z):
            return torch.sigmoid(self.outward(z)).view(-1, self.channels, self.side, self.side)

    pieces = blocks(root / "docs" / "import.md", "python")
    assert len(pieces) == 3
    digit = Network(1, 28)
    export = {"input_names": ["x"], "dynamic_axes": {"x": {0: "n"}}, "dynamo": False}
    encoder, decoder = nn.Sequential(nn.Flatten(), digit.inward), nn.Sequential(digit.outward, nn.Sigmoid())
    torch.onnx.export(encoder, torch.zeros(1, 1, 28, 28), "encoder.onnx", **export)
    torch.onnx.export(decoder, torch.zeros(1, 8), "decoder.onnx", **export)
    names = {"encoder": encoder, "decoder": decoder, "vae": Network(3, 64)}
    names["images"] = strokes.draw_colour(120, 64, 64, 3, seed=2)
    for piece in pieces:
        exec(piece, names)
    assert names["model"].image_shape == (28, 28)
    assert libae.Model.open("mine.aew").image_shape == (64, 64, 3)
