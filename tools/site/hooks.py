"""What mkdocs is told beyond mkdocs.yml: README is the first page, CHANGELOG one too, links find pages."""

import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[2]
PAGES = {"index.md": "README.md", "changelog.md": "CHANGELOG.md"}
OUTSIDE = re.compile(r"\[([^\]\[]*)\]\(\.\./([^)\s]+)\)")
LINK = re.compile(r"\[([^\]\[]*)\]\(([^)\s]+)\)")


def as_on_site(text):
    """A page of the root as one of docs/: links into docs/ lead to pages, others become names of files."""

    def link(match):
        label, target = match.groups()
        if target.startswith(("http:", "https:", "#")):
            return match.group()
        if target.startswith("docs/"):
            return f"[{label.removeprefix('docs/')}]({target.removeprefix('docs/')})"
        for page, source in PAGES.items():
            if target == source:
                return f"[{label}]({page})"
        return label if label == target else f"{label} (`{target}`)"

    return LINK.sub(link, text)


def on_files(files, config):
    for page, source in PAGES.items():
        files.append(File.generated(config, page, content=as_on_site((ROOT / source).read_text())))
    return files


def on_page_markdown(markdown, **_):
    """What leads out of docs/ is a name of a file there, too."""
    return OUTSIDE.sub(lambda match: f"`{match[2]}`", markdown)
