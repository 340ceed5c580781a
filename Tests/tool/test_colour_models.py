"""Models of images in 3 and 4 channels: every command that takes a model, and what images become for it."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import fails, ok, run
from imagefiles import npy, png, read_npy, read_png

HEIGHT, WIDTH, COUNT = 5, 6, 24
NOTE = (
    "note        24 images are few, and a network learns few by heart: the training figure says little of "
    "other images\n            --validation-fraction 0.2 holds a fifth of them out and measures on those\n"
)


def pictures(channels: int, seed: int = 3) -> np.ndarray:
    """Two ramps that are mixed by chance, of other colours each."""
    random = np.random.default_rng(seed)
    y, x, c = np.indices((HEIGHT, WIDTH, channels))
    parts = np.stack([20 + 9 * x + 25 * c, 200 - 30 * y - 10 * c])
    images = np.einsum("nk,kyxc->nyxc", random.uniform(0.1, 0.9, (COUNT, 2)), parts).round()
    return images.clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module", params=[3, 4])
def made(tmp_path_factory, request) -> tuple[Path, np.ndarray]:
    """images.npy of so many channels, and model.aew for them."""
    folder = tmp_path_factory.mktemp("models")
    images = pictures(request.param)
    (folder / "images.npy").write_bytes(npy(images))
    options = ("--kind", "vae", "--latent-size", 2, "--hidden", "8", "--steps", 300, "--batch-size", 24)
    report = ok("train", "images.npy", *options, "-o", "model.aew", cwd=folder).text
    assert f"images      24 of 6 x 5 x {request.param}\n" in report
    assert NOTE in report
    return folder, images


def test_every_command_takes_a_model_in_colour(made):
    folder, images = made
    channels = images.shape[3]
    shape, of = f"6 x 5 x {channels}", ("--model", "model.aew")
    facts = json.loads(ok("info", "model.aew", "--json", cwd=folder).text)
    assert (facts["width"], facts["height"], facts["channels"]) == (6, 5, channels)
    assert f"network     {shape}, {30 * channels}-8-2 and back\n" in ok("info", "model.aew", cwd=folder).text
    ok("encode", "images.npy", *of, "-o", "codes.npy", cwd=folder)
    report = ok("decode", "codes.npy", *of, "-o", "decoded.npy", cwd=folder).text
    assert f"images  24 of {shape}\n" in report
    decoded = read_npy((folder / "decoded.npy").read_bytes())
    assert decoded.shape == images.shape
    mse = np.square(decoded.astype(float) - images).mean() / 65025
    measured = json.loads(ok("eval", "images.npy", *of, "--json", cwd=folder).text)
    assert measured["mse"] == pytest.approx(mse, rel=0.05)
    assert measured["channels"] == channels
    ok("decode", "codes.npy", *of, "-o", "one/", "--as", "png", cwd=folder)
    assert np.array_equal(read_png((folder / "one/00003.png").read_bytes()), decoded[3])
    report = ok("sample", *of, "--count", 4, "-o", "samples.npy", cwd=folder).text
    assert f"images  4 of {shape}\n" in report
    ok("reconstruct", "images.npy", *of, "--count", 2, "-o", "pairs.png", cwd=folder)
    assert read_png((folder / "pairs.png").read_bytes()).shape == (11, 13, channels)
    what, others = ("transparency", ".png or .pam") if channels == 4 else ("colours", ".png, .ppm or .pam")
    for command in (("sample", *of), ("decode", "codes.npy", *of), ("reconstruct", "images.npy", *of)):
        message = f"x.pgm: PGM files do not hold {what}, which the images have: write them as {others}"
        fails(1, message, *command, "-o", "x.pgm", cwd=folder)
    ok("export", "model.aew", "--storage", "int8", "-o", "int8.aew", "-f", cwd=folder)
    ok("quantize", "images.npy", *of, "-o", "again.aew", "-f", cwd=folder)
    assert len(ok("qualities", "images.npy", *of, cwd=folder).text.splitlines()) == 8
    ok("test", "model.aew", cwd=folder)


def test_sets_of_codes_in_colour_come_back(made):
    folder, images = made
    channels, of = images.shape[3], ("--model", "model.aew")

    def packed(*command) -> str:
        # Whether so few steps make a good model is no matter here.
        done = run(*command, cwd=folder)
        assert done.code == 0, done.err
        return done.out.decode()

    report = packed("compress", "images.npy", *of, "--embed-model", "-o", "set.aez")
    assert f"24 of 6 x 5 x {channels}\n" in report
    ok("test", "set.aez", cwd=folder)
    ok("decompress", "set.aez", "-o", "back.npy", cwd=folder)
    back = read_npy((folder / "back.npy").read_bytes())
    assert back.shape == images.shape
    assert np.abs(back.astype(int) - images).mean() < 20
    # With int8 weights and with a preview the same codes.
    packed("compress", "images.npy", "--model", "int8.aew", "-o", "int8.aez")
    ok("decompress", "int8.aez", *of, "-o", "int8.npy", cwd=folder)
    assert (folder / "int8.npy").read_bytes() == (folder / "back.npy").read_bytes()
    packed("compress", "images.npy", *of, "--exact", "--preview", "-o", "exact.aez")
    ok("decompress", "exact.aez", *of, "-o", "exact.npy", cwd=folder)
    assert np.array_equal(read_npy((folder / "exact.npy").read_bytes()), images)
    packed("append", "set.aez", "images.npy", *of)
    assert json.loads(ok("info", "set.aez", "--json", cwd=folder).text)["images"] == 48


def test_training_goes_on_from_a_model_in_colour(made):
    folder, _ = made
    ok("train", "images.npy", "--start", "model.aew", "--steps", 2, "-o", "next.aew", "-f", cwd=folder)
    whole = ("--kind", "linear", "--latent-size", 2, "--hidden", "8", "--batch-size", 8)
    check = ("--checkpoint-every", 20, "--checkpoint", "part.aew")
    ok("train", "images.npy", *whole, "--steps", 30, *check, "-o", "whole.aew", "-f", cwd=folder)
    ok("train", "images.npy", "--resume", "part.aew", "-o", "resumed.aew", "-f", cwd=folder)
    assert (folder / "resumed.aew").read_bytes() == (folder / "whole.aew").read_bytes()
    (folder / "wide.npy").write_bytes(npy(np.zeros((3, 5, 7), np.uint8)))
    done = run("train", "wide.npy", "--resume", "part.aew", "-o", "x.aew", cwd=folder)
    shape = f"6 x 5 x {pictures_of(folder)}"
    assert done.code == 1
    assert f"the checkpoint part.aew is of a network for {shape}: name the images" in done.err


def pictures_of(folder: Path) -> int:
    return read_npy((folder / "images.npy").read_bytes()).shape[3]


def test_images_become_what_the_model_takes(made):
    folder, images = made
    channels = images.shape[3]
    form = "RGB" if channels == 3 else "RGBA"
    (folder / "grey.npy").write_bytes(npy(images[..., 0]))
    done = run("encode", "grey.npy", "--model", "model.aew", "-o", "grey-codes.npy", "-f", cwd=folder)
    assert done.code == 0
    assert done.err == (
        f"aez: grey.npy: 24 of 24 images have fewer channels and are taken as {form}, "
        "the pixels being the same\n"
    )
    # The same as if they had been told.
    alike = np.repeat(images[..., :1], channels, 3)
    if channels == 4:
        alike[..., 3] = 255
    (folder / "alike.npy").write_bytes(npy(alike))
    ok("encode", "alike.npy", "--model", "model.aew", "-o", "alike-codes.npy", "-f", cwd=folder)
    assert (folder / "grey-codes.npy").read_bytes() == (folder / "alike-codes.npy").read_bytes()
    # What a model cannot take.
    if channels == 3:
        (folder / "alpha.npy").write_bytes(npy(pictures(4)))
        for command in (("encode", "-o", "x.npy"), ("compress", "-o", "x.aez"), ("eval",)):
            other = ", or keep every pixel with --exact" if command[0] == "compress" else ""
            message = (
                'alpha.npy: images are 6 x 5 x 4, the model "vae" takes 6 x 5 x 3: train one of this shape '
                f"(aez train alpha.npy -o mine.aew, then --model mine.aew){other}"
            )
            fails(1, message, command[0], "alpha.npy", "--model", "model.aew", *command[1:], cwd=folder)
    # A grey model makes grey of them, and says so.
    options = ("--kind", "pca", "--latent-size", 2)
    ok("train", "images.npy", "--grey", *options, "-o", "grey.aew", "-f", cwd=folder)
    assert json.loads(ok("info", "grey.aew", "--json", cwd=folder).text)["channels"] == 1
    done = run("encode", "images.npy", "--model", "grey.aew", "-o", "x.npy", "-f", cwd=folder)
    what = "colours" if channels == 3 else "colours and transparency"
    assert done.code == 0
    assert done.err == (
        f"aez: images.npy: has {what} and is taken as 8-bit grey (--grey says that this is meant)\n"
    )


def test_a_folder_of_pictures_trains_a_model_of_their_channels(tmp_path):
    images = pictures(3)
    (tmp_path / "in").mkdir()
    for index, image in enumerate(images):
        (tmp_path / f"in/{index:02}.png").write_bytes(png(image))
    ok("train", "in", "--kind", "pca", "--latent-size", 3, "-o", "m.aew", "--quiet", cwd=tmp_path)
    assert json.loads(ok("info", "m.aew", "--json", cwd=tmp_path).text)["channels"] == 3
    ok("compress", "in", "--model", "m.aew", "-o", "a.aez", cwd=tmp_path)
    ok("decompress", "a.aez", "--model", "m.aew", "-o", "out/", cwd=tmp_path)
    back = np.stack([read_png((tmp_path / f"out/{index:02}.png").read_bytes()) for index in range(COUNT)])
    assert np.abs(back.astype(int) - images).mean() < 6
