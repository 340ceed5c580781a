"""What a type checker says of the package, and of programs that misspell or mistake its options."""

import os
import subprocess
import sys

import pytest

RIGHT = """
import libae
import numpy as np
import typing_extensions

images = np.zeros((9, 28, 28), np.uint8)
model = libae.train(images, kind="vae", steps=3, progress=lambda progress: progress.step < 2)
trainer = libae.Trainer((28, 28), latent_size=3, hidden=[5, 6], preset="quick", start=model)
trainer.fit(images)
trainer.fit(images, True)
bars = [libae.train(images, progress=True), libae.train_predictor(images, progress=False)]
context = libae.Context(threads=2)
packed: bytes = libae.compress(images, model, exact=True, progress=lambda done, count: done < count)
libae.compress_file("set.aez", images, quality=3, mode="lossy", context=context)
with libae.ImageSet.open(packed) as opened:
    shape: tuple[int, ...] = opened.shape
    corner = opened[3, 4:8, ..., None]
with libae.ImageSetWriter("set.aez", model, block_images=64) as writer:
    writer.add(images, names=["a"] * 9)
made = libae.Model.from_tensors(model.description, model.tensors()).quantize(images)
fitted = made.fit_lossless(images, steps=3)


def mine(**options: "typing_extensions.Unpack[libae.CompressionOptions]") -> bytes:
    return libae.compress(images, **options)


"""

WRONG = {
    "libae.train(images, step=3)": '"step" for "train"',
    "libae.train(images, latent_dim=3)": '"latent_dim" for "train"',
    'libae.train(images, steps="3")': "incompatible type",
    "libae.Trainer(hiden=(3,))": '"hiden" for "Trainer"',
    "libae.Trainer.resume(b'', interval=3)": '"interval" for "resume"',
    "libae.compress(images, qualty=3)": '"qualty" for "compress"',
    "libae.compress_file('x', images, lables=None)": '"lables" for "compress_file"',
    "libae.ImageSetWriter('x', block_image=3)": '"block_image" for "ImageSetWriter"',
    "model.quantize(images, rate_traned=True)": '"rate_traned" for "quantize"',
    "model.fit_lossless(images, step=1)": '"step" for "fit_lossless"',
    "libae.train(images, kind='gan')": "incompatible type",
    "libae.train(images, presets='quick')": '"presets" for "train"',
    "libae.Context(thread=2)": '"thread" for "Context"',
}


def test_type_checkers_know_the_options(root, tmp_path):
    if (
        subprocess.run([sys.executable, "-c", "import mypy"], capture_output=True, check=False).returncode
        != 0
    ):
        pytest.skip("mypy is not installed (tools/requirements.txt)")
    source = root / "bindings" / "python" / "src"
    program = tmp_path / "program.py"
    program.write_text(RIGHT + "\n".join(WRONG) + "\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", tmp_path / "cache"]
        + [program, source / "libae"],
        env={**os.environ, "MYPYPATH": str(source)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    first = RIGHT.count("\n") + 1
    for number, (call, words) in enumerate(WRONG.items(), first):
        found = [line for line in errors if line.startswith(f"{program}:{number}:")]
        assert len(found) == 1, f"{call}: {done.stdout}"
        assert words in found[0]
    # And nothing else: the package itself is sound, and so is what is right.
    assert len(errors) == len(WRONG), done.stdout
