#!/usr/bin/env bash
# Fuzzes the C interface of .build/lib/libae.so.
#
#   Tests/fuzz/abi.sh INPUTS [SEED]        changes golden and attack files at random; what the tests run
#   Tests/fuzz/abi.sh --sanitize INPUTS    the same with libae.a and AddressSanitizer around the harness
#   Tests/fuzz/abi.sh --libfuzzer SECONDS  libFuzzer, guided by the coverage of the C kernels' callers
set -euo pipefail
cd "$(dirname "$0")/../.."

out=.build/fuzz/abi
mkdir -p "$out/corpus"
flags=(-std=c11 -g -O1 -Wall -Wextra -Werror -Iinclude Tests/fuzz/fuzz_abi.c)
seeds=(Tests/golden/*.ae[wz] Tests/attack/*/*.ae[wz])
export AE_THREADS=1 LD_LIBRARY_PATH=${AE_LIBRARY:-.build/lib}

case ${1:-} in
--libfuzzer)
  clang "${flags[@]}" -fsanitize=fuzzer,address .build/lib/libae.a -lz -lm -lpthread -o "$out/libfuzzer"
  cp -n "${seeds[@]}" "$out/corpus/"
  AE_FUZZ_MODELS=$(ls Tests/golden/*.aew | tr '\n' ':') exec "$out/libfuzzer" -max_total_time="${2:-60}" \
    -max_len=16384 -timeout=10 -rss_limit_mb=2048 -artifact_prefix="$out/" "$out/corpus"
  ;;
--sanitize)
  clang "${flags[@]}" -DFUZZ_STANDALONE -fsanitize=address,undefined .build/lib/libae.a -lz -lm -lpthread \
    -o "$out/sanitized"
  exec "$out/sanitized" "${2:-20000}" "${3:-1}" "${seeds[@]}"
  ;;
*)
  "${CC:-cc}" "${flags[@]}" -DFUZZ_STANDALONE -L"$LD_LIBRARY_PATH" -lae -lz -o "$out/standalone"
  exec "$out/standalone" "${1:-20000}" "${2:-1}" "${seeds[@]}"
  ;;
esac
