#!/usr/bin/env bash
# The main job from end to end: digits are compressed to a few bytes each and restored. Trains a small model
# for a minute, compresses and restores digits that it has not seen with it and with the models that
# come with it, and prints a table. MNIST where AE_MNIST says it is, digits drawn here elsewhere.
#
# usage: tools/demo.sh      environment: SWIFT, AE_MNIST
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n== %s\n' "$*"; }

say "Building the tool"
env -u CC -u CXX "${SWIFT:-swift}" build -c release --product aez 2>&1 | grep -E 'error|warning|Compiling|Build' | tail -n 3
aez=$PWD/.build/release/aez
mkdir -p demo
cd demo
rm -rf ./*

if [ -n "${AE_MNIST:-}" ] && [ -d "$AE_MNIST" ]; then
  say "Digits: MNIST, from AE_MNIST"
  train=mnist:train test=mnist:test
else
  say "Digits: drawn here, since AE_MNIST names no folder"
  "$aez" draw --count 20000 --seed 1 -o train-idx3-ubyte --quiet
  "$aez" draw --count 2000 --seed 2 -o test-idx3-ubyte --quiet
  train=train-idx3-ubyte test=test-idx3-ubyte
fi

say "Training an autoencoder 784-500-500-8 for 3,000 steps"
"$aez" train "$train" -o mine.aew --preset quick --storage int8
ls -l mine.aew | awk '{ printf "mine.aew: %d bytes, weights in int8\n", $5 }'

# field NAME FILE: a number out of a report in JSON.
field() { sed -nE "s/^ *\"$1\": ([-0-9.e+]+),?\$/\1/p" "$2" | head -n 1; }

say "Compressing and restoring test digits"
# What gzip makes of the same pixels is the usual yardstick.
if [ "$test" != mnist:test ]; then pixels() { cat "$test"; }
elif [ -f "$AE_MNIST/t10k-images-idx3-ubyte" ]; then pixels() { cat "$AE_MNIST/t10k-images-idx3-ubyte"; }
else pixels() { gzip -dc "$AE_MNIST/t10k-images-idx3-ubyte.gz"; }
fi
gzip_bytes=$(pixels | gzip -9 | wc -c)
printf '%-14s %8s %15s %9s %10s %11s\n' model quality 'bytes an image' 'PSNR, dB' ratio 'of gzip -9'
for model in mine.aew ''; do
  # Without a model, qualities are those of the scale from 1 to 14.
  for quality in $([ -n "$model" ] && echo 2 4 6 || echo 4 8 12); do
    "$aez" compress "$test" -o digits.aez ${model:+--model "$model"} --quality "$quality" --json --force > report.json
    awk -v model="${model:-(libae)}" -v quality="$quality" -v bytes="$(field bytes report.json)" \
      -v each="$(field bytes_per_image report.json)" -v psnr="$(field psnr_db report.json)" \
      -v ratio="$(field ratio report.json)" -v gzip="$gzip_bytes" 'BEGIN {
        printf "%-14s %8d %15.2f %9.2f %8.0f:1 %10.1f%%\n", model, quality, each, psnr, ratio, 100 * bytes / gzip }'
  done
done
rm report.json
"$aez" decompress digits.aez -o restored-idx3-ubyte --quiet

say "Pictures: digits above, their reconstructions below"
"$aez" reconstruct "$test" --model mine.aew --count 20 -o reconstructions-mine.png --quiet
"$aez" reconstruct "$test" --count 20 -o reconstructions.png --quiet
"$aez" test digits.aez
echo
echo "demo/reconstructions.png       with the default model"
echo "demo/reconstructions-mine.png  with the model trained just now"
echo "demo/restored-idx3-ubyte       the test digits, restored"
