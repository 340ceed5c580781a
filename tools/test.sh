#!/usr/bin/env bash
# Every test, in two lanes side by side: what the Swift build makes, and what the library's build makes. Each suite
# writes its whole output to .build/test/NAME.log and shows what failed when it has ended; the last line of all sums
# them up: "N passed, N failed, N skipped".
#
# usage: tools/test.sh [SUITE...]     suites: lint build swift site tool install kernels races emulated; library
#                                     abi conformance fuzz python sanitize
#                                     environment: AE_MNIST, AE_IMAGES, AE_TEST_LONG (1: what takes minutes
#                                     more), AE_TEST_SECONDS (after which what takes minutes is not begun:
#                                     650), CC, CXX, SWIFT, PYTHON
set -uo pipefail
cd "$(dirname "$0")/.."

SWIFT=${SWIFT:-swift}
logs=.build/test
tool=.build/release/aez
mkdir -p "$logs"

# suite NAME COUNT-FUNCTION COMMAND...: runs the command and lets the function find counts in its log. A
# command that fails without a failed test in its log counts as one. What it has to say comes at its end, in one piece.
suite() {
  local name=$1 count=$2 start=$SECONDS status=0 passed=0 failed=0 skipped=0
  shift 2
  if ! is_wanted "$name"; then return 0; fi
  "$@" >"$logs/$name.log" 2>&1 || status=$?
  read -r passed failed skipped < <("$count" "$logs/$name.log")
  if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then failed=1; fi
  {
    echo "== $name"
    if [ "$failed" -ne 0 ]; then
      show_failures "$logs/$name.log"
      echo "   the whole output is in $logs/$name.log"
    fi
    grep -E '^skipped |^SKIPPED ' "$logs/$name.log" | sed 's/^/   /'
    printf '   %s: %d passed, %d failed, %d skipped (%d s)\n' "$name" "$passed" "$failed" "$skipped" $((SECONDS - start))
  } >"$logs/$name.said"
  cat "$logs/$name.said"
  # Last: others wait for it.
  echo "$passed $failed $skipped $status" >"$logs/$name.new" && mv "$logs/$name.new" "$logs/$name.result"
  return "$status"
}

