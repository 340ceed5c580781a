"""Makes the sets that the universal predictor is trained on, beside MNIST, Fashion-MNIST and USPS.

usage: python tools/universal/sets.py IMAGES OUT

IMAGES is a folder with cifar10-part-rgb.npz and gtsrb-part-rgb.npz, whose last 500 images are left out, to
measure on. Glyphs, icons and flat graphics are rendered from the fonts that this machine has, at least those
of Debian's fonts-dejavu. Needs numpy and Pillow. The same fonts and versions give the same sets.
"""

import pathlib
import sys

import numpy as np
from PIL import Image, ImageDraw, ImageFont

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
LETTERS += "&@#%?!+=<>{}[]()*/$~^ÄÖÜßéñçøåαβγδλμπσφωΣΩЖДБЯФ"


def fonts():
    found = sorted(pathlib.Path("/usr/share/fonts").rglob("*.[to]tf"))
    if not found:
        sys.exit("sets.py: no fonts in /usr/share/fonts: install fonts-dejavu")
    return [str(path) for path in found]


def glyph(random, fonts, side, mode="L", ink=255, back=0):
    """One letter somewhere near the middle, mostly anti-aliased."""
    font = ImageFont.truetype(fonts[random.integers(len(fonts))], int(side * random.uniform(0.5, 1.1)))
    image = Image.new(mode, (side, side), back)
    draw = ImageDraw.Draw(image)
    if random.random() < 0.15:
        draw.fontmode = "1"
    text = LETTERS[random.integers(len(LETTERS))]
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    x = (side - right - left) / 2 + random.uniform(-0.1, 0.1) * side
    y = (side - bottom - top) / 2 + random.uniform(-0.1, 0.1) * side
    draw.text((x, y), text, font=font, fill=ink)
    return image


def glyphs(random, fonts, side, count):
    return np.stack([np.asarray(glyph(random, fonts, side)) for _ in range(count)])


def colour(random):
    return tuple(int(v) for v in random.integers(0, 256, 3))


def shapes(random, image, count):
    """Discs, boxes and lines of flat colours."""
    draw = ImageDraw.Draw(image)
    side = image.size[0]
    for _ in range(count):
        a, b = random.integers(0, side, 2), random.integers(0, side, 2)
        box = [int(min(a[0], b[0])), int(min(a[1], b[1])), int(max(a[0], b[0])), int(max(a[1], b[1]))]
        fill = colour(random) + ((255,) if image.mode == "RGBA" else ())
        kind = random.integers(4)
        if kind == 0:
            draw.ellipse(box, fill=fill)
        elif kind == 1:
            draw.rectangle(box, fill=fill)
        elif kind == 2:
            draw.rounded_rectangle(box, radius=side // 6, fill=fill)
        else:
            draw.line(box, fill=fill, width=int(random.integers(1, 1 + side // 8)))


def gradient(random, side):
    """A linear gradient between two colours, [side, side, 3]."""
    angle = random.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0:side, 0:side] / max(side - 1, 1)
    t = np.clip((x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle) + 0.5, 0, 1)[..., None]
    return np.round((1 - t) * np.array(colour(random)) + t * np.array(colour(random))).astype(np.uint8)


def drawn_large(random, fonts, side, has_alpha):
    """A picture of flat shapes, drawn at four times its size and reduced, or as it is."""
    scale = 4 if random.random() < 0.7 else 1
    large = side * scale
    mode = "RGBA" if has_alpha else "RGB"
    back = (0, 0, 0, 0) if has_alpha else colour(random)
    image = Image.new(mode, (large, large), back)
    if not has_alpha and random.random() < 0.3:
        image = Image.fromarray(gradient(random, large))
    shapes(random, image, int(random.integers(1, 5)))
    if random.random() < 0.5:
        font = ImageFont.truetype(fonts[random.integers(len(fonts))], int(large * random.uniform(0.4, 0.9)))
        text = LETTERS[random.integers(len(LETTERS))]
        fill = colour(random) + ((255,) if has_alpha else ())
        ImageDraw.Draw(image).text((large * 0.2, large * 0.05), text, font=font, fill=fill)
    if scale > 1:
        way = Image.Resampling.BOX if random.random() < 0.5 else Image.Resampling.LANCZOS
        image = image.resize((side, side), way)
    return np.asarray(image)


def grey(images):
    """ITU-R BT.601 luma, rounded."""
    parts = images.astype(np.int64)
    return ((299 * parts[..., 0] + 587 * parts[..., 1] + 114 * parts[..., 2] + 500) // 1000).astype(np.uint8)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    random, names = np.random.default_rng(1), fonts()
    for side, count in ((16, 6000), (28, 6000), (48, 2000)):
        np.save(out / f"glyphs-{side}.npy", glyphs(random, names, side, count))
    for side, count in ((16, 3000), (32, 1500)):
        icons = [drawn_large(random, names, side, True) for _ in range(count)]
        np.save(out / f"icons-{side}.npy", np.stack(icons))
    np.save(out / "flat-32.npy", np.stack([drawn_large(random, names, 32, False) for _ in range(1500)]))
    np.save(out / "gradients-32.npy", np.stack([gradient(random, 32) for _ in range(500)]))
    for name in ("cifar10", "gtsrb"):
        images = np.load(source / f"{name}-part-rgb.npz")["images"][:-500]
        np.save(out / f"{name}-rgb.npy", images)
        np.save(out / f"{name}-grey.npy", grey(images))
        # Pictures of other sizes: four of them as one, and every one at half its size.
        halves = images.astype(np.int64).reshape(len(images), 16, 2, 16, 2, 3).sum((2, 4))
        np.save(out / f"{name}-16.npy", ((halves + 2) // 4).astype(np.uint8))


if __name__ == "__main__":
    main()
