# libae: the commands of this tree. `make help` lists them; the work itself is in tools/*.sh, SwiftPM
# and the compilers. What SwiftPM cannot say (embedded mode, soname, exports) is in tools/build-library.sh.

SHELL := /bin/bash
SWIFT ?= swift
PYTHON ?= python3
PREFIX ?= /usr/local
DESTDIR ?=
BINDIR ?= $(PREFIX)/bin
# Programs that others start: the study. The tool looks for it in ../libexec/aez, as seen from where it is.
LIBEXECDIR ?= $(PREFIX)/libexec/aez
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
# Where CMake looks for packages; two folders below LIBDIR, which the files there rely on.
CMAKEDIR = $(LIBDIR)/cmake/libae
MANDIR ?= $(PREFIX)/share/man
# Models that come with the library, which looks for them in ../share/libae/models, as seen from its folder.
MODELDIR ?= $(PREFIX)/share/libae/models
MODELS := digits-low digits-high exact mnist-30 universal digits-low-small digits-high-small
# Where shells look for completions of commands.
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR ?= $(PREFIX)/share/zsh/site-functions
FISHCOMPDIR ?= $(PREFIX)/share/fish/vendor_completions.d
# A folder with the four MNIST files. Without it, what needs MNIST is skipped and says so.
AE_MNIST ?= $(abspath $(wildcard ../shared/mnist))
# A folder of other images, for tests that want real ones; likewise.
AE_IMAGES ?= $(abspath $(wildcard ../shared/images))
export AE_MNIST AE_IMAGES SWIFT PYTHON

ifeq ($(origin CC),default)
CC := $(shell command -v cc || command -v clang || echo cc)
endif
ifeq ($(origin CXX),default)
CXX := $(shell command -v c++ || command -v clang++ || echo c++)
endif
export CC CXX

VERSION := $(shell awk '/define AE_VERSION_(MAJOR|MINOR|PATCH)/ { printf "%s%s", dot, $$3; dot = "." }' include/ae.h)
ABI_VERSION := $(shell awk '/define AE_ABI_VERSION/ { print $$3 }' include/ae.h)

.DEFAULT_GOAL := all
.PHONY: all help setup tool study lib test demo verify site bench bench-codecs wheel wheel-pages deb examples install install-built standalone uninstall man lint clean

all: tool lib  ## build the tool and the libraries

help:  ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20
	@echo
	@echo "  PREFIX=$(PREFIX)  DESTDIR=$(DESTDIR)  AE_MNIST=$(AE_MNIST)  AE_IMAGES=$(AE_IMAGES)"

setup:  ## find what the build needs; as root, install what is missing
	@tools/setup.sh

tool: setup  ## build the tool: .build/release/aez
	@tools/swift-build.sh --product aez

study: tool  ## build what `aez study` starts: .build/release/aez-study
	@tools/swift-build.sh --product aez-study

lib: setup  ## build .build/lib/libae.so and .a, and libae-decode, in embedded Swift
	@tools/build-library.sh

test: setup  ## run every test; the last line counts them
	@tools/test.sh

demo: setup  ## train, compress and restore digits; writes demo/
	@tools/demo.sh

verify: setup  ## the long trainings behind docs/results.md
	@tools/verify.sh

site:  ## write docs/ as a site, .build/site
	@tools/site.sh

bench: tool lib  ## measure against PyTorch, ONNX Runtime, scikit-learn; writes docs/benchmarks.md
	@PROCESSOR=$(PROCESSOR) tools/bench/bench.sh $(if $(QUICK),--quick) $(if $(PAGE),--page $(PAGE)) $(SECTIONS)

bench-codecs: tool lib  ## measure image sets beside other codecs' files; writes docs/compression.md
	@tools/bench/codecs.sh $(if $(QUICK),--quick) $(if $(SETS),--sets $(SETS)) $(SECTIONS)

wheel:  ## make dist/: the Python package's wheel and source archive, checked and used; ARCH=aarch64
	@$(if $(filter aarch64,$(ARCH)),tools/build-arm.sh,test -f .build/lib/libae.so || $(MAKE) --no-print-directory lib)
	@ARCH=$(ARCH) tools/wheel.sh

wheel-pages:  ## in a new environment: install that wheel, and type what every page says, timed
	@tools/wheel-pages.sh

deb:  ## build dist/*.deb, of what is built where it is: libae1, libae-dev, aez, python3-libae and more
	@tools/deb.sh

examples:  ## build the example programs against the installed header and library
	@tools/examples.sh "$(DESTDIR)$(PREFIX)"

install: lib standalone  ## install header, libraries, models, tool, study, man page, completions, CMake package under PREFIX
	@$(MAKE) --no-print-directory install-built

# The programs that are installed carry Swift's library in themselves: where they go there may be no Swift, and the
# place of this one is not for others to know.
standalone: setup
	@tools/standalone.sh

man:  ## write the options in docs/aez.1 as the built tool has them
	@$(PYTHON) tools/man.py --tool "$$(ls .build/release/aez .build/standalone/aez 2>/dev/null | head -n 1)"

# What files say of where and what they are. CMake's are to be moved along with the installation.
FILL = sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' \
  -e 's|@VERSION@|$(VERSION)|' -e 's|@ABI_VERSION@|$(ABI_VERSION)|' \
  -e "s|@INCLUDEDIR_FROM_LIBDIR@|$$(realpath -ms --relative-to='$(LIBDIR)' '$(INCLUDEDIR)')|"

