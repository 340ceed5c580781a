#!/usr/bin/env bash
# Puts Debian's packages for 64-bit Arm into a folder, as a root for cross compilers and for qemu: a C library, zlib, and with
# `python` a Python with numpy. Packages are fetched by apt's own download and unpacked; nothing of this system is changed,
# and no root is needed.
#
# usage: tools/arm-root.sh FOLDER [python]
set -euo pipefail

folder=$1
packages="libc6-dev libgcc-12-dev zlib1g-dev"
if [ "${2:-}" = python ]; then packages="$packages python3 python3-numpy"; fi
if [ -f "$folder/packages" ] && [ "$(cat "$folder/packages")" = "$packages" ]; then exit 0; fi
if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
  echo "arm-root: apt-get and dpkg-deb are needed, of Debian or Ubuntu" >&2
  exit 1
fi

state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT
mkdir -p "$state/lists/partial" "$state/archives/partial"
touch "$state/status"
cat >"$state/apt.conf" <<CONF
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "";
Dir::State "$state";
Dir::State::status "$state/status";
Dir::Cache "$state";
Debug::NoLocking "1";
CONF
export APT_CONFIG=$state/apt.conf
apt-get update -qq
# shellcheck disable=SC2086  # a list of words
apt-get install -y -qq --download-only --no-install-recommends $packages >/dev/null
rm -rf "$folder" && mkdir -p "$folder"
for package in "$state"/archives/*.deb; do dpkg-deb -x "$package" "$folder"; done
# Links are relative to this root; a linker that found libm.so broken would take libm.a.
find "$folder" -type l -lname '/*' | while IFS= read -r link; do
  ln -sfn "$(realpath -ms --relative-to="$(dirname "$link")" "$folder$(readlink "$link")")" "$link"
done
echo "$packages" >"$folder/packages"
