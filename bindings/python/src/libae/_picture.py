"""What notebooks show: a picture of a few images, a PNG made with zlib alone, and a table of facts, in HTML.

Modules are imported where they are used: most programs show nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

# Of images that are not wide.
COLUMNS = 10
# Of the sheet.
WIDTH = 640


def columns(width: int) -> int:
    """How many images stand side by side."""
    return max(1, min(COLUMNS, WIDTH // width))


def count(width: int) -> int:
    """How many are shown: as many as make two rows."""
    return 2 * columns(width)


def png(image: npt.NDArray[np.uint8]) -> bytes:
    """An image, (H, W) or, of 3 or 4 channels, (H, W, C), as a PNG file."""

    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    height, width = image.shape[:2]
    channels = 1 if image.ndim == 2 else image.shape[2]
    # Each row begins with its filter, none.
    rows = np.zeros((height, width * channels + 1), np.uint8)
    rows[:, 1:] = image.reshape(height, width * channels)
    head = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows.tobytes(), 9))
        + chunk(b"IEND", b"")
    )


def grid(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Images, (N, H, W) or (N, H, W, C), in rows of at most ten, a grey line between them."""
    number, height, width, *channels = images.shape
    across = min(columns(width), number)
    rows = -(-number // across)
    sheet = np.full((rows * (height + 1) + 1, across * (width + 1) + 1, *channels), 128, np.uint8)
    if channels == [4]:
        sheet[..., 3] = 255
    for index, image in enumerate(images):
        top, left = (index // across) * (height + 1) + 1, (index % across) * (width + 1) + 1
        sheet[top : top + height, left : left + width] = image
    return sheet


def html(
    images: npt.NDArray[np.uint8] | None, sentence: str, facts: Mapping[str, str] | None = None
) -> str:
    """The sentence, above it the images, if there are any, small ones twice their size, and below it a table
    of facts by their names."""
    import base64
    from html import escape

    text = f"<div>{escape(sentence)}</div>"
    if facts:
        rows = (f"<tr><th>{escape(name)}</th><td>{escape(fact)}</td></tr>" for name, fact in facts.items())
        text += f"<table>{''.join(rows)}</table>"
    if images is None or len(images) == 0:
        return text
    sheet = grid(images)
    scale = 2 if images.shape[2] <= WIDTH // COLUMNS else 1
    data: Any = base64.b64encode(png(sheet)).decode("ascii")
    return (
        f'<img src="data:image/png;base64,{data}" width="{scale * sheet.shape[1]}" '
        f'height="{scale * sheet.shape[0]}" '
        f'style="image-rendering: pixelated" alt="{escape(sentence)}">{text}'
    )
