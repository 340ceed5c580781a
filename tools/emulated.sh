#!/usr/bin/env bash
# Processors that this machine is not, under qemu: an old x86-64 without AVX, on which the library as built must
# run and pick plain C by itself; and 64-bit Arm, for which the kernels and all that decodes image sets are compiled
# and run, on processors with and without dot products. Takes a minute; what is missing is skipped, and the line says why.
#
# usage: tools/emulated.sh        environment: SWIFT, CC, AE_LIBRARY (default .build/lib)
set -uo pipefail
cd "$(dirname "$0")/.."

out=.build/emulated
lib=${AE_LIBRARY:-.build/lib}
clang=$(dirname "$(command -v "${SWIFT:-swift}")")/clang
[ -x "$clang" ] || clang=clang
mkdir -p "$out"

# result STATUS TEXT
result() { if [ "$1" -eq 0 ]; then echo "ok       $2"; else echo "NOT OK   $2"; failed=1; fi; }
failed=0

# run NAME COMMAND...: shows the command's checks, and counts a command that ends badly without one.
run() {
  local name=$1 status=0
  shift
  timeout 120 "$@" >"$out/run.log" 2>&1 || status=$?
  sed -E "s/^(ok      |NOT OK  ) /\1 $name: /" "$out/run.log"
  if grep -q '^NOT OK' "$out/run.log"; then failed=1; fi
  if [ "$status" -ne 0 ] && ! grep -q '^NOT OK' "$out/run.log"; then result 1 "$name: ended with status $status"; fi
}

tools/setup.sh emulators || true

# ---- An old x86-64 ----

old() { timeout 120 qemu-x86_64-static -cpu Nehalem "$@"; }

if [ "$(uname -m)" != x86_64 ]; then
  echo "skipped  an old x86-64: this machine is not x86-64"
elif ! command -v qemu-x86_64-static >/dev/null; then
  echo "skipped  an old x86-64: qemu-x86_64-static is not installed (Debian: qemu-user-static)"
elif [ ! -f "$lib/libae.so" ]; then
  echo "skipped  an old x86-64: $lib/libae.so is not built (make lib)"
