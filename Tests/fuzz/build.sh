#!/usr/bin/env bash
# Builds the library with AddressSanitizer, UndefinedBehaviorSanitizer and coverage, once for all, in .build/sanitize,
# and from it what is named: run (the mutator), harness (libFuzzer), conformance. Prints "skipped" and ends with
# status 3 where the toolchain lacks what that takes.
#
# usage: Tests/fuzz/build.sh [run] [harness] [conformance]      environment: SWIFT
set -euo pipefail
cd "$(dirname "$0")/../.."

SWIFT=${SWIFT:-swift}
out=.build/sanitize
clang=$(dirname "$(command -v "$SWIFT")")/clang
[ -x "$clang" ] || clang=clang
undefined=(-fsanitize=undefined -fno-sanitize-recover=undefined)
mkdir -p "$out/bin"

echo 'int main(void) { return 0; }' >"$out/none.c"
if ! "$clang" -fsanitize=address "${undefined[@]}" "$out/none.c" -o "$out/none" 2>"$out/none.log" || ! "$out/none"; then
  echo "skipped  a program under the address and undefined-behaviour sanitizers does not link or run here"
  exit 3
fi
echo '#include <stddef.h>
#include <stdint.h>
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count) { (void)data; return (int)(count & 0); }' >"$out/none.c"
if [[ " $* " == *" harness "* ]] && ! "$clang" -fsanitize=fuzzer,address "$out/none.c" -o "$out/none" 2>"$out/none.log"; then
  echo "skipped  libFuzzer is not in this toolchain"
  exit 3
fi

tools/swift-build.sh --product ae --scratch-path "$out" --sanitize address \
  -Xswiftc -sanitize=fuzzer -Xcc -fsanitize=fuzzer-no-link,undefined -Xcc -fno-sanitize-recover=undefined >"$out/build.log" 2>&1 ||
  { cat "$out/build.log"; exit 1; }

# Swift's runtime beside the program: what the toolchain's own driver would pass.
swift=$("${SWIFT}c" -print-target-info | sed -n 's/.*"runtimeResourcePath": "\(.*\)".*/\1/p')
flags=(-g -O1 -std=c11 -Wall -Wextra -Werror -Iinclude -Itools/CPNG/include -fsanitize=address "${undefined[@]}")
runtime=("-L$swift/linux" "-Wl,-rpath,$swift/linux" "$swift/linux/x86_64/swiftrt.o" -lswiftCore -lswiftSwiftOnoneSupport
  -lswift_Concurrency -lswiftSynchronization -lswiftGlibc -lz -lm -lpthread -ldl -lstdc++)
runtime[2]=$(ls "$swift"/linux/*/swiftrt.o | head -n 1)
modules=$out/release
objects=$(tr -d "'\"" <"$modules/ae.product/Objects.LinkFileList")

for target in "$@"; do
  case $target in
  conformance)
    "$clang" -fuse-ld=lld -std=c99 -O1 -g -DORDINARY_SWIFT -fsanitize=address "${undefined[@]}" -Iinclude Tests/conformance/*.c -o "$out/bin/conformance" \
      -L"$modules" -lae "-Wl,-rpath,$PWD/$modules" -lm -lpthread
    continue
    ;;
  esac
  maps=()
  for module in CKernels CPixels CScan CSystem; do
    maps+=(-Xcc "-fmodule-map-file=$modules/$module.build/module.modulemap" -Xcc "-ISources/$module/include")
  done
  if [ ! -f "$out/readers.o" ] || [ -n "$(find Tests/fuzz/Readers.swift tools/kit/JSON*.swift "$modules/libae.so" -newer "$out/readers.o")" ]; then
    "${SWIFT}c" -O -wmo -parse-as-library -module-name Readers -package-name libae -sanitize=address -sanitize=fuzzer -I "$modules/Modules" -I Sources/CZlib \
      "${maps[@]}" -c Tests/fuzz/Readers.swift tools/kit/JSON.swift tools/kit/JSONReader.swift -o "$out/readers.o"
  fi
  case $target in
  run) sources=(Tests/fuzz/run.c) fuzzer=() ;;
  harness) sources=(Tests/fuzz/harness.c) fuzzer=(-fsanitize=fuzzer) ;;
  esac
  # The mutator and the runner are no part of what is tried: as they are, and fast.
  for source in mutate "${sources[0]##*/}"; do
    "$clang" -g -O2 -std=c11 -Wall -Wextra -Werror -Iinclude -c "Tests/fuzz/${source%.c}.c" -o "$out/${source%.c}.o"
  done
  # shellcheck disable=SC2086
  "$clang" -fuse-ld=lld "${flags[@]}" "${fuzzer[@]}" -fsanitize=fuzzer-no-link Tests/fuzz/readers.c tools/CPNG/png.c \
    "$out/mutate.o" "$out/${target}.o" "$out/readers.o" $objects "${runtime[@]}" -lpng -o "$out/bin/$target"
done
