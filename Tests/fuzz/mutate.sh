#!/usr/bin/env bash
# Gives mutated files of every format to every reader (run.c says how), built with the address and undefined-behaviour
# sanitizers. Prints inputs for each reader and what it answered, findings, the slowest input and the largest; what
# was found and these two are kept in .build/fuzz. A million inputs take 20 minutes of a processor.
#
#   Tests/fuzz/mutate.sh INPUTS [SEED]
#   Tests/fuzz/mutate.sh --library INPUTS [SEED]   the readers of ae.h alone, of .build/lib/libae.so as it is delivered
#   Tests/fuzz/mutate.sh -f FILES...               files as they are
set -euo pipefail
cd "$(dirname "$0")/../.."

out=.build/fuzz
mkdir -p "$out"
# Memory that is refused is an error like others; a finding ends the process at once.
export ASAN_OPTIONS=allocator_may_return_null=1:quarantine_size_mb=16:handle_abort=0:handle_sigill=0 SWIFT_BACKTRACE=enable=no

case ${1:-} in
"")
  sed -n '2,/^set/s/^# \{0,1\}//p' "$0"
  exit 64
  ;;
--library)
  lib=${AE_LIBRARY:-.build/lib}
  "${CC:-cc}" -std=c11 -g -O1 -Wall -Wextra -Werror -DLIBRARY_ALONE -Iinclude Tests/fuzz/run.c Tests/fuzz/mutate.c \
    Tests/fuzz/readers.c -L"$lib" -lae -lz -lm -o "$out/library"
  mkdir -p "$out/library-found"
  LD_LIBRARY_PATH=$lib exec "$out/library" Tests "$out/library-found" "${2:-20000}" "${3:-1}"
  ;;
*)
  status=0
  Tests/fuzz/build.sh run || status=$?
  if [ "$status" -eq 3 ]; then exit 0; fi
  [ "$status" -eq 0 ] || exit "$status"
  if [ "$1" = -f ]; then exec .build/sanitize/bin/run Tests "$out" "$@"; fi
  exec .build/sanitize/bin/run Tests "$out" "$1" "${2:-1}"
  ;;
esac