else
  # The emulator must end a program that uses AVX, or what follows would show nothing.
  echo 'int main(void) { __asm__ volatile("vpaddd %ymm0, %ymm0, %ymm0"); return 0; }' >"$out/avx.c"
  "$clang" -O1 "$out/avx.c" -o "$out/avx"
  (old "$out/avx") >/dev/null 2>&1
  [ $? -eq 132 ]
  result $? "Nehalem: an AVX2 instruction ends a program there"

  "$clang" -O2 -Wall -Wextra -Werror -ISources/CKernels/include Tests/kernels/paths.c Sources/CKernels/?*.c \
    -o "$out/paths" -lm -lpthread
  result $? "Nehalem: the kernels and their tests compile"
  run "Nehalem" qemu-x86_64-static -cpu Nehalem "$out/paths" generic
  "$clang" -O2 -Wall -Wextra -Werror -ISources/CKernels/include Tests/kernels/integers.c Sources/CKernels/?*.c \
    -o "$out/integers" -lm -lpthread
  result $? "Nehalem: the tests of integer networks compile"
  run "Nehalem" qemu-x86_64-static -cpu Nehalem "$out/integers" 50

  "${CC:-cc}" -std=c99 -O1 -Iinclude Tests/conformance/*.c -o "$out/conformance" -L"$lib" -lae -lm -lpthread
  result $? "Nehalem: the conformance program compiles"
  export LD_LIBRARY_PATH=$lib
  for cpu in "" generic avx2 avx512; do
    [[ $(AE_CPU=$cpu old "$out/conformance" info) == *", generic kernels,"* ]]
    result $? "Nehalem: libae.so runs plain C with AE_CPU=$cpu"
  done
  old "$out/conformance" write "$out/old.aew"
  result $? "Nehalem: libae.so trains a model and saves it"
  "$out/conformance" digest "$out/old.aew" >"$out/here.digest" &&
    old "$out/conformance" digest "$out/old.aew" >"$out/old.digest" && [ -s "$out/old.digest" ] &&
    cmp "$out/here.digest" "$out/old.digest"
  result $? "Nehalem: sets, pixels, int8 codes and samples are those of this machine, byte for byte"
  unset LD_LIBRARY_PATH
fi

# ---- 64-bit Arm ----

sysroot=/usr/aarch64-linux-gnu
if ! command -v qemu-aarch64-static >/dev/null; then
  echo "skipped  64-bit Arm: qemu-aarch64-static is not installed (Debian: qemu-user-static)"
elif [ ! -e "$sysroot/lib/libc.so.6" ] || ! "$clang" --target=aarch64-linux-gnu -print-libgcc-file-name >/dev/null 2>&1; then
  echo "skipped  64-bit Arm: no C library for it (Debian: libc6-dev-arm64-cross libgcc-12-dev-arm64-cross)"
else
  for program in paths integers pool; do
    "$clang" --target=aarch64-linux-gnu -fuse-ld=lld -O2 -Wall -Wextra -Werror -ISources/CKernels/include \
      Tests/kernels/$program.c Sources/CKernels/?*.c -o "$out/$program-arm" -lm -lpthread
    result $? "Arm: the kernels and Tests/kernels/$program.c compile"
  done
  # The first has no dot-product instructions, the second has.
  for cpu in cortex-a53 max; do
    best=neon
    if [ "$cpu" = max ]; then best=dotprod; fi
    run "Arm $cpu" qemu-aarch64-static -L "$sysroot" -cpu "$cpu" "$out/paths-arm" "$best"
    run "Arm $cpu" qemu-aarch64-static -L "$sysroot" -cpu "$cpu" "$out/integers-arm" 50
  done
  run "Arm" qemu-aarch64-static -L "$sysroot" -cpu max "$out/pool-arm"

  # The modules that decoding takes, in embedded Swift: its objects for bare aarch64 link against that C library.
  # There is no zlib for it; Tests/emulated/inflate.c stands in.
  swiftc=${SWIFT:-swift}c
  embedded=$(dirname "$("$swiftc" -print-target-info | sed -n 's/.*"runtimeResourcePath": "\(.*\)".*/\1/p')/x")/embedded
  aez=${AEZ:-.build/release/aez}
  if [ ! -f "$embedded/aarch64-none-none-elf/libswiftUnicodeDataTables.a" ]; then
    echo "skipped  Arm: this Swift has no embedded libraries for aarch64"
  elif [ ! -x "$aez" ]; then
    echo "skipped  Arm: $aez, which says what pixels must come, is not built (make tool)"
  else
    modules=$out/arm-modules
    rm -rf "$modules" && mkdir -p "$modules/zlib"
    cp /usr/include/zlib.h "$(find /usr/include -name zconf.h | head -n 1)" "$modules/zlib"
    echo 'module CZlib [system] { header "zlib.h" export * }' >"$modules/zlib/module.modulemap"
    flags=(-target aarch64-none-none-elf -enable-experimental-feature Embedded
      -enable-experimental-feature DeferredCodeGen -wmo -parse-as-library -Osize
      -swift-version 6 -package-name libae -enforce-exclusivity=unchecked -Xfrontend -function-sections -suppress-warnings
      -I "$modules" -I "$modules/zlib" -Xcc "-I$sysroot/include" -Xcc -D__linux__ -Xcc -fPIC -Xcc -DZ_SOLO -Xcc -w)
    for module in CKernels CPixels CScan CSystem; do
      echo "module $module { umbrella header \"$PWD/Sources/$module/include/$module.h\" export * }" >"$modules/$module.modulemap"
      flags+=(-Xcc "-fmodule-map-file=$modules/$module.modulemap")
    done
    status=0
    for module in Core Compute Bytes Options Network Entropy Lossless Latent Model Storage Container; do
      "$swiftc" -c "${flags[@]}" -module-name "$module" -emit-module -emit-module-path "$modules/$module.swiftmodule" \
        -o "$modules/$module.o" $(find Sources/"$module" -name "*.swift") || { status=1; break; }
    done
    [ "$status" -eq 0 ] && "$swiftc" -c "${flags[@]}" -module-name Decode -o "$modules/Decode.o" Tests/emulated/decode.swift &&
      "$clang" --target=aarch64-linux-gnu -fuse-ld=lld -no-pie -O2 -DAE_EMBEDDED -DZ_SOLO -Wl,--gc-sections -I"$modules/zlib" \
        -ISources/CKernels/include -ISources/CSystem/include "$modules"/*.o Tests/emulated/*.c Sources/CKernels/?*.c \
        Sources/CScan/*.c -ISources/CScan/include Sources/CPixels/*.c -ISources/CPixels/include \
        Sources/CSystem/*.c "$embedded/aarch64-none-none-elf/libswiftUnicodeDataTables.a" -Wl,--wrap=posix_memalign,--wrap=free \
        -o "$out/decode-arm" -lm -lpthread
    result $? "Arm: the modules that decoding takes compile in embedded Swift, and link"
    golden=Tests/golden
    for pair in coded:walsh-8 mixed:walsh-8 plain:walsh-8 tiny:walsh-4 embedded: exact-contexts: exact-drawings-1: exact-noise: \
      exact-preview:walsh-8 exact-scans:scans-28 exact-stored: exact: near-exact-3: near-exact-32: near-exact-contexts: \
      near-exact-scans:scans-28 v3-coded:walsh-8 v3-mixed:walsh-8 v3-embedded: v3-exact-contexts: v3-exact-scans:scans-28 \
      v3-near-exact-scans:scans-28 v3-contexts-grey: v3-contexts-rgb: v3-contexts-rgba: v3-contexts-bilevel: \
      v3-near-contexts-rgb: v3-predicted-grey:predictor-8 v3-predicted-rgb:predictor-8 v3-near-predicted-rgba:predictor-8 \
      v3-predicted-embedded: v3-scans-contexts:scans-28 v3-scans-predicted:predictor-scans \
      v3-coded-rgb:tiny-nodes v3-coded-rgb-form-2:; do
      set="$golden/${pair%:*}.aez"
      weights=${pair#*:}
      # Without integer networks nothing differs from processor to processor.
      cpus=cortex-a53
      if [[ ${set##*/} != *contexts* && ${set##*/} != exact* && ${set##*/} != near* ]]; then cpus="cortex-a53 max"; fi
      for cpu in $cpus; do
        qemu-aarch64-static -L "$sysroot" -cpu "$cpu" "$out/decode-arm" "$set" ${weights:+"$golden/$weights.aew"} >"$out/arm.pixels" &&
          [ -s "$out/arm.pixels" ] &&
          "$aez" decompress "$set" ${weights:+--model "$golden/$weights.aew"} -o - --as npy |
          tail -c "$(stat -c %s "$out/arm.pixels")" | cmp -s - "$out/arm.pixels"
        result $? "Arm $cpu: ${pair%:*}.aez decodes to the pixels that it has here"
      done
    done
  fi
fi
[ "$failed" -eq 0 ]
