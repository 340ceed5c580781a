"""The image sets that are measured, and the layouts in which codecs of single pictures get them.

Files come from AE_MNIST and AE_IMAGES; all other sets are drawn here, the same ones every time. A set that is
not at hand is named and left out.
"""

import gzip
import importlib.util
import math
import os
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Callable, Optional

import numpy as np
from bench import AEZ, KEPT, ROOT
from PIL import Image

WORK = KEPT / "sets"
SEED = 20261129  # not that of the sets which the universal predictor was trained on
HELD_OUT = 500  # of CIFAR-10 and GTSRB, whose other images it was trained on


class Missing(Exception):
    """What is not at hand."""


@dataclass(frozen=True)
class ImageSet:
    name: str
    what: str
    make: Callable  # images, [N, H, W] or [N, H, W, C] of bytes
    training: Optional[Callable] = None  # images of the same kind to train on
    # What the universal predictor has seen of it: the kind's other images, or nothing.
    is_known: bool = False
    limit: Optional[int] = None

    @property
    def images(self):
        return made(self)

    @property
    def channels(self):
        return 1 if self.images.ndim == 3 else self.images.shape[3]

    @property
    def shape(self):
        sides = " x ".join(str(side) for side in self.images.shape[1:3])
        return sides + {1: "", 3: " RGB", 4: " RGBA"}[self.channels]


@lru_cache(maxsize=2)
def made(image_set):
    return np.ascontiguousarray(image_set.make()[: image_set.limit])


# ---- Files ----


def folder(variable):
    path = os.environ.get(variable)
    if not path:
        raise Missing(f"{variable} is not set")
    return Path(path)


@lru_cache(maxsize=4)
def idx(variable, stem):
    for path, opener in ((folder(variable) / stem, open), (folder(variable) / f"{stem}.gz", gzip.open)):
        if path.exists():
            with opener(path, "rb") as file:
                data = file.read()
            count, height, width = np.frombuffer(data, ">i4", 3, 4)
            return np.frombuffer(data, np.uint8, offset=16).reshape(count, height, width)
    raise Missing(f"no {stem} in {variable}")


@lru_cache(maxsize=2)
def part(name):
    path = folder("AE_IMAGES") / f"{name}-part-rgb.npz"
    if not path.exists():
        raise Missing(f"no {path.name} in AE_IMAGES")
    return np.load(path)["images"]


def mnist(split="t10k"):
    return idx("AE_MNIST", f"{split}-images-idx3-ubyte")


def fashion():
    return idx("AE_IMAGES", "fashion-test-images-idx3-ubyte")


def cifar(reduced=lambda images: images):
    return reduced(part("cifar10")[-HELD_OUT:])


def gtsrb(reduced=lambda images: images):
    return reduced(part("gtsrb")[-HELD_OUT:])


# ---- Drawn here ----


