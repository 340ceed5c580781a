#!/usr/bin/env bash
# Runs the benchmark in a virtual environment of its own, .build/bench-venv, with the peers that
# requirements.txt names. What is wanted of bench.py comes after: --quick, sections.
#
# usage: tools/bench/bench.sh [--quick] [SECTION ...]     environment: BENCH_PYTHON (a Python that has the
#                                                         peers), BENCH_PROGRAM (what to run instead of
#                                                         bench.py), PYTHON, AE_MNIST, CC, SWIFT, PROCESSOR
#                                                         (avx2: AVX-512 and VNNI are hidden from all sides)
set -euo pipefail
cd "$(dirname "$0")/../.."

python=${BENCH_PYTHON:-}
if [ -z "$python" ]; then
  python=$PWD/.build/bench-venv/bin/python
  stamp=.build/bench-venv/requirements.txt
  if ! cmp -s tools/bench/requirements.txt "$stamp"; then
    tools/setup.sh python
    "${PYTHON:-python3}" -m venv --clear .build/bench-venv
    # PyTorch's builds for the CPU alone have an index of their own; where it is out of reach, any other will do.
    pip=("$python" -m pip install --quiet --disable-pip-version-check)
    "${pip[@]}" --retries 0 --timeout 15 --index-url https://download.pytorch.org/whl/cpu \
      "$(grep '^torch==' tools/bench/requirements.txt)" || echo "bench: PyTorch from the ordinary index instead" >&2
    "${pip[@]}" -r tools/bench/requirements.txt
    cp tools/bench/requirements.txt "$stamp"
  fi
fi
case ${PROCESSOR:-} in
"") ;;
avx2)
  mkdir -p .build/bench
  "${CC:-cc}" -O1 -fPIC -shared -o .build/bench/hide_avx512.so tools/bench/hide_avx512.c
  export LD_PRELOAD=$PWD/.build/bench/hide_avx512.so
  ;;
*)
  echo "bench: PROCESSOR=$PROCESSOR: avx2 is what a processor can be measured as" >&2
  exit 1
  ;;
esac
exec "$python" "${BENCH_PROGRAM:-tools/bench/bench.py}" "$@"
