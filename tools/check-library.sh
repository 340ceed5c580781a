#!/usr/bin/env bash
# Checks what libae promises about its files: exported symbols exactly those of include/ae.h, no needs
# beyond libc, libm, libz and the loader, no glibc version above 2.31, no run path, and a bounded size.
# Fails on a missing symbol and on a leaked one.
#
# usage: tools/check-library.sh [FOLDER]      FOLDER defaults to .build/lib
set -uo pipefail
cd "$(dirname "$0")/.."

lib=${1:-.build/lib}
header=include/ae.h
CC=${CC:-cc}
largest_size=1200000
largest_half_size=540000
largest_glibc=2.31
passed=0
failed=0

# check NAME PROBLEM: passes if PROBLEM is empty.
check() {
  if [ -z "$2" ]; then
    passed=$((passed + 1))
    echo "ok       $1"
  else
    failed=$((failed + 1))
    echo "NOT OK   $1: $(tr '\n' ' ' <<<"$2")"
  fi
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=$(awk '/#define AE_VERSION_(MAJOR|MINOR|PATCH)/ { printf "%s%s", dot, $3; dot = "." }' "$header")
abi_version=$(awk '/#define AE_ABI_VERSION/ { print $3 }' "$header")
so=$lib/libae.so.$version

[ -f "$so" ] && [ -f "$lib/libae.a" ] || {
  echo "check-library: $so or $lib/libae.a is missing: run make lib" >&2
  exit 1
}

for link in libae.so "libae.so.$abi_version"; do
  found=$(readlink -f "$lib/$link")
  check "$link leads to libae.so.$version" "$([ "$found" = "$(readlink -f "$so")" ] || echo "it leads to $found")"
done

tools/exports.sh "$header" >"$work/declared"
nm -D --extern-only --defined-only "$so" | awk '{ print $3 }' | LC_ALL=C sort >"$work/exported"
check "every function of ae.h is exported ($(wc -l <"$work/declared"))" \
  "$(LC_ALL=C comm -23 "$work/declared" "$work/exported")"
check "nothing else is exported" "$(LC_ALL=C comm -13 "$work/declared" "$work/exported")"

dynamic=$(readelf -dW "$so")
check "soname is libae.so.$abi_version" \
  "$(grep -q "soname: \[libae.so.$abi_version\]" <<<"$dynamic" || grep SONAME <<<"$dynamic" || echo "there is none")"
check "no RPATH or RUNPATH" "$(grep -E 'RPATH|RUNPATH' <<<"$dynamic")"
check "no text relocations" "$(grep TEXTREL <<<"$dynamic")"
check "needs libc, libm, libz and the loader alone" \
  "$(sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' <<<"$dynamic" |
    grep -vE '^(libc\.so\.6|libm\.so\.6|libz\.so\.1|ld-linux.*\.so\.[0-9])$')"
check "asks for no glibc above $largest_glibc" \
  "$(readelf -VW "$so" | grep -oE 'GLIBC_[0-9.]+' | sed 's/GLIBC_//' | sort -uV |
    awk -v largest="$largest_glibc" '
      { split($0, a, "."); split(largest, b, "."); if (a[1] > b[1] || (a[1] == b[1] && a[2] > b[2])) print }')"
# A library that a program loads later has a thread's variables allocated at their first use, which ends the process
# if memory is refused; those of the initial-exec model are there from the thread's start, for which room is scarce.
check "threads' variables are never allocated" "$(nm -D --undefined-only "$so" | grep __tls_get_addr)"
tls=$(readelf -lW "$so" | awk '$1 == "TLS" { print $6 }')
check "they have at most 128 bytes" "$([ "$((${tls:-0}))" -le 128 ] || echo "$tls")"
check "the stack is not executable" "$(readelf -lW "$so" | grep GNU_STACK | grep RWE)"
for file in "$so" "$lib/libae-decode.so.$version"; do
  check "$(basename "$file" ".$version") has its relocated data read-only, all of it" \
    "$(readelf -lW "$file" | grep -q GNU_RELRO || echo "no GNU_RELRO"; readelf -dW "$file" | grep -q BIND_NOW || echo "no BIND_NOW")"
