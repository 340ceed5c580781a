#!/usr/bin/env bash
# Finds what the build needs and, as root on Debian or Ubuntu, installs what is missing; otherwise it
# says exactly what to install. Runs before every build and takes milliseconds when all is there.
#
# usage: tools/setup.sh          compiler, linker, zlib, libpng
#        tools/setup.sh python   those, and a Python that can make virtual environments
#        tools/setup.sh emulators   those, and qemu with a C library for 64-bit Arm
set -euo pipefail
cd "$(dirname "$0")/.."

has() { command -v "$1" >/dev/null 2>&1; }
has_header() { echo "#include <$1>" | "$2" -E -x c - >/dev/null 2>&1; }
compiler() { if has "${CC:-cc}"; then echo "${CC:-cc}"; else echo clang; fi; }

if ! has "${SWIFT:-swift}"; then
  echo "setup: swift is not on the path. Install Swift 6.3 or later from https://www.swift.org/install" >&2
  exit 1
fi
version=$("${SWIFT:-swift}" --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\)\.\([0-9]*\).*/\1 \2/p' | head -1)
read -r major minor <<<"${version:-0 0}"
if [ "$major" -lt 6 ] || { [ "$major" -eq 6 ] && [ "$minor" -lt 3 ]; }; then
  echo "setup: Swift 6.3 or later is needed, this is $major.$minor. See https://www.swift.org/install" >&2
  exit 1
fi

missing() {
  has "${CC:-cc}" || has clang || echo gcc
  has "${CXX:-c++}" || has clang++ || echo g++
  has ld && has objcopy && has strip && has readelf || echo binutils
  has pkg-config || echo pkg-config
  has "$(compiler)" && {
    has_header stdio.h "$(compiler)" || echo libc6-dev
    has_header zlib.h "$(compiler)" || echo zlib1g-dev
    has_header png.h "$(compiler)" || echo libpng-dev
  } || echo libc6-dev zlib1g-dev libpng-dev
  has git || echo git
  if [ "${1:-}" = python ]; then
    has "${PYTHON:-python3}" || echo python3
    "${PYTHON:-python3}" -c 'import venv, ensurepip' 2>/dev/null || echo python3-venv
  elif [ "${1:-}" = emulators ]; then
    has qemu-aarch64-static && has qemu-x86_64-static || echo qemu-user-static
    [ -e /usr/aarch64-linux-gnu/lib/libc.so.6 ] || echo libc6-dev-arm64-cross
    compgen -G '/usr/lib/gcc-cross/aarch64-linux-gnu/*/libgcc.a' >/dev/null || echo libgcc-12-dev-arm64-cross
  fi
}

packages=$(missing "${1:-}" | tr '\n' ' ')
[ -z "${packages// /}" ] && exit 0

if ! has apt-get; then
  echo "setup: missing, by their Debian names: $packages" >&2
  exit 1
elif [ "$(id -u)" -ne 0 ]; then
  echo "setup: missing: $packages" >&2
  echo "setup: as root, run: apt-get update && apt-get install -y $packages" >&2
  exit 1
fi
echo "setup: installing $packages"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086  # a list of words
apt-get install -y -qq --no-install-recommends $packages >/dev/null
left=$(missing "${1:-}" | tr '\n' ' ')
if [ -n "${left// /}" ]; then
  echo "setup: still missing after installation: $left" >&2
  exit 1
fi
