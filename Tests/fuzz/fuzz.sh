#!/bin/sh
# Builds a harness of this folder with libFuzzer's coverage and runs it.
#
#   Tests/fuzz/fuzz.sh FuzzImageSet 300 Tests/golden/walsh-8.aew
#
# takes the harness's name, seconds, and arguments that the harness reads. Seeds are the golden and attack
# files; what is found stays in .build/fuzz/HARNESS.
set -eu
cd "$(dirname "$0")/../.."
harness=$1
seconds=$2
shift 2
work=.build/fuzz/$harness
mkdir -p "$work/corpus"
modules="CSystem CKernels Core Compute Bytes Model Storage Compression"
swift build -c release --target Compression --scratch-path .build/fuzz \
  -Xswiftc -sanitize=fuzzer -Xcc -fsanitize=fuzzer-no-link >"$work/build.log" 2>&1 ||
  { cat "$work/build.log" >&2; exit 1; }
build=.build/fuzz/release
objects=$(for module in $modules; do find "$build/$module.build/" -name '*.o'; done)
# shellcheck disable=SC2086
swiftc -O -parse-as-library -sanitize=fuzzer "Tests/fuzz/$harness.swift" -o "$work/run" -I "$build/Modules" \
  -I Sources/CSystem/include -I Sources/CKernels/include \
  -Xcc -fmodule-map-file="$build/CSystem.build/module.modulemap" \
  -Xcc -fmodule-map-file="$build/CKernels.build/module.modulemap" \
  -Xcc -fmodule-map-file=Sources/CZlib/module.modulemap $objects -lz -lm
find Tests/golden Tests/attack -type f -name '*.a??' -exec cp -n {} "$work/corpus/" \;
# libFuzzer takes what is not a flag for a corpus: files are given through a flag that it hands on.
exec "$work/run" -max_total_time="$seconds" -max_len=4096 -rss_limit_mb=2048 -artifact_prefix="$work/" \
  "$work/corpus" -ignore_remaining_args=1 "$@"
