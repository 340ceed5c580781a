#!/usr/bin/env bash
# Trains the universal predictor, models/universal.aew, on MNIST (AE_MNIST), the sets of AE_IMAGES and what sets.py makes:
# from random weights, and then further, with photographs and signs counted twice. It takes half an hour of two processors.
#
# usage: tools/universal/train.sh FILE
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${AE_MNIST:?set it to a folder with MNIST}" "${AE_IMAGES:?set it to a folder with the sets of models/README.md}"

sets=.build/universal
.venv/bin/python -c 'import PIL' 2>/dev/null || .venv/bin/pip install --quiet pillow
[ -d "$sets" ] || .venv/bin/python tools/universal/sets.py "$AE_IMAGES" "$sets"
train() {
  .build/release/aez train "$AE_MNIST/train-images-idx3-ubyte.gz" "$AE_IMAGES/fashion-train-images-idx3-ubyte.gz" \
    "$AE_IMAGES/usps-train-images-idx3-ubyte.gz" "$sets"/*.npy --exact --exact-augment --exact-name universal \
    --exact-steps 24000 --force "$@"
}
train --exact-initial random --exact-hidden 192,96,64 -o "$sets/first.aew"
train "$sets"/{cifar10-rgb,cifar10-grey,gtsrb-rgb}.npy --exact-start "$sets/first.aew" --exact-learning-rate 0.002 -o "$1"
