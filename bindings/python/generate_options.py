"""Writes src/libae/_option_types.py: the keywords of the library's tables of options, for type checkers.

At run time the package asks the library itself, and needs none of this. A test runs it with --check.

usage: python bindings/python/generate_options.py [--check]
       LIBAE_LIBRARY names the library, unless it is in the package or the system's.
"""

from __future__ import annotations

import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parent / "src"
OUT = SOURCE / "libae" / "_option_types.py"

HEAD = '''\
"""Keywords of the library's tables of options, for type checkers. At run time the package asks the library.

Written by generate_options.py: not to be edited.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict
'''


def text(options, tables) -> str:
    """The file."""
    parts = [HEAD]
    for table in tables:
        name = f"{table.capitalize()}Options"
        parts.append(f'\n\nclass {name}(TypedDict, total=False):\n    """Options of {table}."""\n\n')
        for option in options(table):
            if option.is_implied:
                continue
            line = f"    {option.key}: {option.annotation}\n"
            if len(line) > 110:
                words = "".join(f'        "{choice}",\n' for choice in option.choices)
                line = f"    {option.key}: Literal[\n{words}    ] | None\n"
            parts.append(line)
    return "".join(parts)


def main() -> int:
    sys.path.insert(0, str(SOURCE))
    import libae
    from libae import _foreign

    made = text(libae.options, _foreign.TABLES)
    if sys.argv[1:] == ["--check"]:
        if not OUT.exists() or OUT.read_text() != made:
            print(f"{OUT} is stale: run {Path(__file__).name}", file=sys.stderr)
            return 1
        return 0
    OUT.write_text(made)
    return 0


if __name__ == "__main__":
    sys.exit(main())
