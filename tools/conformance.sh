#!/usr/bin/env bash
# Builds Tests/conformance against .build/lib/libae.so with all warnings as errors, runs it on the best kernel path that this
# machine has, and compares on every path what must not differ.
#
# usage: tools/conformance.sh        environment: CC, CXX, AE_LIBRARY (default .build/lib)
set -uo pipefail
cd "$(dirname "$0")/.."

CC=${CC:-cc}
CXX=${CXX:-c++}
lib=${AE_LIBRARY:-.build/lib}
out=.build/conformance
mkdir -p "$out"
passed=0
failed=0
skipped=0

# result CONDITION-STATUS TEXT
result() {
  if [ "$1" -eq 0 ]; then
    passed=$((passed + 1))
    echo "ok       $2"
  else
    failed=$((failed + 1))
    echo "NOT OK   $2"
  fi
}

"$CC" -std=c99 -O1 -g -Wall -Wextra -Werror -pedantic -Iinclude Tests/conformance/*.c -o "$out/conformance" \
  -L"$lib" -lae -lm -lpthread
result $? "the header and the programs compile as C99 without a warning"
"$CXX" -std=c++17 -Wall -Wextra -Werror -pedantic -Iinclude Tests/conformance/header.cpp -o "$out/header-cpp" \
  -L"$lib" -lae && LD_LIBRARY_PATH=$lib "$out/header-cpp" >/dev/null
result $? "the header compiles and links as C++17 without a warning"
[ "$failed" -eq 0 ] || { echo "conformance: $passed passed, $failed failed, 0 skipped"; exit 1; }

export LD_LIBRARY_PATH=$lib
weights=$out/weights.aew
reference=
best=$(env -u AE_CPU "$out/conformance" info | sed -n 's/.*, \([a-z0-9]*\) kernels,.*/\1/p')
for path in generic avx2 avxvnni avx512 neon dotprod; do
  if [[ $(AE_CPU=$path "$out/conformance" info) != *", $path kernels,"* ]]; then continue; fi
  echo "--- kernels: $path"
  # The whole program on what processors like this one run; what must not differ, on every path.
  if [ "$path" = "$best" ]; then
    AE_CPU=$path "$out/conformance" >"$out/$path.log" 2>&1
    status=$?
    grep -v '^ok ' "$out/$path.log"
    counts=$(sed -n 's/^conformance: \([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' "$out/$path.log")
    if [ -n "$counts" ]; then
      read -r p f s <<<"$counts"
      passed=$((passed + p))
      failed=$((failed + f))
      skipped=$((skipped + s))
    else
      result 1 "the program ran to its end (status $status)"
    fi
  fi
  if [ -z "$reference" ]; then
    AE_CPU=$path "$out/conformance" write "$weights"
    AE_CPU=$path "$out/conformance" digest "$weights" >"$out/$path.digest" && ! grep 'NOT OK' "$out/$path.digest"
    result $? "digests on $path, on one thread and on two"
    reference=$path
  else
    AE_CPU=$path "$out/conformance" digest "$weights" >"$out/$path.digest"
    cmp -s "$out/$reference.digest" "$out/$path.digest"
    result $? "sets, pixels, int8 codes and samples on $path are those on $reference, byte for byte"
    diff "$out/$reference.digest" "$out/$path.digest" || true
  fi
done

# Every allocation refused, a share of them of every call; by hand, Tests/memory/memory.c tells how, all of them.
echo "--- memory"
if "$CC" -std=c11 -O1 -g -Wall -Wextra -Werror -Iinclude Tests/memory/memory.c -o "$out/memory" -L"$lib" -lae -lpthread; then
  for threads in 1 2; do
    AE_THREADS=$threads "$out/memory" 4 >"$out/memory-$threads.log" 2>&1
    status=$?
    grep -v '^ok ' "$out/memory-$threads.log" | grep -v '^memory: '
    read -r p f s < <(sed -n 's/^memory: \([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' \
      "$out/memory-$threads.log" | grep . || echo 0 1 0)
    passed=$((passed + p))
    failed=$((failed + f))
    skipped=$((skipped + s))
    [ "$status" -eq 0 ] || [ "$f" -gt 0 ] || failed=$((failed + 1))
  done
else
  result 1 "Tests/memory/memory.c compiles"
fi

# As much stack as ae.h says, on the path that takes most.
"$CC" -std=c11 -O1 -g -Wall -Wextra -Werror -Iinclude Tests/memory/stack.c -o "$out/stack" -L"$lib" -lae -lpthread &&
  "$out/stack"
result $? "every call keeps to the stack that ae.h says"

echo "conformance: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
