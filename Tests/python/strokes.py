"""Images for the tests: one stroke each, drawn from a seed. No file is needed for them."""

import numpy as np


def draw(count: int, height: int = 28, width: int = 28, seed: int = 0) -> np.ndarray:
    """`count` images of a soft stroke each: (count, height, width) uint8, bright on black.

    Place, direction and length are all that differs, so a small model learns them in a second; a little
    noise keeps them from being deflated to less than their codes.
    """
    random = np.random.default_rng(seed)
    side = max(height, width)
    middle = random.uniform(0.4, 0.6, (count, 1, 2)) * (height - 1, width - 1)
    angle = random.uniform(0, np.pi, (count, 1))
    along = np.stack([np.sin(angle), np.cos(angle)], axis=-1)
    offset = np.stack(np.mgrid[:height, :width], axis=-1).reshape(1, -1, 2) - middle
    reach = side * random.uniform(0.15, 0.3, (count, 1))
    place = np.clip((offset * along).sum(-1), -reach, reach)
    distance = np.linalg.norm(offset - place[..., None] * along, axis=-1)
    ink = 250 * np.exp(-((distance / (side / 8)) ** 2))
    noise = random.integers(0, 4, ink.shape)
    return (ink + noise).astype(np.uint8).reshape(-1, height, width)


def idx(images: np.ndarray) -> bytes:
    """The images as an IDX file, the format of MNIST's."""
    sizes = np.array(images.shape, ">u4").tobytes()
    return bytes([0, 0, 8, images.ndim]) + sizes + np.ascontiguousarray(images).tobytes()


def read_pgm(data: bytes) -> np.ndarray:
    """The pixels of a binary PGM."""
    magic, width, height, limit, pixels = data.split(maxsplit=4)
    assert (magic, limit) == (b"P5", b"255")
    # The split takes white space at the start of the pixels for more of the header's.
    pixels = data[-int(width) * int(height) :]
    return np.frombuffer(pixels, np.uint8).reshape(int(height), int(width))


def draw_colour(count: int, height: int, width: int, channels: int, seed: int) -> np.ndarray:
    """(count, height, width, channels) uint8: strokes, each image in a colour of its own."""
    drawn = draw(count, height, width, seed=seed)[..., None]
    if channels == 1:
        return drawn
    colours = np.random.default_rng(seed).uniform(0.2, 1, (count, 1, 1, channels))
    return np.rint(drawn * colours).astype(np.uint8)
