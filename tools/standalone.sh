#!/usr/bin/env bash
# Links the tool and the study again, as .build/standalone/NAME, with Swift's library in themselves: for machines
# without Swift. The objects are those of the ordinary build; SwiftPM's own flag for it would compile them anew.
#
# usage: tools/standalone.sh        environment: SWIFT
set -euo pipefail
cd "$(dirname "$0")/.."

SWIFT=${SWIFT:-swift}
out=.build/standalone
mkdir -p "$out"
for product in aez aez-study; do
  tools/swift-build.sh --product "$product"
  # SwiftPM calls the entry of a program NAME_main, so that tests can have it, too. The last two libraries stand behind
  # Foundation's, which swift-argument-parser needs.
  "${SWIFT}c" -static-stdlib "@.build/release/$product.product/Objects.LinkFileList" -o "$out/$product.new" \
    -use-ld=lld -Xlinker --gc-sections -Xlinker "--defsym=main=${product//-/_}_main" \
    -l_FoundationCShims -l_FoundationCollections -lpng -lz -lm
  mv "$out/$product.new" "$out/$product"
done
