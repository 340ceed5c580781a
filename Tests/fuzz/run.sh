#!/bin/sh
# Builds a fuzzer of this folder with libFuzzer and AddressSanitizer, and runs it.
#
#   Tests/fuzz/run.sh FuzzWeightFile SECONDS [SEED FILES OR FOLDERS...]
#
# Inputs that were worth keeping go to .build/fuzz/corpus/NAME; an input that ends the process is left in
# .build/fuzz/NAME-crash-*.
set -eu
name=$1
seconds=$2
shift 2
cd "$(dirname "$0")/../.."
out=.build/fuzz
swift build -c release --target Compression --scratch-path "$out" \
  -Xswiftc -sanitize=fuzzer,address -Xcc -fsanitize=fuzzer-no-link,address
modules=$out/release
maps=""
for target in CKernels CSystem; do
  maps="$maps -Xcc -fmodule-map-file=$modules/$target.build/module.modulemap -Xcc -ISources/$target/include"
done
objects=$(find "$modules/" -path '*.build/*.o' ! -path '*aez*')
# shellcheck disable=SC2086
swiftc -O -parse-as-library -sanitize=fuzzer,address -I "$modules/Modules" -I Sources/CZlib $maps \
  "Tests/fuzz/$name.swift" $objects -lz -lm -o "$out/$name"
corpus=$out/corpus/$name
mkdir -p "$corpus"
for seed in "$@"; do
  find "$seed" -type f -exec cp {} "$corpus/" \;
done
AE_THREADS=1 "$out/$name" -max_total_time="$seconds" -max_len=65536 -timeout=10 -rss_limit_mb=2048 \
  -malloc_limit_mb=1024 -print_final_stats=1 -artifact_prefix="$out/$name-" "$corpus"
