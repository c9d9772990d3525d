# What people and the CI call. Everything stays in ./build and ./var, packages aside.
.PHONY: setup build run demo test check unit integration soak compliance format lint fuzz bench-relay bench-queue bench-policyd bench-gate clean

SOURCES = $(wildcard $(shell git ls-files -co --exclude-standard '*.cpp' '*.hpp'))

setup:
	@tools/setup

build: setup
	@cmake --preset release >build/configure-release.log || (cat build/configure-release.log; false)
	@cmake --build --preset release

# A relay on 127.0.0.1:2525 for mail from this machine, its data under ./var.
run: build
	@mkdir -p var
	@exec build/release/pinnace relay --config tools/run.toml

# Mail delivered under noted pins, held when somebody sits in between: on real sockets, in under a minute.
demo: build
	@exec /usr/bin/python3 lab/scenario.py

# Everything that must hold: checks of the source, a warning-free clang build under sanitizers with all
# unit tests and the fuzz corpora, the integration tests against the release binary, and a short soak.
test: check unit integration
	@$(MAKE) --no-print-directory soak SECONDS=90

check: setup
	@tools/check_layers.py
	@tools/rfcmap.py --check
	@clang-format-19 --dry-run -Werror $(SOURCES)

unit: setup
	@cmake --preset asan >build/configure-asan.log || (cat build/configure-asan.log; false)
	@cmake --build --preset asan
	@ctest --test-dir build/asan --output-on-failure -j 2

integration: build
	@tests/integration/run

# A steady load for SECONDS (an hour), shared among a release, an ASan and a TSan build: nothing grows, and
# nothing is reported.
soak: build
	@for preset in asan tsan; do cmake --preset $$preset >build/configure-$$preset.log && \
	  cmake --build --preset $$preset --target pinnace lab_interceptor || exit 1; done
	@tests/soak $(or $(SECONDS),3600)

# docs/compliance.md from docs/requirements: which code obeys which MUST, and which test shows it.
compliance:
	@tools/rfcmap.py

format: setup
	clang-format-19 -i $(SOURCES)

lint: setup
	@cmake --preset asan >build/configure-asan.log || (cat build/configure-asan.log; false)
	@tools/check_layers.py
	git ls-files 'src/*.cpp' | grep -v _test.cpp | xargs -P 2 -n 8 clang-tidy-19 -p build/asan --quiet

# Each fuzz target for a minute (FUZZ_SECONDS).
fuzz: setup
	@cmake --preset fuzz >build/configure-fuzz.log || (cat build/configure-fuzz.log; false)
	@cmake --build --preset fuzz
	@for target in build/fuzz/fuzz/fuzz_*; do \
	  name=$${target##*/fuzz_}; mkdir -p build/fuzz/corpus/$$name; \
	  $$target -max_total_time=$(or $(FUZZ_SECONDS),60) -max_len=4096 -artifact_prefix=build/fuzz/ \
	    build/fuzz/corpus/$$name fuzz/corpus/$$name || exit 1; done

bench-relay: build
	@/usr/bin/python3 bench/relay.py --write docs/performance.md $(BENCH_OPTIONS)

# A million queued messages: how long a start takes, and how much memory they are.
bench-queue: build
	@cmake --build --preset release --target bench_queue
	@build/release/bench_queue build/bench-queue 1000000
	@build/release/bench_queue build/bench-queue 1000000

# Answers per second of policyd beside a bare responder and postfix-mta-sts-resolver, and its memory.
bench-policyd: build
	@tools/setup bench || echo 'bench: goes on without what could not be unpacked' >&2
	@cmake --build --preset release --target bench_policyd
	@/usr/bin/python3 bench/policyd.py $(BENCH_OPTIONS)

# The gate beside its backend reached directly and nginx's mail proxy; 10,000 idle clients.
bench-gate: build
	@tools/setup bench || echo 'bench: goes on without what could not be unpacked' >&2
	@cmake --build --preset release --target bench_idle
	@/usr/bin/python3 bench/gate.py $(BENCH_OPTIONS)

clean:
	rm -rf build
