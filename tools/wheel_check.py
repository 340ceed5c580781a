"""Uses the installed package as its page on PyPI says: the shell commands of README.md, then its code.

The last line printed is a hash of image sets, which is the same on every machine.

usage: wheel_check.py README.md ENVIRONMENT [quick]

To be run in a folder with strokes.py, by the environment's Python; quick: with fewer images and steps.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, os.getcwd())
import strokes  # noqa: E402

page, environment = Path(sys.argv[1]).read_text(), Path(sys.argv[2])
is_quick = sys.argv[3:] == ["quick"]
assert shutil.which("swift") is None, "Swift is here, and must not be"


def blocks(language: str) -> "list[str]":
    """The page's code of a language."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    assert found, f"README.md has no {language} code"
    return found


# pip itself has run already; the other commands are taken as they stand.
colours = np.stack([strokes.draw(40, 20, 24, seed=seed) for seed in range(3)], axis=-1)
np.save("images.npy", colours)
install, *commands = "".join(blocks("sh")).splitlines()
assert install == "pip install libae", install
assert len(commands) == 2, commands
for command in commands:
    subprocess.run(
        ["/bin/sh", "-c", command],
        check=True,
        env={"PATH": f"{environment / 'bin'}{os.pathsep}/usr/bin:/bin"},
    )
np.testing.assert_array_equal(np.load("again.npy"), colours)
assert Path("images.aez").stat().st_size < colours.nbytes / 2

import libae  # noqa: E402

assert Path(libae.library_path).is_relative_to(environment.resolve()), libae.library_path
assert {name for name in os.environ if name.startswith(("LIBAE_", "AE_"))} == set()
digits = strokes.draw(20 if is_quick else 600)
for code in blocks("python"):
    if is_quick:
        assert "steps=300" in code
        code = code.replace("steps=300", "steps=3")
    exec(compile(code, "README.md", "exec"), {"digits": digits})
for name in (None, "digits-low", "digits-high", "exact", "mnist-30", "universal", "digits-low-small"):
    libae.default_model(name)
print(f"wheel: {libae.build_info()}")
sets = hashlib.sha256()
for options in ({}, {"exact": True}, {"max_error": 2}):
    packed = libae.compress(strokes.draw(20, seed=5), **options)
    sets.update(packed)
    sets.update(libae.decompress(packed).tobytes())
sets.update(libae.compress(colours[:10], exact=True))
print(f"wheel: sets {sets.hexdigest()}")
