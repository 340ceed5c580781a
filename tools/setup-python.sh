#!/usr/bin/env bash
# Makes .venv, the Python environment of the tests, from tools/requirements.txt. It is kept until that
# list changes; nothing outside the tree is touched.
#
# usage: tools/setup-python.sh      environment: PYTHON
set -euo pipefail
cd "$(dirname "$0")/.."

stamp=.venv/requirements.txt
if [ -x .venv/bin/python ] && cmp -s tools/requirements.txt "$stamp"; then exit 0; fi
tools/setup.sh python
"${PYTHON:-python3}" -m venv --clear .venv
pip=(.venv/bin/python -m pip install --quiet --disable-pip-version-check --retries 5 -r tools/requirements.txt)
if ! "${pip[@]}"; then
  # Without a network: what this Python has already may be enough.
  echo "setup-python: pip cannot install tools/requirements.txt; trying the system's packages" >&2
  "${PYTHON:-python3}" -m venv --clear --system-site-packages .venv
  .venv/bin/python -c 'import numpy, pytest, setuptools' || exit 1
fi
cp tools/requirements.txt "$stamp"
