# Thin names for what the tools do; meson.build knows how to compile.
#
#   make build    build/posthold, with the packages it needs
#   make run      an instance to look at, on loopback
#   make test     everything that can fail: the last line is "N passed, N failed"
#   make docs     the documents that are made from the source
#   make timing   does the time of a refused log-in tell whether the account exists? TRIES=10000
#   make coverage what the unit tests reach, and whether it is enough; JSON=FILE for programs
#   make fuzz     each fuzz target for FUZZ_SECONDS

MESON ?= meson
NINJA ?= ninja
FUZZ_SECONDS ?= 600
# A part of a test's name, or a glob.
ONLY ?=

.PHONY: build deps deps-run deps-test docs run test test-build check coverage fuzz bench timing crash format install clean

build: deps build/build.ninja
	$(NINJA) -C build
	@if [ -x build/src/cli/posthold ]; then ln -sf src/cli/posthold build/posthold; fi

deps:
	tools/deps packaging/packages-build.txt

# Without the right to install, tests that need a missing tool are skipped and say so.
deps-test: deps
	-tools/deps packaging/packages-test.txt

# What the lines that `make run` prints need; it serves without.
deps-run:
	@tools/deps packaging/packages-run.txt || true

build/build.ninja:
	CC=gcc $(MESON) setup build

build-asan/build.ninja:
	CC=clang $(MESON) setup build-asan -Db_sanitize=address,undefined -Db_lundef=false

build-fuzz/build.ninja:
	CC=clang $(MESON) setup build-fuzz -Dtests=false -Dfuzz=true \
		-Db_sanitize=address,undefined -Db_lundef=false -Dc_args=-fsanitize=fuzzer-no-link

# Without the optimiser, so that counts are those of the lines that were written; it is also what some
# warnings need.
build-coverage/build.ninja:
	CC=gcc $(MESON) setup build-coverage --buildtype=debug -Db_coverage=true \
		-Dc_args='-U_FORTIFY_SOURCE -Wno-maybe-uninitialized'

run: build deps-run
	@tools/demo

test-build: deps-test build build-asan/build.ninja
	$(NINJA) -C build meson-test-prereq
	$(NINJA) -C build-asan meson-test-prereq

test: test-build
	tests/run --build build --unit-build build-asan $(if $(ONLY),--only '$(ONLY)')

check: build
	tests/run --build build --kind check

# Apart from `make test` for its time: five minutes.
coverage: deps-test build-coverage/build.ninja
	$(NINJA) -C build-coverage all meson-test-prereq
	tools/coverage --build build-coverage $(if $(JSON),--json '$(JSON)')

fuzz: deps build-fuzz/build.ninja
	tools/fuzz build-fuzz $(FUZZ_SECONDS) $(ONLY)

bench: build
	$(NINJA) -C build tests/bench/bench-load
	tools/each 'tests/bench/bench-*' 'tests/bench/bench_*.py'

# A measurement like those of bench, with a verdict.
timing: build
	tests/security/timing.py $(if $(TRIES),--tries $(TRIES))

# The long form of what `make test` does with tests/crash/.
crash: build
	POSTHOLD_LONG=1 tests/run --build build --kind script --only 'tests/crash/*'

docs:
	tools/docs

format:
	git ls-files -z -co --exclude-standard -- '*.c' '*.h' | xargs -0 -r clang-format -i

install: build
	$(MESON) install -C build --no-rebuild

clean:
	rm -rf build build-asan build-coverage build-fuzz
