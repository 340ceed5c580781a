"""Writes docs/study.md, and its pictures into docs/images, from the folder of a full `aez study`.

What the page says beside numbers is in NOTES, by experiment; every number comes from results.json.

usage: page.py FOLDER
"""

import json
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/study.md"
IMAGES = ROOT / "docs/images"
NOTES = ROOT / "tools/study/notes.md"


def notes() -> dict[str, str]:
    """The paragraphs under each "## KEY" of the notes."""
    found: dict[str, str] = {}
    for part in NOTES.read_text().split("\n## ")[1:]:
        key, _, text = part.partition("\n")
        found[key.strip()] = text.strip()
    return found


def cells(values) -> str:
    return "| " + " | ".join(str(value) for value in values) + " |"


def picture(folder: Path, name: str, words: str) -> str:
    shutil.copyfile(folder / name, IMAGES / f"study-{name}")
    return f"![{words}](images/study-{name})"


def figure(folder: Path, data: dict) -> list[str]:
    kind = data["type"]
    if kind == "table":
        lines = [cells(data["columns"]), cells(["---"] + ["--:"] * (len(data["columns"]) - 1))]
        lines += [cells(row) for row in data["rows"]]
    elif kind == "strips":
        lines = [cells(["", "", ""]), cells(["---", "---", "---"])]
        for row in data["rows"]:
            lines.append(cells([row["label"], picture(folder, row["file"], row["label"]), row["note"]]))
    else:
        lines = [picture(folder, data["file"], data.get("alt", data["caption"]).replace("\n", " "))]
    return [*lines, "", f"*{data['caption']} {data['run']}*", ""]


def minutes(folder: Path) -> float:
    """Minutes of training and measuring that the kept files tell of."""
    seconds = 0.0
    for path in (folder / "kept").glob("*.json"):
        kept = json.loads(path.read_text())
        if kept.get("curve"):
            seconds += kept["curve"][-1][1]
        seconds += kept.get("seconds", 0)
    return seconds / 60


def adopted(folder: Path) -> list[str]:
    """The presets whose networks were trained before the study ran."""
    kept = [json.loads(path.read_text()) for path in sorted((folder / "kept").glob("*.json"))]
    return [Path(record["trained"]).stem for record in kept if record.get("trained")]


def write(folder: Path) -> None:
    results = json.loads((folder / "results.json").read_text())
    study = results["study"]
    if (study["scale"], study["data"]) != ("full", "MNIST"):
        sys.exit(f"{folder} holds no full study of MNIST")
    for old in IMAGES.glob("study-*"):
        old.unlink()
    said = notes()
    before = adopted(folder)
    threads = f"{results['threads']} thread{'' if results['threads'] == 1 else 's'}"
    text = [
        "# The study, run",
        "",
        f"`aez study{' --trained models' if before else ''} -o study` wrote the numbers and pictures of "
        "this page, and `tools/study/page.py study` the page. It ran on MNIST "
        f"({study['train_images']:,} images to learn from, {study['test_images']:,} to measure on), with "
        f"{results['kernels']} kernels and {threads}; training and measuring took {minutes(folder):.0f} "
        "minutes by the clock of a machine that was busy with other work as well. The page that the command "
        "writes, with the latent explorer, is not in this tree."
        + (
            " Not among these minutes are the networks that had been trained before, by "
            + ", ".join(f"`aez train mnist:train --preset {name}`" for name in before)
            + ": [results.md](results.md) has theirs."
            if before
            else ""
        ),
        "",
        said["opening"],
        "",
    ]
    for number, (key, found) in enumerate(results["experiments"].items(), 1):
        text += [f"## {number}. {found['title']}", "", f"**{found['finding']}**", ""]
        for remark in found["remarks"]:
            text += [remark, ""]
        if said.get(key):
            text += [said[key], ""]
        for data in found["figures"]:
            text += figure(folder, data)
    PAGE.write_text("\n".join(text).rstrip() + "\n")
    size = sum(path.stat().st_size for path in IMAGES.glob("study-*"))
    print(f"{PAGE}: {PAGE.stat().st_size:,} bytes; pictures {size:,} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip().splitlines()[-1])
    write(Path(sys.argv[1]))
