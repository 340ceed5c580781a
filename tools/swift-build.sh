#!/usr/bin/env bash
# `swift build` as all of the project's own builds do it: optimised; without what debuggers read, and with one job for
# a module's interface and its code, which together save a third of the time.
#
# usage: tools/swift-build.sh ARGUMENT...        environment: SWIFT
set -euo pipefail
# SwiftPM would compile C with CC; that takes the toolchain's own clang.
exec env -u CC -u CXX "${SWIFT:-swift}" build -c release -Xswiftc -gnone -Xswiftc -no-emit-module-separately-wmo "$@"