@lru_cache(maxsize=1)
def drawing():
    """The module that draws what the universal predictor is trained on."""
    path = ROOT / "tools/universal/sets.py"
    spec = importlib.util.spec_from_file_location("universal_sets", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fonts():
    try:
        return drawing().fonts()
    except SystemExit as error:
        raise Missing(str(error)) from None


def grey(images):
    return drawing().grey(images)


def glyphs(side, count, seed=SEED):
    return drawing().glyphs(np.random.default_rng([seed, side]), fonts(), side, count)


def icons(count, seed=SEED):
    random, names = np.random.default_rng([seed, 4]), fonts()
    return np.stack([drawing().drawn_large(random, names, 16, True) for _ in range(count)])


def drawn_digits(count):
    path = WORK / "drawn.npy"
    WORK.mkdir(parents=True, exist_ok=True)
    options = ["--count", str(count), "--seed", str(SEED), "--force", "--quiet"]
    subprocess.run([AEZ, "draw", *options, "-o", path], check=True)
    return np.load(path)


def tiled(images, across):
    """Pictures of across x across images side by side."""
    count = len(images) // across**2
    sides = images.shape[1:3]
    grid = images[: count * across**2].reshape(count, across, across, *images.shape[1:]).swapaxes(2, 3)
    return grid.reshape(count, across * sides[0], across * sides[1], *images.shape[3:])


def noise(count):
    return np.random.default_rng(SEED).integers(0, 256, (count, 28, 28), np.uint8)


def flat(count):
    greys = np.random.default_rng(SEED).integers(0, 256, count, np.uint8)
    return np.repeat(greys, 28 * 28).reshape(count, 28, 28)


SETS = (
    ImageSet("mnist", "MNIST test images", mnist, lambda: mnist("train"), True),
    ImageSet("fashion", "Fashion-MNIST test images", fashion,
             lambda: idx("AE_IMAGES", "fashion-train-images-idx3-ubyte"), True),
    ImageSet("usps", "USPS test images", lambda: idx("AE_IMAGES", "usps-test-images-idx3-ubyte"),
             lambda: idx("AE_IMAGES", "usps-train-images-idx3-ubyte"), True),
    ImageSet("cifar-grey", "CIFAR-10 photographs in grey", lambda: cifar(grey),
             lambda: grey(part("cifar10")[:-HELD_OUT]), True),
    ImageSet("cifar-colour", "CIFAR-10 photographs", cifar, lambda: part("cifar10")[:-HELD_OUT], True),
    ImageSet("gtsrb-grey", "GTSRB traffic signs in grey", lambda: gtsrb(grey),
             lambda: grey(part("gtsrb")[:-HELD_OUT]), True),
    ImageSet("gtsrb-colour", "GTSRB traffic signs", gtsrb, lambda: part("gtsrb")[:-HELD_OUT], True),
    ImageSet("pictures-64", "four CIFAR-10 photographs as one picture", lambda: tiled(cifar(), 2)),
    ImageSet("glyphs-16", "letters of fonts", lambda: glyphs(16, 2000),
             lambda: glyphs(16, 6000, SEED + 1), True),
    ImageSet("glyphs-28", "letters of fonts", lambda: glyphs(28, 2000),
             lambda: glyphs(28, 6000, SEED + 1), True),
    ImageSet("glyphs-48", "letters of fonts", lambda: glyphs(48, 500),
             lambda: glyphs(48, 2000, SEED + 1), True),
    ImageSet("icons-16", "icons of shapes and letters", lambda: icons(1000),
             lambda: icons(3000, SEED + 1), True),
    ImageSet("inverted", "MNIST test digits inverted (255 - v)", lambda: 255 - mnist()[:2000]),
    ImageSet("drawn", "digits by `aez draw`", lambda: drawn_digits(2000)),
    ImageSet("bilevel", "Fashion-MNIST test images in 2 levels",
             lambda: (fashion()[:2000] >= 128).astype(np.uint8) * 255),
    ImageSet("levels-16", "Fashion-MNIST test images in 16 levels", lambda: fashion()[:2000] // 16 * 17),
    ImageSet("flat", "flat images, one grey each", lambda: flat(500)),
    ImageSet("noise", "noise, every value as likely", lambda: noise(500)),
)  # fmt: skip

# As people have them: folders of pictures, one file each.
FOLDERS = (
    ImageSet("icons", "icons", lambda: icons(500)),
    ImageSet("pictures", "photographs of CIFAR-10", cifar),
    ImageSet("greys", "nine grey photographs or traffic signs as one",
             lambda: tiled(np.concatenate([cifar(grey), gtsrb(grey)]), 3)),
)  # fmt: skip


# ---- Layouts ----


def picture(images):
    """One image, [H, W] or [H, W, C], for Pillow."""
    return Image.fromarray(images)


def mosaic(images):
    """All as one picture, as square as may be; what is left over is black."""
    across = math.isqrt(len(images) - 1) + 1
    down = -(-len(images) // across)
    filled = np.zeros((across * down, *images.shape[1:]), np.uint8)
    filled[: len(images)] = images
    grid = filled.reshape(down, across, *images.shape[1:]).swapaxes(1, 2)
    return grid.reshape(down * images.shape[1], across * images.shape[2], *images.shape[3:])


def strip(images):
    """All as one picture, one below the other."""
    return images.reshape(-1, *images.shape[2:])


def sample(count, of):
    """Evenly spaced."""
    return range(0, of, max(of // count, 1))[:count]


def pixels_of(path, like):
    """What a picture's file holds, in the channels of `like`."""
    mode = "L" if like.ndim == 2 else {3: "RGB", 4: "RGBA"}[like.shape[2]]
    with Image.open(path) as image:
        return np.asarray(image.convert(mode))
