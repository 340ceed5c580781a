#!/usr/bin/env bash
# Prints the names of the functions that a C header declares, one a line, sorted. The linker's version
# script, the check of libae.so and the list for libae.a all come from here, so include/ae.h alone says
# what is exported.
#
# usage: tools/exports.sh [--decode] include/ae.h      with --decode, those that libae-decode has alone
set -euo pipefail

only=.
if [ "$1" = --decode ]; then
  # What stands in Sources/LibAEDecode is the half that decodes.
  only=$(grep -ohE '@_cdecl\("[a-z0-9_]+"\)' "$(dirname "$0")"/../Sources/LibAEDecode/*.swift | cut -d'"' -f2 |
    sed 's/.*/^&$/')
  shift
fi
header=$1
# Comments go first (they name functions, too); then a declaration is a name directly before "(".
# A callback's name stands before ")(" and so is not one.
sed -e 's://.*$::' "$header" |
  awk '{ line = line $0 "\n" } END {
    while ((i = index(line, "/*")) > 0) {
      rest = substr(line, i + 2); j = index(rest, "*/")
      line = substr(line, 1, i - 1) " " substr(rest, j + 2)
    }
    printf "%s", line }' |
  grep -v '^ *#' | grep -oE '\b(ae|vae)_[a-z0-9_]+ *\(' | tr -d ' (' | LC_ALL=C sort -u | grep -E "$only"
