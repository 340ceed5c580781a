#!/usr/bin/env bash
# Builds .build/aarch64/lib/libae.so on another machine than 64-bit Arm. No Swift for Linux on Arm is needed: embedded
# Swift's objects for bare aarch64 ask for nothing but a C library, and link against Debian's. SwiftPM does not know such a
# mixture, so the modules are compiled here, in their order, with the flags of tools/build-library.sh.
#
# usage: tools/build-arm.sh        environment: SWIFT
set -euo pipefail
cd "$(dirname "$0")/.."

out=.build/aarch64
lib=$out/lib
root=$PWD/$out/root
version=$(awk '/#define AE_VERSION_(MAJOR|MINOR|PATCH)/ { printf "%s%s", dot, $3; dot = "." }' include/ae.h)
abi_version=$(awk '/#define AE_ABI_VERSION/ { print $3 }' include/ae.h)
if [ -f "$lib/libae.so.$version" ] && [ -z "$(find Sources include tools/build-arm.sh -type f -newer "$lib/libae.so.$version")" ]; then
  exit 0
fi

swiftc=${SWIFT:-swift}c
bin=$(dirname "$(command -v "${SWIFT:-swift}")")
resources=$("$swiftc" -print-target-info | sed -n 's/.*"runtimeResourcePath": "\(.*\)".*/\1/p')
embedded=$resources/embedded/aarch64-none-none-elf
if [ ! -f "$embedded/libswiftUnicodeDataTables.a" ]; then
  echo "build-arm: this Swift has no embedded libraries for aarch64 (looked in $embedded); Swift 6.3 from swift.org has them" >&2
  exit 1
fi
tools/arm-root.sh "$root"

work=$out/work
mkdir -p "$work" "$lib"

# ---- Swift ----

flags=(-target aarch64-none-none-elf -enable-experimental-feature Embedded -enable-experimental-feature DeferredCodeGen
  -wmo -parse-as-library -Osize -swift-version 6 -package-name libae -enforce-exclusivity=unchecked -gnone
  -Xllvm -sil-disable-pass=closure-specialize -Xfrontend -function-sections -suppress-warnings -I "$work"
  -Xcc "-I$root/usr/include" -Xcc "-I$root/usr/include/aarch64-linux-gnu" -Xcc -D__linux__ -Xcc -fPIC -Xcc -w
  -Xcc -fmodule-map-file="$PWD/include/module.modulemap" -Xcc -fmodule-map-file="$PWD/Sources/CZlib/module.modulemap")
for module in CKernels CPixels CScan CSystem; do
  echo "module $module { umbrella header \"$PWD/Sources/$module/include/$module.h\" export * }" >"$work/$module.modulemap"
  flags+=(-Xcc "-fmodule-map-file=$work/$module.modulemap")
done
if [ ! -f "$work/LibAE.o" ] || [ -n "$(find Sources include -type f \( -name '*.swift' -o -name '*.h' \) -newer "$work/LibAE.o")" ]; then
  for module in Core Compute Bytes Options Network Entropy Lossless Latent Model Storage Container Quantization Training \
    LibAEDecode LibAE; do
    # shellcheck disable=SC2046  # names without spaces
    "$swiftc" -c "${flags[@]}" -module-name "$module" -emit-module -emit-module-path "$work/$module.swiftmodule" \
      -o "$work/$module.o" $(find "Sources/$module" -name '*.swift' | LC_ALL=C sort)
  done
fi

# ---- C, and all of it ----

{
  echo "{ global:"
  tools/exports.sh include/ae.h | sed 's/$/;/; s/^/  /'
  echo "local: *; };"
} >"$work/libae.map"
includes=()
for module in CKernels CPixels CScan CSystem; do includes+=("-ISources/$module/include"); done
# libgcc's functions for atomics are not needed by processors of 8.0 either.
"$bin/clang" --target=aarch64-linux-gnu "--sysroot=$root" -fuse-ld=lld -shared -fPIC -std=gnu11 -O3 -DAE_EMBEDDED \
  -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables -ftls-model=initial-exec -mno-outline-atomics \
  -fomit-frame-pointer "${includes[@]}" Sources/{CKernels,CPixels,CScan,CSystem}/*.c "$work"/*.o "$embedded/libswiftUnicodeDataTables.a" \
  -Wl,--gc-sections,--icf=all,-s "-Wl,--version-script=$work/libae.map" -Wl,-z,defs,-z,nodelete,-z,now,-z,text \
  "-Wl,-soname=libae.so.$abi_version" -Wl,--wrap=posix_memalign,--wrap=free -lz -lm -o "$work/libae.so"
# What a broken sysroot would have brought: libm or libz within, whose private symbols no system gives.
needs=$("$bin/llvm-objdump" -p "$work/libae.so" | awk '$1 == "NEEDED" { print $2 }' | sort | tr '\n' ' ')
if [ "$needs" != "ld-linux-aarch64.so.1 libc.so.6 libm.so.6 libz.so.1 " ]; then
  echo "build-arm: libae.so needs $needs, and not libc, libm, libz and the loader" >&2
  exit 1
fi
mv "$work/libae.so" "$lib/libae.so.$version"
ln -sf "libae.so.$version" "$lib/libae.so.$abi_version"
ln -sf "libae.so.$abi_version" "$lib/libae.so"
mkdir -p "$out/share/libae"
ln -sfn ../../../../models "$out/share/libae/models"
echo "$lib/libae.so.$version ($(stat -L -c %s "$lib/libae.so") bytes)"
