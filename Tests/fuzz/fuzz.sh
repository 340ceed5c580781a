#!/usr/bin/env bash
# Runs libFuzzer on the readers (readers.c has their names), each from the seeds of its formats: golden and attack
# files, and files of each kind that the library makes. Inputs that were worth keeping go to .build/fuzz/corpus; one
# that ends the process is left in .build/fuzz/READER-*.
#
#   Tests/fuzz/fuzz.sh SECONDS [READER...]      all readers, if none is named; two at a time
set -euo pipefail
cd "$(dirname "$0")/../.."

out=.build/fuzz
seconds=${1:?usage: Tests/fuzz/fuzz.sh SECONDS [READER...]}
shift
mkdir -p "$out/seeds" "$out/corpus"
status=0
Tests/fuzz/build.sh run harness || status=$?
if [ "$status" -eq 3 ]; then exit 0; fi
[ "$status" -eq 0 ] || exit "$status"

export ASAN_OPTIONS=allocator_may_return_null=1:handle_abort=1 SWIFT_BACKTRACE=enable=no AE_FUZZ_SEEDS=$out/seeds
.build/sanitize/bin/run Tests "$out/seeds" -s
if [ $# -eq 0 ]; then
  read -ra all < <(AE_FUZZ=none .build/sanitize/bin/harness 2>&1 | sed -n 's/.*one of: //p')
  set -- "${all[@]}"
fi

# one READER SECONDS: a line that says how it went
one() {
  local formats log=.build/fuzz/$1.log corpus=.build/fuzz/corpus/$1
  case $1 in
  model | summary | rewrite) formats='aew checkpoint' ;;
  checkpoint | tool-checkpoint) formats=checkpoint ;;
  set | verify) formats=aez ;;
  idx | labels) formats='idx gzip' ;;
  npy | floats) formats=npy ;;
  gunzip) formats=gzip ;;
  deflate) formats='idx pgm' ;;
  options) formats='json pgm idx' ;;
  lists) formats=json ;;
  *) formats=$1 ;;
  esac
  mkdir -p "$corpus"
  # shellcheck disable=SC2086
  if AE_FUZZ=$1 .build/sanitize/bin/harness -max_total_time="$2" -max_len=65536 -timeout=60 -rss_limit_mb=2048 \
    -seed=1 -artifact_prefix=".build/fuzz/$1-" "$corpus" $(printf '.build/fuzz/seeds/%s ' $formats) >"$log" 2>&1; then
    echo "ok       libFuzzer, $1: $(sed -n 's/^Done \([0-9]*\) runs.*/\1 inputs/p' "$log")"
  else
    echo "NOT OK   libFuzzer, $1: $(grep -m 1 -E 'ERROR:|finding:|Fatal error|runtime error|SUMMARY' "$log"); the whole output is in $log"
  fi
}
export -f one
printf '%s\n' "$@" | xargs -P 2 -I {} bash -c 'one "$1" "$2"' one {} "$seconds" | tee "$out/results"
! grep -q '^NOT OK' "$out/results"
