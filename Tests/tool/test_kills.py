"""Kills at random moments leave the old file or the new one; by hand, Tests/kill.py does a thousand."""

import os
import subprocess
import sys

from conftest import ROOT, TOOL


def test_kills_tear_nothing_and_leave_nothing():
    env = {**os.environ, "AEZ": str(TOOL)}
    done = subprocess.run(
        [sys.executable, ROOT / "Tests/kill.py", "18"], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
