"""A picture of a few images for notebooks: a PNG, made with zlib alone, inside a line of HTML.

Modules are imported where they are used: most programs show nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

# As many as make two rows.
COLUMNS = 10
COUNT = 2 * COLUMNS


def png(image: npt.NDArray[np.uint8]) -> bytes:
    """A grey image, (H, W), as a PNG file."""

    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    height, width = image.shape
    # Each row begins with its filter, none.
    rows = np.zeros((height, width + 1), np.uint8)
    rows[:, 1:] = image
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows.tobytes(), 9))
        + chunk(b"IEND", b"")
    )


def grid(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Images, (N, H, W), in rows of ten, a grey line between them."""
    count, height, width = images.shape
    columns = min(COLUMNS, count)
    rows = -(-count // columns)
    sheet = np.full((rows * (height + 1) + 1, columns * (width + 1) + 1), 128, np.uint8)
    for index, image in enumerate(images):
        top, left = (index // columns) * (height + 1) + 1, (index % columns) * (width + 1) + 1
        sheet[top : top + height, left : left + width] = image
    return sheet


def html(images: npt.NDArray[np.uint8] | None, sentence: str) -> str:
    """The sentence, and above it the images, if there are any, twice their size."""
    import base64
    from html import escape

    text = f"<div>{escape(sentence)}</div>"
    if images is None or len(images) == 0:
        return text
    sheet = grid(images)
    data: Any = base64.b64encode(png(sheet)).decode("ascii")
    return (
        f'<img src="data:image/png;base64,{data}" width="{2 * sheet.shape[1]}" height="{2 * sheet.shape[0]}" '
        f'style="image-rendering: pixelated" alt="{escape(sentence)}">{text}'
    )
