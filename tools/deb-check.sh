#!/usr/bin/env bash
# Installs the Debian packages into a clean Debian in a folder, as debootstrap makes it, and uses what they bring: the manual,
# completions, pkg-config, CMake, the examples, Python. Needs root and Debian's mirror.
#
# usage: debootstrap --variant=minbase bookworm FOLDER; tools/deb-check.sh FOLDER [FOLDER-OF-PACKAGES]   (default: dist)
set -euo pipefail
cd "$(dirname "$0")/.."

root=${1:?usage: tools/deb-check.sh CHROOT [PACKAGES]}
packages=${2:-dist}
rm -rf "$root/tmp/libae" && mkdir -p "$root/tmp/libae"
cp "$packages"/*.deb "$root/tmp/libae"

# Runs inside: no environment, no Swift, nothing of this tree.
cat >"$root/tmp/libae/check.sh" <<'INSIDE'
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
cd /tmp/libae
! command -v swift
apt-get update -qq
# Of minimal images, dpkg leaves the manuals out.
rm -f /etc/dpkg/dpkg.cfg.d/docker
apt-get install -y -qq --no-install-recommends ./*.deb bash-completion cmake gcc g++ libc6-dev make man-db pkg-config >/dev/null 2>install.log ||
  { cat install.log; exit 1; }
ok() { echo "ok       $1"; }

[ "$(aez --version)" = "aez $(dpkg-query -W -f '${Version}' aez)" ]
aez draw --count 100 --seed 3 -o digits-idx3-ubyte --quiet
aez compress digits-idx3-ubyte -o digits.aez --quiet
aez decompress digits.aez -o again-idx3-ubyte --quiet
aez study --help | grep -q 'USAGE: aez study'
ok "the tool compresses, and finds the study"

MANPAGER=cat man aez | grep -q 'learned compression for sets of small images'
[ "$(man -w aez)" = /usr/share/man/man1/aez.1.gz ]
ok "man aez"

cat >tab.py <<'P'
"""What bash shows when a tab is typed."""
import os, pty, select, sys, time

child, terminal = pty.fork()
if child == 0:
    os.environ.update(TERM="dumb", PS1="$ ", HOME="/tmp/libae")
    os.execv("/bin/bash", ["bash", "--norc", "-i"])
shown = b""
def wait(seconds):
    global shown
    end = time.time() + seconds
    while time.time() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            shown += os.read(terminal, 65536)
os.write(terminal, b". /usr/share/bash-completion/bash_completion; bind 'set bell-style none'\n")
wait(3)
shown = b""
os.write(terminal, sys.argv[1].encode() + b"\t\t")
end = time.time() + 20
while sys.argv[2].encode() not in shown and time.time() < end:
    wait(0.5)
os.write(terminal, b"\x15exit\n")
print(shown.decode(errors="replace"))
sys.exit(sys.argv[2].encode() not in shown)
P
python3 tab.py 'aez compress --' -- >/dev/null
python3 tab.py 'aez compress --' --embed-model >tab.log
grep -q -- --exact tab.log
python3 tab.py 'aez decomp' 'decompress' >/dev/null
ok "bash: aez compress --<TAB> shows its $(grep -oE -- '--[a-z][a-z-]+' tab.log | sort -u | wc -l) flags"
[ -s /usr/share/zsh/vendor-completions/_aez ] && [ -s /usr/share/fish/vendor_completions.d/aez.fish ]

cp -r /usr/share/doc/libae-dev/examples examples
find examples -name '*.gz' -exec gunzip {} +
[ "$(pkg-config --modversion libae)" = "$(pkg-config --modversion libae-decode)" ]
cc examples/default_model.c -o default_model $(pkg-config --cflags --libs libae)
./default_model | grep -q '^digits-high: 28 x 28'
cc -static examples/stream.c -o stream $(pkg-config --static --cflags --libs libae)
tail -c +17 digits-idx3-ubyte | ./stream 28 28 >stream.aez
cc examples/cmake/show.c -o show $(pkg-config --cflags --libs libae-decode)
./show stream.aez | grep -q '^100 images of 28 x 28 x 1'
ok "pkg-config: both libraries, shared and static"

cmake -S examples/cmake -B build >/dev/null
cmake --build build >build.log 2>&1 || { cat build.log; exit 1; }
build/default_model | grep -q '^digits-high: 28 x 28'
build/show digits.aez 7 | grep -q '^100 images of 28 x 28 x 1'
# A program with the library inside looks for models beside itself.
AE_MODEL_PATH=/usr/share/libae/models build/show-static digits.aez 7 | cmp - <(build/show digits.aez 7)
ok "CMake: find_package(libae), four targets"

make -s -C examples BUILD=/tmp/libae/make MODEL=/usr/share/libae/models/mnist-30.aew >make.log 2>&1 || { cat make.log; exit 1; }
make/digits /usr/share/libae/models/mnist-30.aew digits-idx3-ubyte digits.pgm
make/digits-cpp /usr/share/libae/models/mnist-30.aew digits-idx3-ubyte digits-cpp.pgm
cmp digits.pgm digits-cpp.pgm
ok "the examples of libae-dev, C and C++"

python3 - <<'P'
import importlib.metadata, numpy, libae
images = numpy.fromfile("digits-idx3-ubyte", numpy.uint8)[16:].reshape(-1, 28, 28)
assert libae.library_path == "libae.so.1", libae.library_path
assert libae.compress(images) == open("digits.aez", "rb").read()
assert (libae.decompress(libae.compress(images, exact=True)) == images).all()
assert importlib.metadata.version("libae") == libae.__version__
P
ok "Python: the system's library, the tool's bytes"

dpkg --purge aez python3-libae libae-dev libae1 libae-decode1 libae-data >/dev/null
left=$(find / -xdev \( -name '*libae*' -o -name 'aez*' -o -name '_aez' \) -not -path '/proc/*' -not -path '/tmp/*' -not -path '/var/cache/man/*')
[ -z "$left" ] || { echo "NOT OK   purging leaves $left"; exit 1; }
ok "purging leaves nothing"
INSIDE
# Swift's programs read their arguments from /proc; to type a tab takes a terminal.
trap 'umount "$root/proc" "$root/dev/pts" 2>/dev/null' EXIT
mount -t proc proc "$root/proc"
mount --bind /dev/pts "$root/dev/pts"
chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 bash /tmp/libae/check.sh
