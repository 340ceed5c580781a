#!/usr/bin/env bash
# Runs the benchmark of files, codecs.py, in the benchmark's virtual environment, with the codecs that Debian
# has. Those that are missing are installed as root; otherwise they are named, and their rows are left out.
#
# usage: tools/bench/codecs.sh [--quick] [--sets NAME,...] [SECTION ...]     environment: bench.sh's
set -euo pipefail
cd "$(dirname "$0")/../.."

missing() {
  while read -r program package; do
    command -v "$program" >/dev/null 2>&1 || echo "$package"
  done <<'END' | sort -u
gzip gzip
bzip2 bzip2
xz xz-utils
zstd zstd
brotli brotli
cwebp webp
dwebp webp
cjxl libjxl-tools
djxl libjxl-tools
zopflipng zopfli
optipng optipng
avifenc libavif-bin
avifdec libavif-bin
opj_compress libopenjp2-tools
opj_decompress libopenjp2-tools
END
}

packages=$(missing | tr '\n' ' ')
if [ -n "$packages" ] && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  echo "bench-codecs: installing $packages"
  export DEBIAN_FRONTEND=noninteractive
  # shellcheck disable=SC2086  # a list of words
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends $packages >/dev/null; } || true
  packages=$(missing | tr '\n' ' ')
fi
[ -z "$packages" ] || echo "bench-codecs: left out, by their Debian names: $packages" >&2
BENCH_PROGRAM=tools/bench/codecs.py exec tools/bench/bench.sh "$@"