is_wanted() { [ ${#wanted[@]} -eq 0 ] || [[ " ${wanted[*]} " == *" $1 "* ]]; }

# Whether a slow machine has to leave out what takes minutes, and says so, to end in time: what is begun last takes half
# as long again as all before it.
# SECONDS: instead of 650, for what takes less.
is_late() { [ -z "${AE_TEST_LONG:-}" ] && [ $((SECONDS - start)) -ge "${AE_TEST_SECONDS:-${1:-650}}" ]; }

# after NAME: waits for a suite of the other lane, if it is to run at all.
after() {
  if ! is_wanted "$1"; then return 0; fi
  until [ -f "$logs/$1.result" ]; do sleep 0.5; done
}

show_failures() {
  local lines
  lines=$(grep -E '^NOT OK|error:|✘|^FAILED |^ERROR |^E  |Fatal error|Segmentation|Sanitizer|runtime error:|^finding: ' "$1" | head -40)
  if [ -n "$lines" ]; then sed 's/^/   /' <<<"$lines"; else tail -n 30 "$1" | sed 's/^/   /'; fi
}

# ---- Ways to count ----

count_own() { # "suite: N passed, N failed, N skipped"
  sed -nE 's/^[a-z]+: ([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p' "$1" | tail -n 1 | grep . || echo 0 0 0
}
count_lines() { # a line for each check
  echo "$(grep -c '^ok ' "$1") $(grep -c '^NOT OK ' "$1") $(grep -c '^skipped ' "$1")"
}
count_swift() { # Swift Testing's lines
  local all failed skipped
  all=$(sed -nE 's/.*Test run with ([0-9]+) tests?.*/\1/p' "$1" | awk '{ sum += $1 } END { print sum + 0 }')
  failed=$(grep -cE '✘ Test .* failed after' "$1")
  skipped=$(grep -cE '➜ Test .* skipped' "$1")
  # A trap ends the run before its count.
  if [ "$all" -eq 0 ]; then all=$(grep -cE '✔ Test .* passed after' "$1"); failed=1; all=$((all + 1)); fi
  echo "$((all - failed - skipped)) $failed $skipped"
}
count_pytest() { # "N failed, N passed, N skipped in"
  local line
  line=$(grep -E '(passed|failed|skipped|error).* in [0-9.]+s' "$1" | tail -n 1)
  number() { sed -nE "s/.*[^0-9]([0-9]+) $1.*/\1/p" <<<" $line" | grep . || echo 0; }
  echo "$(number passed) $(($(number failed) + $(number 'errors?'))) $(number skipped)"
}
count_none() { echo 0 0 0; }

# ---- Suites ----

build() {
  local product
  for product in libaePackageTests aez aez-study; do tools/swift-build.sh --product "$product" || return 1; done
}

run_kernels() {
  # The kernels need clang, and every Swift toolchain brings one.
  local clang
  clang=$(dirname "$(command -v "$SWIFT")")/clang
  [ -x "$clang" ] || clang=clang
  "$clang" -O2 -Wall -Wextra -Werror -ISources/CKernels/include Tests/kernels/pool.c Sources/CKernels/?*.c \
    -o .build/test/kernels -lm -lpthread && .build/test/kernels
}

# Under the thread sanitizer: the pool and every path's kernels; and, if AE_TEST_LONG is set, the library, in ordinary
# Swift, while many threads use one model and one set.
run_races() {
  local clang swift runtime program
  if is_late 1000; then
    echo "skipped  races: the kernels under the thread sanitizer, since time is over (AE_TEST_SECONDS)"
    return 0
  fi
  clang=$(dirname "$(command -v "$SWIFT")")/clang
  [ -x "$clang" ] || clang=clang
  # The sanitizer that comes with Swift wants Swift's dispatch.
  swift=$("${SWIFT}c" -print-target-info | sed -n 's/.*"runtimeResourcePath": "\(.*\)".*/\1/p')/linux
  runtime=("-L$swift" -ldispatch -lBlocksRuntime "-Wl,-rpath,$swift" -lm -lpthread)
  # Some toolchains come without the sanitizer, and some kernels place memory where it cannot run.
  echo 'int main(void) { return 0; }' >.build/test/races-none.c
  if ! "$clang" -fsanitize=thread .build/test/races-none.c -o .build/test/races-none "${runtime[@]}" ||
    ! .build/test/races-none; then
    echo "skipped  races: a program under the thread sanitizer does not link or run here"
    return 0
  fi
  # It dislikes threads after fork as such.
  export TSAN_OPTIONS="die_after_fork=0 halt_on_error=1"
  for program in pool paths integers; do
    "$clang" -O1 -g -fsanitize=thread -Wall -Wextra -Werror -ISources/CKernels/include "Tests/kernels/$program.c" \
      Sources/CKernels/?*.c -o ".build/test/races-$program" "${runtime[@]}" || return 1
    ".build/test/races-$program" $([ "$program" != integers ] || echo 60) || return 1
  done
  if [ -z "${AE_TEST_LONG:-}" ]; then
    echo "skipped  races: the library itself, which takes a build of its own (AE_TEST_LONG=1)"
    return 0
  fi
  tools/swift-build.sh --product ae --sanitize thread --scratch-path .build/tsan || return 1
  "$clang" -std=c99 -O1 -g -fsanitize=thread -Iinclude Tests/conformance/*.c -o .build/test/races-library \
    -L.build/tsan/release -lae "-Wl,-rpath,$PWD/.build/tsan/release" "${runtime[@]}" || return 1
  for path in generic avx2 avx512; do AE_CPU=$path AE_THREADS=4 .build/test/races-library sharing || return 1; done
}

# Under the address and undefined-behaviour sanitizers, whose findings end the program: the kernels on every path,
# the conformance programs, all golden and attack files through all readers, mutated ones, and libFuzzer on each
# reader for some seconds.
run_sanitize() {
  local clang program path status=0 late=
  clang=$(dirname "$(command -v "$SWIFT")")/clang
  [ -x "$clang" ] || clang=clang
  if is_late; then
    late=1
    echo "skipped  sanitize: the library, which takes a build of its own, since time is over (AE_TEST_SECONDS)"
  else
    Tests/fuzz/build.sh run conformance || status=$?
    if [ "$status" -eq 3 ]; then return 0; fi
    if [ "$status" -ne 0 ]; then return 1; fi
  fi
  # Memory that is refused is an error like others.
  export ASAN_OPTIONS=allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1 SWIFT_BACKTRACE=enable=no
  for program in pool paths integers; do
    "$clang" -fuse-ld=lld -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -Wall -Wextra -Werror \
      -ISources/CKernels/include "Tests/kernels/$program.c" Sources/CKernels/?*.c -o ".build/test/sanitize-$program" \
      -lm -lpthread || return 1
    ".build/test/sanitize-$program" $([ "$program" != integers ] || echo 100) || status=1
  done
  # AVX-VNNI as processors with AVX-512 spell it.
  "$clang" -O1 -Wall -Wextra -Werror -DCK_VNNI_AS_AVX512 -ISources/CKernels/include Tests/kernels/integers.c \
    Sources/CKernels/?*.c -o .build/test/integers-vnni -lm -lpthread && .build/test/integers-vnni 100 || status=1
  "$clang" -fuse-ld=lld -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -Wall -Wextra -Werror \
    -ISources/CPixels/include Tests/kernels/pixels.c Sources/CPixels/?*.c -o .build/test/sanitize-pixels -lm || return 1
  .build/test/sanitize-pixels || status=1
  if [ -n "$late" ]; then return "$status"; fi
  # Its library has no models beside it.
  AE_MODEL_PATH=$PWD/models .build/sanitize/bin/conformance memory || status=1
  Tests/fuzz/mutate.sh -f Tests/golden/*.* Tests/golden/*/*.* Tests/attack/*/* || status=1
  Tests/fuzz/mutate.sh 2000 || status=1
  Tests/fuzz/fuzz.sh 1 || status=1
  return "$status"
}

run_emulated() {
  if is_late; then
    echo "skipped  emulated: other processors, since time is over (AE_TEST_SECONDS)"
    return 0
  fi
  AEZ="$PWD/$tool" tools/emulated.sh
}

run_pytest() { # FOLDER
  env -u LD_LIBRARY_PATH LIBAE_LIBRARY="$PWD/.build/lib/libae.so" AEZ="$PWD/$tool" \
    .venv/bin/python -m pytest -q -rs -p no:cacheprovider --durations=20 --durations-min=2 "$1"
}

run_site() {
  if is_late; then
    echo "skipped  site: docs/ as a site, since time is over (AE_TEST_SECONDS)"
    return 0
  fi
  # Strict: a link or an anchor that leads nowhere is an error.
  local status=0
  tools/site.sh || status=$?
  case $status in
  0) echo "ok       docs/ makes a site" ;;
  3) echo "skipped  site: MkDocs cannot be installed here" ;;
  *) echo "NOT OK   docs/ makes a site" ;;
  esac
}

# The CMake package of an installation that was moved, and of this tree.
run_cmake() { # PREFIX
  local build=$PWD/.build/test/cmake
  if ! command -v cmake >/dev/null; then
    echo "skipped  CMake: it is not installed (Debian: cmake)"
    return 0
  fi
  rm -rf "$build" && mkdir -p "$build" && cp -a "$1" "$build/moved"
  cmake -S examples/cmake -B "$build/installed" -D CMAKE_PREFIX_PATH="$build/moved" >/dev/null && cmake --build "$build/installed" >/dev/null
  fact $? "CMake: find_package(libae), and programs with all four targets"
  grep -q '^digits-high: 28 x 28' <<<"$(env -i "$build/installed/default_model")"
  fact $? "CMake: a program with the shared library finds its models"
  grep -q '^20 images' <<<"$(AE_MODEL_PATH=models "$build/installed/show-static" .build/test/zeros.aez 3)"
  fact $? "CMake: a program with the static half that decodes reads a set"
  # The two listings of docs/packages.md, as they stand.
  local listing
  for listing in find_package add_subdirectory; do
    mkdir -p "$build/$listing"
    cp examples/default_model.c "$build/$listing/program.c"
    ln -sfn "$PWD" "$build/$listing/libae"
    awk -v which="$listing" '/^```cmake$/ { on = 1; text = ""; next } /^```$/ { if (on && text ~ which) printf "%s", text; on = 0 }
      on { text = text $0 "\n" }' docs/packages.md >"$build/$listing/CMakeLists.txt"
    cmake -S "$build/$listing" -B "$build/$listing/build" -D CMAKE_PREFIX_PATH="$build/moved" >/dev/null &&
      cmake --build "$build/$listing/build" >/dev/null && grep -q '^universal' <<<"$(env -i "$build/$listing/build/program" universal)"
    fact $? "CMake: the listing of docs/packages.md with $listing"
  done
  # What a later version would have to have, and a component that there is none of.
  mkdir -p "$build/wrong"
  printf '%s\n' 'cmake_minimum_required(VERSION 3.16)' 'project(wrong NONE)' 'find_package(libae 99 QUIET)' \
    'message(STATUS "found: ${libae_FOUND}")' 'unset(libae_DIR CACHE)' 'find_package(libae QUIET COMPONENTS encoder)' \
    'message(STATUS "found: ${libae_FOUND}")' 'unset(libae_DIR CACHE)' 'find_package(libae 0.2 REQUIRED)' 'message(STATUS "version: ${libae_VERSION}")' >"$build/wrong/CMakeLists.txt"
  cmake -S "$build/wrong" -B "$build/wrong/build" -D CMAKE_PREFIX_PATH="$build/moved" >"$build/wrong/log" 2>&1 &&
    [ "$(grep -cE 'found: (0|FALSE)$' "$build/wrong/log")" -eq 2 ] && grep -q "version: $(sed -n '1s/^libae (\(.*\)) .*/\1/p' debian/changelog)" "$build/wrong/log"
  fact $? "CMake: a later version and an unknown component are refused, this version is found"
}

run_install() {
  local place=$PWD/.build/test/install prefix=$PWD/.build/test/prefix left
  rm -rf "$place" "$prefix"
  fact() { if [ "$1" -eq 0 ]; then echo "ok       $2"; else echo "NOT OK   $2"; fi; }

  make --no-print-directory standalone install-built DESTDIR="$place" PREFIX=/usr >/dev/null
  fact $? "make install DESTDIR=... PREFIX=/usr"
  for file in usr/include/ae.h usr/include/ae.hpp usr/lib/libae{,-decode}.so usr/lib/libae{,-decode}.so.1 \
    usr/lib/libae{,-decode}.a usr/lib/pkgconfig/libae{,-decode}.pc \
    usr/lib/cmake/libae/libae-{config,config-version,targets}.cmake usr/bin/aez usr/libexec/aez/aez-study usr/share/man/man1/aez.1 usr/share/bash-completion/completions/aez \
    usr/share/zsh/site-functions/_aez usr/share/fish/vendor_completions.d/aez.fish \
    usr/share/libae/models/{digits-low,digits-high,exact,mnist-30,universal,digits-low-small,digits-high-small}.aew; do
    [ -s "$place/$file" ]
    fact $? "puts $file there"
  done
  PKG_CONFIG_PATH=$place/usr/lib/pkgconfig pkg-config --exists --print-errors libae libae-decode
  fact $? "libae.pc and libae-decode.pc are sound"
  [ "$("$place/usr/bin/aez" --version)" = "aez $(PKG_CONFIG_PATH=$place/usr/lib/pkgconfig pkg-config --modversion libae)" ]
  fact $? "the tool that was installed runs, and is of that version"
  [ "$(env -i "$place/usr/bin/aez" qualities | wc -l)" -eq 15 ]
  fact $? "it knows the qualities of its models"
  (cd / && env -i "$place/usr/bin/aez" study --help) | grep -q 'USAGE: aez study'
  fact $? "it finds the study that was installed"
  ! ldd "$place/usr/bin/aez" "$place/usr/libexec/aez/aez-study" | grep -qE 'swift|Foundation|not found'
  fact $? "they need no library of Swift"
  # shellcheck disable=SC2016
  bash -c '. "$1"; complete -p aez' bash "$place/usr/share/bash-completion/completions/aez" 2>&1 | grep -q "aez$"
  fact $? "bash takes the completions"
  # shellcheck disable=SC2016
  left=$(PATH=$place/usr/bin:$PATH bash -c '. "$1"; COMP_WORDS=(aez compress --) COMP_CWORD=2 COMP_LINE="aez compress --" COMP_POINT=15
    $(complete -p aez | sed -E "s/.* -F ([^ ]+) .*/\1/") aez -- compress; printf "%s\n" "${COMPREPLY[@]}"' \
    bash "$place/usr/share/bash-completion/completions/aez" 2>&1)
  grep -qx -- "--exact *" <<<"$left"
  fact $? "and offers the flags of a command"
  make --no-print-directory uninstall DESTDIR="$place" PREFIX=/usr >/dev/null
  left=$(find "$place" -type f -o -type l)
  [ -z "$left" ]
  fact $? "make uninstall leaves nothing $left"

  make --no-print-directory install-built PREFIX="$prefix" >/dev/null &&
    tools/examples.sh "$prefix" "$PWD/.build/test/examples"
  fact $? "the examples build against what was installed, and run"

  # Programs with no shared library at all, and one with the half that decodes.
  left=$(
    cd .build/test && export PKG_CONFIG_PATH=$prefix/lib/pkgconfig &&
      "${CC:-cc}" -static ../../examples/stream.c -o stream-static $(pkg-config --static --cflags --libs libae) &&
      "${CC:-cc}" ../../examples/cmake/show.c -o show $(pkg-config --cflags --libs libae-decode) \
        "-Wl,-rpath,$prefix/lib" && head -c 15680 /dev/zero | env -i ./stream-static 28 28 >zeros.aez && env -i ./show zeros.aez 19
  )
  grep -q '^20 images of 28 x 28 x 1' <<<"$left"
  fact $? "pkg-config --static links a program that is static, and libae-decode one that decodes"

  run_cmake "$prefix"

  # What the packages say of the library has to be what it is.
  [ "$(sed -n '1s/^libae (\(.*\)) .*/\1/p' debian/changelog)" = "$(PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --modversion libae)" ]
  fact $? "debian/changelog is of the library's version"
  cmp <(sed -n 's/^ \(.*\)@Base .*/\1/p' debian/libae1.symbols) <(tools/exports.sh include/ae.h) &&
    cmp <(sed -n 's/^ \(.*\)@Base .*/\1/p' debian/libae-decode1.symbols) <(tools/exports.sh --decode include/ae.h)
  fact $? "debian/*.symbols list the functions of ae.h"
  if [ -f /usr/share/dpkg/architecture.mk ]; then
    grep -q "no no-swift here.*Swift 6.3" <<<"$(make --no-print-directory -f debian/rules override_dh_auto_build SWIFT=no-swift 2>&1)"
    fact $? "debian/rules says that Swift is missing"
  else
    echo "skipped  debian/rules: dpkg-dev is not installed"
  fi

  if .venv/bin/python -c 'import auditwheel' 2>/dev/null; then
    AE_WHEEL_PYTHON=$PWD/.venv/bin/python tools/wheel.sh .build/test/dist
    fact $? "make wheel: a wheel for PyPI and a source archive"
  else
    echo "skipped  make wheel: auditwheel is not installed"
  fi

  if [ -n "${AE_TEST_LONG:-}" ]; then
    tools/swift-build.sh --package-path examples/swift --scratch-path .build/swift-example &&
      "$prefix/bin/aez" draw --count 20 --seed 3 -o .build/test/drawn-idx3-ubyte --force --quiet &&
      env -i .build/swift-example/release/pack .build/test/drawn-idx3-ubyte .build/test/drawn.aez &&
      "$prefix/bin/aez" compress .build/test/drawn-idx3-ubyte --quality 10 -o - | cmp - .build/test/drawn.aez
    fact $? "a Swift package that depends on this one packs the tool's bytes"
  else
    echo "skipped  a Swift package that depends on this one, which takes a build of its own (AE_TEST_LONG=1)"
  fi

  # The line of README.md for a folder that the loader does not search, word for word.
  local line
  line=$(sed -n 's/^    \(cc program.c .*rpath.*\)$/\1/p' README.md)
  [ -n "$line" ]
  fact $? "README.md tells how to link against a private PREFIX"
  printf '%s\n' '#include <ae.h>' 'int main(void) { return ae_version() != AE_VERSION_NUMBER; }' \
    > .build/test/program.c
  (cd .build/test && export PKG_CONFIG_PATH=$prefix/lib/pkgconfig && eval "${line/#cc/"${CC:-cc}"}" && env -i ./a.out >/dev/null)
  fact $? "a program linked by that line runs"
}

wanted=("$@")
start=$SECONDS
tools/setup.sh python || exit 1
if ! tools/setup-python.sh; then
  echo "test: .venv cannot be made, see above" >&2
  exit 1
fi

# ---- The lanes ----

swift_lane() {
  suite lint count_own tools/lint.sh
  if suite build count_none build; then
    suite swift count_swift env -u CC -u CXX "$SWIFT" test -c release --skip-build
  fi
  suite site count_lines run_site
  after library
  if [ -x "$tool" ]; then
    suite tool count_pytest run_pytest Tests/tool
    if [ -f .build/lib/libae.so ]; then suite install count_lines run_install; fi
  fi
  suite kernels count_lines run_kernels
  suite races count_lines run_races
  if [ -f .build/lib/libae.so ]; then suite emulated count_lines run_emulated; fi
}

library_lane() {
  if suite library count_own bash -c 'tools/build-library.sh && tools/check-library.sh' || [ -f .build/lib/libae.so ]; then
    suite abi count_own "${PYTHON:-python3}" Tests/abi/abi.py check
    suite conformance count_own tools/conformance.sh
    suite fuzz count_lines Tests/fuzz/mutate.sh --library 20000
    suite python count_pytest run_pytest Tests/python
  fi
  suite sanitize count_lines run_sanitize
}

rm -f "$logs"/*.result
lanes=()
swift_lane &
lanes+=($!)
library_lane &
lanes+=($!)
trap 'kill "${lanes[@]}" 2>/dev/null; exit 130' INT TERM
wait "${lanes[@]}"

total_passed=0
total_failed=0
total_skipped=0
broken=
for result in "$logs"/*.result; do
  [ -f "$result" ] || continue
  read -r passed failed skipped _ <"$result"
  total_passed=$((total_passed + passed))
  total_failed=$((total_failed + failed))
  total_skipped=$((total_skipped + skipped))
  if [ "$failed" -ne 0 ]; then broken="$broken $(basename "$result" .result)"; fi
done

if [ -z "${AE_MNIST:-}" ]; then echo "AE_MNIST is not set: what needs MNIST was skipped."; fi
if [ -z "${AE_IMAGES:-}" ]; then echo "AE_IMAGES is not set: what needs real images was skipped."; fi
if [ -n "$broken" ]; then echo "Failed in:$broken"; fi
echo "All suites took $((SECONDS - start)) s."
echo "$total_passed passed, $total_failed failed, $total_skipped skipped"
[ "$total_failed" -eq 0 ]