install-built:
	@if command -v $(PYTHON) >/dev/null; then $(PYTHON) tools/man.py --tool .build/standalone/aez; fi
	install -d "$(DESTDIR)$(INCLUDEDIR)" "$(DESTDIR)$(LIBDIR)/pkgconfig" "$(DESTDIR)$(BINDIR)"
	install -m 644 include/ae.h "$(DESTDIR)$(INCLUDEDIR)/ae.h"
	if [ -f bindings/cpp/ae.hpp ]; then install -m 644 bindings/cpp/ae.hpp "$(DESTDIR)$(INCLUDEDIR)/ae.hpp"; fi
	install -m 755 .build/lib/libae.so.$(VERSION) "$(DESTDIR)$(LIBDIR)/libae.so.$(VERSION)"
	ln -sf libae.so.$(VERSION) "$(DESTDIR)$(LIBDIR)/libae.so.$(ABI_VERSION)"
	ln -sf libae.so.$(ABI_VERSION) "$(DESTDIR)$(LIBDIR)/libae.so"
	install -m 644 .build/lib/libae.a "$(DESTDIR)$(LIBDIR)/libae.a"
	install -m 755 .build/lib/libae-decode.so.$(VERSION) "$(DESTDIR)$(LIBDIR)/libae-decode.so.$(VERSION)"
	ln -sf libae-decode.so.$(VERSION) "$(DESTDIR)$(LIBDIR)/libae-decode.so.$(ABI_VERSION)"
	ln -sf libae-decode.so.$(ABI_VERSION) "$(DESTDIR)$(LIBDIR)/libae-decode.so"
	install -m 644 .build/lib/libae-decode.a "$(DESTDIR)$(LIBDIR)/libae-decode.a"
	for name in libae libae-decode; do $(FILL) "tools/$$name.pc.in" > "$(DESTDIR)$(LIBDIR)/pkgconfig/$$name.pc"; done
	install -d "$(DESTDIR)$(CMAKEDIR)"
	for name in libae-config libae-config-version; do \
	  $(FILL) "bindings/cmake/$$name.cmake.in" > "$(DESTDIR)$(CMAKEDIR)/$$name.cmake"; done
	install -m 644 bindings/cmake/libae-targets.cmake "$(DESTDIR)$(CMAKEDIR)"
	strip -o "$(DESTDIR)$(BINDIR)/aez" .build/standalone/aez
	install -d "$(DESTDIR)$(LIBEXECDIR)"
	strip -o "$(DESTDIR)$(LIBEXECDIR)/aez-study" .build/standalone/aez-study
	chmod 755 "$(DESTDIR)$(BINDIR)/aez" "$(DESTDIR)$(LIBEXECDIR)/aez-study"
	install -d "$(DESTDIR)$(MODELDIR)"
	install -m 644 $(MODELS:%=models/%.aew) "$(DESTDIR)$(MODELDIR)"
	if [ -f docs/aez.1 ]; then install -d "$(DESTDIR)$(MANDIR)/man1" && \
	  install -m 644 docs/aez.1 "$(DESTDIR)$(MANDIR)/man1/aez.1"; fi
	install -d "$(DESTDIR)$(BASHCOMPDIR)" "$(DESTDIR)$(ZSHCOMPDIR)" "$(DESTDIR)$(FISHCOMPDIR)"
	"$(DESTDIR)$(BINDIR)/aez" --generate-completion-script bash | sed '1{/^#!/d}' > "$(DESTDIR)$(BASHCOMPDIR)/aez"
	"$(DESTDIR)$(BINDIR)/aez" --generate-completion-script zsh > "$(DESTDIR)$(ZSHCOMPDIR)/_aez"
	"$(DESTDIR)$(BINDIR)/aez" --generate-completion-script fish > "$(DESTDIR)$(FISHCOMPDIR)/aez.fish"
	@echo "installed under $(DESTDIR)$(PREFIX); as root, run ldconfig if that is a system folder"

uninstall:  ## remove what install put there
	rm -f "$(DESTDIR)$(INCLUDEDIR)/ae.h" "$(DESTDIR)$(INCLUDEDIR)/ae.hpp" "$(DESTDIR)$(LIBDIR)/libae.so" \
	  "$(DESTDIR)$(LIBDIR)/libae.so.$(ABI_VERSION)" "$(DESTDIR)$(LIBDIR)/libae.so.$(VERSION)" \
	  "$(DESTDIR)$(LIBDIR)/libae.a" "$(DESTDIR)$(LIBDIR)/libae-decode.so" "$(DESTDIR)$(LIBDIR)/libae-decode.a" \
	  "$(DESTDIR)$(LIBDIR)/libae-decode.so.$(ABI_VERSION)" "$(DESTDIR)$(LIBDIR)/libae-decode.so.$(VERSION)" \
	  "$(DESTDIR)$(LIBDIR)/pkgconfig/libae.pc" "$(DESTDIR)$(LIBDIR)/pkgconfig/libae-decode.pc" \
	  "$(DESTDIR)$(CMAKEDIR)"/libae-{config,config-version,targets}.cmake "$(DESTDIR)$(BINDIR)/aez" \
	  "$(DESTDIR)$(MANDIR)/man1/aez.1" "$(DESTDIR)$(BASHCOMPDIR)/aez" "$(DESTDIR)$(ZSHCOMPDIR)/_aez" \
	  "$(DESTDIR)$(FISHCOMPDIR)/aez.fish" "$(DESTDIR)$(LIBEXECDIR)/aez-study"
	rm -f $(MODELS:%="$(DESTDIR)$(MODELDIR)"/%.aew)
	rmdir "$(DESTDIR)$(CMAKEDIR)" "$(DESTDIR)$(LIBEXECDIR)" "$(DESTDIR)$(MODELDIR)" "$(DESTDIR)$(PREFIX)/share/libae" 2>/dev/null || true

lint:  ## check formatting and the rules on imports
	@tools/setup-python.sh || true
	@tools/lint.sh

clean:  ## remove everything that was built
	rm -rf .build .venv demo
