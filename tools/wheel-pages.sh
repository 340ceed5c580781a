#!/usr/bin/env bash
# Tries the wheel in dist/ as its readers would: a new environment, `pip install` of it with its extras, the code of its
# page on PyPI, and then what README and every page of docs/ tell to type in a shell, in Python and in C. Each step is
# timed, from nothing on. Nothing of bindings/python is used but that page, and tests are run whose mark is `page`.
#
# usage: tools/wheel-pages.sh   environment: PYTHON; EXTRAS (default: all but torch, which is large); CC
set -euo pipefail
cd "$(dirname "$0")/.."

extras=${EXTRAS:-sklearn,zarr,dask,onnx,safetensors,progress}
work=$PWD/.build/wheel/pages
wheel=$(ls dist/libae-*_"$(uname -m)".whl 2>/dev/null | tail -n 1)
if [ -z "$wheel" ]; then
  echo "wheel-pages: there is no wheel in dist/: run make wheel" >&2
  exit 1
fi
unset LIBAE_LIBRARY LIBAE_PREBUILT AE_MODEL_PATH PYTHONPATH
rm -rf "$work" && mkdir -p "$work"

# timed WORDS COMMAND... runs a command and says how long it took, and how long all so far did.
start=$(date +%s.%N)
timed() {
  local what=$1 from now
  from=$(date +%s.%N)
  shift
  "$@"
  now=$(date +%s.%N)
  awk -v a="$start" -v b="$from" -v c="$now" -v w="$what" 'BEGIN { printf "%6.1f s, %6.1f in all  %s\n", c - b, c - a, w }'
}

timed "a new environment" "${PYTHON:-python3}" -m venv "$work/python"
python=$work/python/bin/python
timed "pip install of $(basename "$wheel"), $(stat -c %s "$wheel") bytes, and numpy" \
  "$python" -m pip install --quiet --disable-pip-version-check "$wheel"
timed "the first result: 1,000 images compressed and restored" "$python" -I -c '
import libae, numpy
images = numpy.tile(numpy.arange(784, dtype=numpy.uint8).reshape(28, 28), (1000, 1, 1))
assert (libae.decompress(libae.compress(images, exact=True)) == images).all()'
timed "the extras $extras, and what pages use beside them" "$python" -m pip install --quiet --disable-pip-version-check \
  "$wheel[$extras]" pytest skops xarray "dask[distributed]"
export LIBAE_INSTALLED=1 AEZ=${AEZ:-$PWD/.build/release/aez}
timed "what the pages say" "$python" -m pytest -q -p no:cacheprovider -m page -o addopts="-ra --strict-markers" \
  --durations=0 --durations-min=0.2 Tests/python
