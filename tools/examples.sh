#!/usr/bin/env bash
# Builds the example programs against the library installed under PREFIX and runs those that need no more
# than the default model and digits drawn by the tool.
#
# usage: tools/examples.sh PREFIX [BUILD-FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."

prefix=${1%/}
build=${2:-$PWD/.build/examples}
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
if ! pkg-config --exists libae; then
  echo "examples: libae is not installed under $prefix: run make install PREFIX=$prefix" >&2
  exit 1
fi
aez=$prefix/bin/aez
mkdir -p "$build"
make --no-print-directory -C examples BUILD="$build" AEZ="$aez" MODEL="$PWD/models/default.aew" ${CC:+CC="$CC"} \
  ${CXX:+CXX="$CXX"}

"$aez" draw --count 10 --seed 3 -o "$build/digits-idx3-ubyte" --force --quiet
for program in digits digits-cpp; do
  env -i "$build/$program" models/default.aew "$build/digits-idx3-ubyte" "$build/$program.pgm"
  [ "$(head -c 2 "$build/$program.pgm")" = P5 ]
done
cmp "$build/digits.pgm" "$build/digits-cpp.pgm"
env -i "$build/embedded_decoder" >"$build/embedded_decoder.out"
[ -s "$build/embedded_decoder.out" ]
echo "the examples are in $build"
