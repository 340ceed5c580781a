#!/usr/bin/env bash
# Builds .build/lib/libae.so and .a, and libae-decode.so and .a, which only decode, in embedded Swift. SwiftPM
# compiles; what it cannot say in a manifest (embedded mode, soname, version script) is said here, on its command line.
#
# usage: tools/build-library.sh        environment: SWIFT
set -euo pipefail
cd "$(dirname "$0")/.."

SWIFT=${SWIFT:-swift}
out=.build/lib
scratch=.build/embedded
version=$(awk '/#define AE_VERSION_(MAJOR|MINOR|PATCH)/ { printf "%s%s", dot, $3; dot = "." }' include/ae.h)
abi_version=$(awk '/#define AE_ABI_VERSION/ { print $3 }' include/ae.h)
mkdir -p "$out" "$scratch"

# The toolchain's folders: embedded Swift's own archive of Unicode tables lies beside its modules.
target_info=$("${SWIFT}c" -print-target-info)
resources=$(sed -n 's/.*"runtimeResourcePath": "\(.*\)".*/\1/p' <<<"$target_info")
triple=$(sed -n 's/.*"unversionedTriple": "\(.*\)".*/\1/p' <<<"$target_info")
embedded=$resources/embedded/$triple
if [ ! -f "$embedded/libswiftUnicodeDataTables.a" ]; then
  echo "build-library: this Swift has no embedded libraries for $triple (looked in $embedded);" \
    "Swift 6.3 from swift.org has them" >&2
  exit 1
fi

# The toolchain's own: binutils' strip loses the segment that makes relocated data read-only (PT_GNU_RELRO) with the
# section .swift_modhash.
objcopy=$(dirname "$(command -v "$SWIFT")")/llvm-objcopy
[ -x "$objcopy" ] || objcopy=llvm-objcopy

# What embedded Swift's runtime takes its objects' memory with: CSystem/reserve.c stands in front of it.
wrapped=$'posix_memalign\nfree'

# build PRODUCT LIBRARY NAMES: .build/lib/LIBRARY.so and .a of a product, which export NAMES and nothing else.
build() {
  local product=$1 library=$2 names=$3
  local script=$scratch/$library.map work=$scratch/static-$library bin
  {
    echo "{ global:"
    sed 's/$/;/; s/^/  /' <<<"$names"
    echo "local: *; };"
  } >"$script.new"
  # An unchanged script keeps its time, so that SwiftPM has nothing to do.
  cmp -s "$script.new" "$script" || cp "$script.new" "$script"
  rm "$script.new"

  # C is optimised for speed, Swift for size: the loops that matter are in C, and with -O calls of compression that are
  # refused memory lose objects (Tests/memory). -O3 and -O2 differ on the generic path alone. Functions in sections of
  # their own: the linker then drops the unused ones and folds those that are alike. Swift's code is made where it is
  # used (DeferredCodeGen): every module would otherwise compile again what it takes from the others, and the copies
  # differ. Embedded Swift has no tables to unwind by, so C needs none either.
  tools/swift-build.sh --product "$product" --scratch-path "$scratch" --disable-local-rpath \
    --omit-frame-pointers -Xswiftc -enable-experimental-feature -Xswiftc Embedded \
    -Xswiftc -enable-experimental-feature -Xswiftc DeferredCodeGen -Xswiftc -wmo \
    -Xswiftc -Osize -Xswiftc -disable-cmo -Xswiftc -enforce-exclusivity=unchecked \
    -Xswiftc -Xllvm -Xswiftc -sil-disable-pass=closure-specialize -Xswiftc -Xfrontend -Xswiftc -function-sections \
    -Xcc -O3 -Xcc -g0 -Xcc -DAE_EMBEDDED -Xcc -ffunction-sections -Xcc -fdata-sections -Xcc -fno-asynchronous-unwind-tables \
    -Xcc -ftls-model=initial-exec \
    -Xswiftc -use-ld=lld -Xlinker --gc-sections -Xlinker --icf=all -Xlinker --version-script="$PWD/$script" \
    -Xlinker -z -Xlinker defs -Xlinker -z -Xlinker nodelete -Xlinker -z -Xlinker now \
    -Xlinker -soname="$library.so.$abi_version" -Xlinker -L"$embedded" -Xlinker -lswiftUnicodeDataTables -Xlinker -lm \
    $(sed 's/^/-Xlinker --wrap=/' <<<"$wrapped")
  bin=$(cd "$scratch/release" && pwd -P)

  # The shared library: stripped, under its full version, with the two links that linkers and loaders want.
  "$objcopy" --strip-all --remove-section=.comment --remove-section=.swift_modhash \
    "$bin/lib$product.so" "$out/$library.so.$version.new"
  mv "$out/$library.so.$version.new" "$out/$library.so.$version"
  ln -sf "$library.so.$version" "$out/$library.so.$abi_version"
  ln -sf "$library.so.$abi_version" "$out/$library.so"

  # The static library: the same objects as one, in which only the header's functions stay visible, so
  # that it meets no other symbols in the program it is linked into.
  rm -rf "$work" && mkdir -p "$work"
  tr -d "'\"" <"$bin/$product.product/Objects.LinkFileList" >"$work/objects"
  ld -r --gc-sections $(sed 's/^/-u /' <<<"$names") $(sed 's/^/--wrap=/' <<<"$wrapped") -o "$work/all.o" \
    @"$work/objects" "$embedded/libswiftUnicodeDataTables.a"
  echo "$names" >"$work/names"
  objcopy --keep-global-symbols="$work/names" --strip-unneeded \
    --remove-section=.swift1_autolink_entries --remove-section=.comment "$work/all.o" "$work/$library.o"
  rm -f "$out/$library.a.new"
  ar rcsD "$out/$library.a.new" "$work/$library.o"
  mv "$out/$library.a.new" "$out/$library.a"

  echo "$out/$library.so.$version ($(stat -L -c %s "$out/$library.so") bytes), $out/$library.a"
}

build ae libae "$(tools/exports.sh include/ae.h)"
# The half that decodes: the functions of its own target, and no others.
build ae-decode libae-decode "$(tools/exports.sh --decode include/ae.h)"

# The models that come with libae, where the library looks for them: beside its folder.
mkdir -p .build/share/libae
ln -sfn ../../../models .build/share/libae/models
