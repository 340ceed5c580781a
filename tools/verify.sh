#!/usr/bin/env bash
# The long trainings behind docs/results.md, hours of them: see tools/verify.py. Stop it at any time and call
# it again; what is finished stays.
#
# usage: tools/verify.sh [RUN ...]      environment: SWIFT, AE_MNIST, AE_VERIFY
set -euo pipefail
cd "$(dirname "$0")/.."

if [ ! -d "${AE_MNIST:-}" ]; then
  echo "tools/verify.sh: set AE_MNIST to the folder with the four MNIST files" >&2
  exit 1
fi
env -u CC -u CXX "${SWIFT:-swift}" build -c release --product aez
tools/setup-python.sh
.venv/bin/python -m pip install --quiet --disable-pip-version-check scikit-learn
.venv/bin/python tools/verify.py "$@"
