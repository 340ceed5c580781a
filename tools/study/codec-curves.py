"""Makes tools/study/Study/CodecCurves.swift of what `make bench-codecs` measured of other codecs.

That is docs/data/codecs.json, or without it the tables of docs/compression.md; the study's chart has the
mosaics' bytes and PSNR. A test of the tool checks that the file is what this makes of them.

usage: codec-curves.py [--check]      status: 1 if the file differs, 3 if nothing is measured
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/compression.md"
DATA = ROOT / "docs/data/codecs.json"
FILE = ROOT / "tools/study/Study/CodecCurves.swift"
NAMES = {"avifenc": "AVIF", "cjxl": "JPEG XL", "cwebp": "WebP", "opj_compress": "JPEG 2000"}


def curves(page: str) -> dict[str, list[tuple[str, str]]]:
    """Of each codec its points: bytes per image and decibels, as the page has them."""
    found: dict[str, list[tuple[str, str]]] = {}
    name = None
    for line in page.splitlines():
        head = re.match(r"\| (\w+) .*\| mosaic, bytes/image \|", line)
        if head:
            name = NAMES[head[1]]
            found[name] = []
        elif not line.startswith("|"):
            name = None
        elif name and not line.startswith("| ---"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            found[name].append((cells[1], cells[3]))
    return found


def measured() -> dict[str, list[tuple[str, str]]]:
    """The same of what is written for programs, if it is there."""
    if not DATA.exists():
        return curves(PAGE.read_text())
    return {
        curve["codec"]: [(f"{p['bytes_per_image']:.1f}", f"{p['psnr_db']:.1f}") for p in curve["points"]]
        for curve in json.loads(DATA.read_text())["curves"]
        if curve["codec"] != "aez" and curve["form"] == "mosaic"
    }


def swift(found: dict[str, list[tuple[str, str]]]) -> str:
    assert len(found) == len(NAMES), found
    assert all(len(points) > 3 for points in found.values()), found
    text = [
        "// Other codecs' bytes and picture quality on MNIST's test images, for the study's chart. Made by",
        "// tools/study/codec-curves.py of what `make bench-codecs` wrote.",
        "",
        "enum CodecCurves {",
        "  /// Points of one codec: one mosaic of all 10,000 images.",
        "  struct Codec {",
        "    let name: String",
        "    let points: [(bytesPerImage: Double, decibels: Double)]",
        "  }",
        "",
        '  static let source = "as `make bench-codecs` measured them, docs/compression.md"',
        "",
        "  static let all: [Codec] = [",
    ]
    for name, points in found.items():
        text += ["    Codec(", f'      name: "{name}",', "      points: ["]
        row = "       "
        for size, psnr in points:
            cell = f" ({size}, {psnr}),"
            if len(row) + len(cell) > 100:
                text.append(row)
                row = "       "
            row += cell
        text += [row, "      ]),"]
    return "\n".join([*text, "  ]", "}"]) + "\n"


if __name__ == "__main__":
    found = measured()
    if not found:
        print("other codecs have not been measured: docs/compression.md has no lossy part")
        sys.exit(3)
    made = swift(found)
    if sys.argv[1:] == ["--check"]:
        if FILE.read_text() != made:
            sys.exit(f"{FILE} is not what `make bench-codecs` wrote: run tools/study/codec-curves.py")
    else:
        FILE.write_text(made)
