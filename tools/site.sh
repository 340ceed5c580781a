#!/usr/bin/env bash
# Makes the site of docs/, .build/site, with MkDocs in a virtual environment of its own, .build/site-venv. A link or an
# anchor that leads nowhere, and a page that the navigation lacks, are errors.
#
# usage: tools/site.sh     environment: PYTHON     exit status: 3 if MkDocs cannot be installed
set -euo pipefail
cd "$(dirname "$0")/.."

venv=.build/site-venv
if ! cmp -s tools/site/requirements.txt "$venv/requirements.txt"; then
  tools/setup.sh python
  "${PYTHON:-python3}" -m venv --clear "$venv"
  pip=("$venv/bin/python" -m pip install --quiet --disable-pip-version-check --retries 5)
  if ! "${pip[@]}" -r tools/site/requirements.txt; then
    echo "site: pip cannot install tools/site/requirements.txt" >&2
    exit 3
  fi
  cp tools/site/requirements.txt "$venv/requirements.txt"
fi
NO_MKDOCS_2_WARNING=1 "$venv/bin/mkdocs" build --quiet --clean -f tools/site/mkdocs.yml
echo "site: $PWD/.build/site/index.html"
