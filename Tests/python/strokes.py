"""Images for the tests: a few anti-aliased strokes each, drawn from a seed. No file is needed for them."""

import numpy as np


def draw(count: int, height: int = 28, width: int = 28, seed: int = 0) -> np.ndarray:
    """`count` images of two strokes each: (count, height, width) uint8, bright on black."""
    random = np.random.default_rng(seed)
    scale = np.array([height - 1, width - 1], np.float64)
    start, middle, end = random.uniform(0.15, 0.85, (3, count, 2)) * scale
    pixels = np.stack(np.mgrid[:height, :width], axis=-1).reshape(1, -1, 2)
    distance = np.full((count, height * width), np.inf)
    for a, b in ((start, middle), (middle, end)):
        along = (b - a)[:, None]
        length = np.maximum((along**2).sum(-1), 1e-9)
        place = np.clip(((pixels - a[:, None]) * along).sum(-1) / length, 0, 1)
        nearest = a[:, None] + place[..., None] * along
        distance = np.minimum(distance, np.sqrt(((pixels - nearest) ** 2).sum(-1)))
    radius = max(height, width) / 18
    return np.rint(255 * np.clip(radius + 0.5 - distance, 0, 1)).astype(np.uint8).reshape(-1, height, width)


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
