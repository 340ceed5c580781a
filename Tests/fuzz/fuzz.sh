#!/bin/sh
# Builds a harness of this folder with libFuzzer and AddressSanitizer, and runs it. (The C interface has its own
# script, abi.sh.)
#
#   Tests/fuzz/fuzz.sh NAME SECONDS      NAME: FuzzWeightFile, FuzzImageSet, FuzzImages or FuzzPNG
#
# Seeds are the golden and attack files. Inputs that were worth keeping go to .build/fuzz/corpus/NAME; one that
# ends the process is left in .build/fuzz/NAME-crash-*.
set -eu
cd "$(dirname "$0")/../.."
name=$1
seconds=$2
out=.build/fuzz
corpus=$out/corpus/$name
mkdir -p "$corpus"

if [ -f "Tests/fuzz/$name.c" ]; then
  clang -g -O1 -fsanitize=fuzzer,address -Itools/CPNG/include "Tests/fuzz/$name.c" tools/CPNG/png.c -lpng \
    -o "$out/$name" 2>"$out/build.log" || { cat "$out/build.log" >&2; exit 1; }
else
  swift build -c release --target Compression --scratch-path "$out" \
    -Xswiftc -sanitize=fuzzer,address -Xcc -fsanitize=fuzzer-no-link,address
  modules=$out/release
  maps=
  for target in CKernels CSystem; do
    maps="$maps -Xcc -fmodule-map-file=$modules/$target.build/module.modulemap -Xcc -ISources/$target/include"
  done
  objects=$(for module in CKernels CSystem Core Compute Bytes Model Scan Storage Compression; do
    find "$modules/$module.build/" -name '*.o'
  done)
  # shellcheck disable=SC2086
  swiftc -O -parse-as-library -sanitize=fuzzer,address -I "$modules/Modules" -I Sources/CZlib $maps \
    "Tests/fuzz/$name.swift" $objects -lz -lm -o "$out/$name"
fi

find Tests/golden Tests/attack -type f ! -name '*.py' ! -name '*.md' -exec cp -n {} "$corpus/" \;
AE_THREADS=1 exec "$out/$name" -max_total_time="$seconds" -max_len=65536 -timeout=20 -rss_limit_mb=2048 \
  -malloc_limit_mb=1024 -print_final_stats=1 -artifact_prefix="$out/$name-" "$corpus"
