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
make --no-print-directory -C examples BUILD="$build" AEZ="$aez" MODEL="$PWD/models/mnist-30.aew" ${CC:+CC="$CC"} \
  ${CXX:+CXX="$CXX"}

"$aez" draw --count 10 --seed 3 -o "$build/digits-idx3-ubyte" --force --quiet
for program in digits digits-cpp; do
  env -i "$build/$program" models/mnist-30.aew "$build/digits-idx3-ubyte" "$build/$program.pgm"
  [ "$(head -c 2 "$build/$program.pgm")" = P5 ]
done
cmp "$build/digits.pgm" "$build/digits-cpp.pgm"
# A header of 16 bytes, then the pixels of 10 images of 28 x 28.
tail -c +17 "$build/digits-idx3-ubyte" | env -i "$build/stream" 28 28 >"$build/digits.aez"
"$aez" decompress "$build/digits.aez" --force --quiet -o "$build/streamed-idx3-ubyte"
cmp "$build/digits-idx3-ubyte" "$build/streamed-idx3-ubyte"
env -i "$build/default_model" | grep -q '^digits-high: 28 x 28 pixels'
env -i "$build/default_model" exact | grep -q 'lossless'
env -i "$build/embedded_decoder" >"$build/embedded_decoder.out"
[ -s "$build/embedded_decoder.out" ]
[ "$(env -i "$build/ascii_digit" | wc -l)" -eq 28 ]
echo "the examples are in $build"
