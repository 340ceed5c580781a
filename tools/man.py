#!/usr/bin/env python3
"""Writes the lists of options in docs/aez.1 that come from the engine's tables.

The built tool prints the tables (`aez options --json`); what stands between the comments `BEGIN options of
COMMAND` and `END` is replaced. With --check the page is left alone, and a stale one ends with status 1.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/aez.1"


def escaped(text: str) -> str:
    """Text as roff takes it; flags are bold."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = re.sub(r"(?<![\w\\])\\-\\-[a-z][a-z\\-]*[a-z]", lambda flag: f"\\fB{flag[0]}\\fR", text)
    return "\\&" + text if text.startswith((".", "'")) else text


def entry(row: dict) -> str:
    """One option."""
    head = escaped(row["flag"]).replace("\\fB", "").replace("\\fR", "")
    head = f"\\fB{head}\\fR"
    if row["letter"]:
        head = f"\\fB{escaped(row['letter'])}\\fR, {head}"
    if row["type"] != "flag":
        head += f" \\fI{'word' if row['type'] == 'choice' else row['type']}\\fR"
    lines = [".TP", head, escaped(row["documentation"])]
    if row["type"] != "flag":
        notes = [row["range"]] if row["range"] else []
        notes.append(f"default: {row['default']}")
        lines.append(escaped(f"({'; '.join(notes)})"))
    return "\n".join(lines)


def generated(page: str, tables: dict[str, list[dict]]) -> str:
    """The page with the lists of these tables."""
    for command, rows in tables.items():
        text = "\n".join(entry(row) for row in rows if not row["implied"])
        begin, end = f'.\\" BEGIN options of {command}\n', '.\\" END\n'
        start = page.index(begin) + len(begin)
        page = page[:start] + text + "\n" + page[page.index(end, start) :]
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 if the page is stale")
    parser.add_argument("--tool", default=os.environ.get("AEZ", str(ROOT / ".build/release/aez")))
    arguments = parser.parse_args()
    done = subprocess.run([arguments.tool, "options", "--json"], check=True, capture_output=True, text=True)
    page = PAGE.read_text()
    made = generated(page, json.loads(done.stdout))
    if made == page:
        return
    if arguments.check:
        sys.exit("docs/aez.1 does not have the options that the tool has: run make man")
    PAGE.write_text(made)


if __name__ == "__main__":
    main()
