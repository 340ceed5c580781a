"""digits.c in Python, with the package `libae`.

    python3 digits.py MODEL.aew IMAGES.idx OUT.pgm

encodes the first ten images of an IDX file, decodes them, and writes a PGM with the inputs in the first
row, the outputs in the second and, if the model is variational, ten new digits in the third.
"""

import sys
from pathlib import Path

import libae
import numpy as np

COLUMNS = 10


def read_idx(path: str, shape: "tuple[int, int]") -> np.ndarray:
    """The first images of an IDX file of images of that shape."""
    data = np.fromfile(path, np.uint8)
    if data.size < 16 or data[:4].tolist() != [0, 0, 8, 3]:
        raise ValueError(f"{path}: no IDX file of images")
    _, height, width = (int(number) for number in data[4:16].view(">u4"))
    if (height, width) != shape:
        raise ValueError(f"{path}: images of {height} x {width}, the model takes {shape[0]} x {shape[1]}")
    return data[16:].reshape(-1, height, width)[:COLUMNS]


def main(weights: str, idx: str, out: str) -> None:
    """Makes the picture `out`."""
    model = libae.Model.open(weights)
    inputs = read_idx(idx, model.image_shape)
    latents = model.encode(inputs)
    rows = [inputs, model.decode(latents, dtype=np.uint8)]
    if model.info.is_variational:
        rows.append(model.sample(COLUMNS, seed=1, dtype=np.uint8))

    numbers = " ".join(f"{number:.3f}" for number in latents[0])
    height, width = model.image_shape
    print(
        f"{model.name}: {height * width} pixels to {model.latent_size} numbers; the first image is {numbers}"
    )

    picture = np.zeros((len(rows), COLUMNS, height, width), np.uint8)
    for number, row in enumerate(rows):
        picture[number, : len(row)] = row
    # (row, column, y, x) to (row, y, column, x): lines of the whole picture.
    lines = picture.swapaxes(1, 2).reshape(len(rows) * height, COLUMNS * width)
    Path(out).write_bytes(b"P5\n%d %d\n255\n" % lines.shape[::-1] + lines.tobytes())


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: digits.py MODEL.aew IMAGES.idx OUT.pgm")
    try:
        main(*sys.argv[1:])
    except (libae.Error, OSError, ValueError) as error:
        sys.exit(f"digits.py: {error}")