done
check "stripped" "$(readelf -SW "$so" | grep -F .symtab)"
size=$(stat -L -c %s "$so")
check "libae.so has $size bytes, fewer than $largest_size" "$([ "$size" -lt "$largest_size" ] || echo "$size")"

nm -g --defined-only "$lib/libae.a" 2>/dev/null | awk 'NF == 3 { print $3 }' | LC_ALL=C sort >"$work/static"
check "libae.a shows every function of ae.h" "$(LC_ALL=C comm -23 "$work/declared" "$work/static")"
check "libae.a shows nothing else" "$(LC_ALL=C comm -13 "$work/declared" "$work/static")"

# Every function's address is taken, so that a declaration without definition cannot link.
{
  echo '#include <ae.h>'
  echo 'typedef void (*function)(void);'
  echo 'int main(void) {'
  echo '  static function const all[] = {'
  sed 's/.*/    (function)&,/' "$work/declared"
  echo '  };'
  echo '  for (unsigned i = 0; i < sizeof all / sizeof *all; i++) if (!all[i]) return 2;'
  echo '  return ae_version() == AE_VERSION_NUMBER ? 0 : 1;'
  echo '}'
} >"$work/all.c"
check "a program links with libae.a, -lz, -lm and -lpthread" \
  "$("$CC" -std=c99 -Iinclude "$work/all.c" "$lib/libae.a" -lz -lm -lpthread -o "$work/static-program" 2>&1 | tail -5)"
check "and runs without any environment" "$(env -i "$work/static-program" 2>&1 || echo "it ended with $?")"
check "a program links with libae.so" \
  "$("$CC" -std=c99 -Iinclude "$work/all.c" -L"$lib" -lae -o "$work/shared-program" 2>&1 | tail -5)"
check "and runs with the library's folder as its only path" \
  "$(env -i LD_LIBRARY_PATH="$lib" "$work/shared-program" 2>&1 || echo "it ended with $?")"
check "which loads no Swift library" \
  "$(env -i LD_LIBRARY_PATH="$lib" LD_TRACE_LOADED_OBJECTS=1 "$work/shared-program" 2>&1 | grep -iE 'swift|not found')"

# The half that decodes: the same promises, of fewer functions.
half=$lib/libae-decode.so.$version
tools/exports.sh --decode "$header" >"$work/half"
nm -D --extern-only --defined-only "$half" | awk '{ print $3 }' | LC_ALL=C sort >"$work/half-exported"
check "libae-decode.so exports its $(wc -l <"$work/half") functions, no more and no fewer" \
  "$(LC_ALL=C comm -3 "$work/half" "$work/half-exported")"
check "it needs libc, libm, libz and the loader alone" \
  "$(readelf -dW "$half" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
    grep -vE '^(libc\.so\.6|libm\.so\.6|libz\.so\.1|ld-linux.*\.so\.[0-9])$')"
size=$(stat -L -c %s "$half")
check "it has $size bytes, fewer than $largest_half_size" "$([ "$size" -lt "$largest_half_size" ] || echo "$size")"
nm -g --defined-only "$lib/libae-decode.a" 2>/dev/null | awk 'NF == 3 { print $3 }' | LC_ALL=C sort >"$work/half-static"
check "libae-decode.a shows them and nothing else" "$(LC_ALL=C comm -3 "$work/half" "$work/half-static")"
{
  echo '#include <ae.h>'
  echo 'int main(int argc, char **argv) {'
  echo '  ae_model *model; (void)argc;'
  echo '  float latents[64] = {0}; unsigned char image[28 * 28];'
  echo '  return ae_model_open(NULL, argv[1], &model) || ae_decode_u8(NULL, model, latents, 1, image);'
  echo '}'
} >"$work/decode.c"
check "a program decodes with libae-decode.a" \
  "$("$CC" -std=c99 -Iinclude "$work/decode.c" "$lib/libae-decode.a" -lz -lm -lpthread -o "$work/decode" 2>&1 | tail -5;
    "$work/decode" models/digits-low.aew || echo "it ended with $?")"

echo "library: $passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
