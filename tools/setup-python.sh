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
.venv/bin/python -m pip install --quiet --disable-pip-version-check --retries 5 -r tools/requirements.txt
cp tools/requirements.txt "$stamp"
