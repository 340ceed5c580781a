#!/usr/bin/env bash
# Builds the Debian packages from debian/ into dist/, in a copy of what git knows of this tree. What is built here already
# (make lib standalone) is taken as it is. Then lintian looks at them, if it is there: an error or a warning ends with 1.
#
# usage: tools/deb.sh [ARGUMENT OF dpkg-buildpackage...]       environment: SWIFT, DEB_BUILD_OPTIONS, DIST (default: dist)
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in dpkg-buildpackage dh; do
  command -v $tool >/dev/null || {
    echo "deb: $tool is missing: as root, apt-get install devscripts debhelper, then mk-build-deps -i, or see debian/control" >&2
    exit 1
  }
done
version=$(dpkg-parsechangelog -l debian/changelog -S Version)
ours=$(awk '/#define AE_VERSION_(MAJOR|MINOR|PATCH)/ { printf "%s%s", dot, $3; dot = "." }' include/ae.h)
if [ "$version" != "$ours" ]; then
  echo "deb: debian/changelog is of $version, include/ae.h of $ours" >&2
  exit 1
fi
dist=${DIST:-dist}
work=$PWD/.build/deb
tree=$work/libae-$version
rm -rf "$work" && mkdir -p "$tree" "$dist"
git ls-files -z | tar -c --null -T - | tar -x -C "$tree"
if [ -f .build/lib/libae.so ] && [ -f .build/standalone/aez ]; then export LIBAE_BUILT=$PWD/.build; fi
(cd "$tree" && dpkg-buildpackage -us -uc "$@")
find "$work" -maxdepth 1 -type f -exec cp {} "$dist" \;
if command -v lintian >/dev/null; then
  # Not as root: lintian dislikes it.
  lintian --fail-on error,warning --info --display-info $([ "$(id -u)" -ne 0 ] || echo --allow-root) "$work"/*.changes
  echo "ok       lintian"
else
  echo "skipped  lintian: it is not installed"
fi
ls -l "$dist"/*.deb | awk '{ print "deb: " $5 " bytes  " $9 }'
