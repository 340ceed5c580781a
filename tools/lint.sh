#!/usr/bin/env bash
# The rules of this tree that a machine can check: formatting, and what sources may import. The engine
# compiles in embedded Swift and has no door to the system but CSystem, CKernels and CZlib.
#
# usage: tools/lint.sh
set -uo pipefail
cd "$(dirname "$0")/.."

passed=0
failed=0
skipped=0

# rule NAME PROBLEM: passes if PROBLEM is empty.
rule() {
  if [ -z "$2" ]; then
    passed=$((passed + 1))
    echo "ok       $1"
  else
    failed=$((failed + 1))
    echo "NOT OK   $1"
    sed 's/^/           /' <<<"$2"
  fi
}
skip() {
  skipped=$((skipped + 1))
  echo "skipped  $1"
}

modules='Synchronization|CAE|CKernels|CPixels|LibAEDecode|CSystem|CZlib|Bytes|CScan|Compute|Container|Core|Digits|Entropy|Latent|Lossless|Model|Network|Options|Quantization|SourceExport|Storage|Training'
rule "Sources import nothing but each other, the C ground floor and Swift's atomics" \
  "$(grep -nE '^[[:space:]]*(@[a-zA-Z_]+(\([^)]*\))? )*((public|package|internal|private|fileprivate) )?import ' -r Sources --include='*.swift' |
    grep -vE "import ($modules)( |\$)")"
rule "the manifest has no unsafe flags" "$(grep -n 'unsafeFlags(' Package.swift)"
rule "Sources keep to typed throws" "$(grep -nE '\bthrows( |$)|\bany Error\b' -r Sources --include='*.swift' | grep -vE '^[^:]+:[0-9]+: *//')"
rule "Sources have no traps to order" \
  "$(grep -nE '\b(fatalError|preconditionFailure|try!)' -r Sources --include='*.swift' | grep -vE '^[^:]+:[0-9]+: *//')"
rule "Sources use neither Dictionary nor Set" \
  "$(grep -nE '\b(Dictionary|Set)<|: Set\b' -r Sources --include='*.swift' | grep -vE '^[^:]+:[0-9]+: *//')"
rule "nothing is left for later" \
  "$(git grep -nIE '\b(TODO|FIXME|XXX)\b' -- . ':!tools/lint.sh' 2>/dev/null)"

# Names of files are bytes: what hands a path to the system gets them from FileName.
calls='(l?stat|access|opendir|unlink|rename|mkdir|rmdir|mkdtemp|chmod|symlink|readlink|realpath|fopen|posix_spawnp?)'
rule "paths reach the system by FileName alone" \
  "$(grep -nE "\.(withCString|utf8CString)\>|(^|[^.a-zA-Z_])(Glibc\.)?$calls\([a-z\"]|CommandLine\.arguments|getenv\(" \
    -r Sources tools --include='*.swift' | grep -vE '^[^:]+:[0-9]+: *//|func |FileName\.withCString\(')"

if swift format --version >/dev/null 2>&1; then
  rule "swift format lint --strict" \
    "$(git ls-files -z '*.swift' | xargs -0 swift format lint --strict --parallel 2>&1 | head -40)"
else
  skip "swift format lint: this toolchain has no swift-format"
fi
ruff=.venv/bin/ruff
[ -x "$ruff" ] || ruff=$(command -v ruff || true)
if [ -z "$(git ls-files '*.py')" ]; then
  :
elif [ -n "$ruff" ]; then
  rule "ruff check" "$(git ls-files -z '*.py' | xargs -0 "$ruff" check --quiet 2>&1)"
else
  skip "ruff is not installed (make lint needs .venv: tools/setup-python.sh)"
fi
# A tool that is older than the tables cannot tell; the tests of the tool look, too.
if [ -x .build/release/aez ] && [ -z "$(find Sources tools/kit tools/aez -name '*.swift' -newer .build/release/aez)" ]; then
  rule "docs/aez.1 has the options of the tool (make man)" "$("${PYTHON:-python3}" tools/man.py --check 2>&1)"
else
  skip "docs/aez.1: the tool is not built, or older than its sources"
fi
if command -v clang-format >/dev/null 2>&1; then
  echo "note     clang-format: $(git ls-files '*.c' '*.h' '*.cpp' '*.hpp' | grep -v '^include/ae.h' |
    xargs -r clang-format --dry-run 2>&1 | grep -c 'warning:') places differ from .clang-format"
fi

echo "lint: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
