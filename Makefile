# V-Stack's commands; `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# Builds and test runs use all cores themselves.
.NOTPARALLEL:

# Passed on: to `vstack up` by `make run`, to the test runner by `make unit`, `integration`, `browser`, `soak`, `tsan`
# and `asan`, to the consensus simulator by `make sim`, to the store's by `make sim-store`, to the benchmarks by `make
# bench` and `make bench-store`.
ARGS ?=

BUILD := .build
LOGS := $(BUILD)/test-logs
PYTHON := $(BUILD)/venv/bin/python
DEBUG_BINARY := $(CURDIR)/$(BUILD)/debug/vstack
RELEASE_BINARY := $(CURDIR)/$(BUILD)/release/vstack
# A file stays with one worker, so that what a file's tests share is made once.
PYTEST := $(PYTHON) -m pytest -c Tests/pytest.ini -n 2 --dist loadfile
UNIT := swift test --disable-xctest
# All tests of a run share as many threads as there are cores, so those that compute and those that wait for ffmpeg run
# apart from those with real sockets, whose time limits are real too.
UNIT_CORES := ^(Base|Conversions|Fuzz|Jobs|Digests|ChunkPaxos|ConsensusSimulator|Placement|ChunkStore|StoreSimulator|Catalog|VStack)Tests
UNIT_MEDIA := ^(Processes|Media|Uploader)Tests
# What crashes a decoder is kept in its corpus, which the unit tests run over.
FUZZ_CORPUS := Tests/FuzzTests/Corpus
FUZZ_TARGETS := record superblock checkpoint store fragments http json
FUZZ_SECONDS := 60
SWIFT_FOLDERS := Package.swift Sources Tests

.PHONY: help run build test unit integration browser soak sim sim-store fuzz tsan asan check fmt bench bench-store clean
.PHONY: build-debug packages packages-test packages-bench venv

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## Build and start the whole system here; make run ARGS="--port-offset 1000" passes flags on.
	@exec $(RELEASE_BINARY) up $(ARGS)

build: packages ## Build the release binary, .build/release/vstack.
	@echo "==> building vstack (release)"
	@swift build -c release --product vstack

test: ## Run all tests: unit, integration, conformance and browser.
	@$(MAKE) unit integration browser ARGS=
	@echo "==> all tests passed"
	@for suite in unit integration browser; do printf '%-12s ' "$$suite:"; Tools/closing-line $(LOGS)/$$suite.log; done

unit: build-debug ## Run the unit tests of the Swift modules.
	@echo "==> unit tests"
	@Tools/logged $(LOGS)/unit.log $(UNIT) --skip-build --filter '$(UNIT_CORES)' $(ARGS)
	@Tools/logged --append $(LOGS)/unit.log $(UNIT) --skip-build --filter '$(UNIT_MEDIA)' $(ARGS)
	@Tools/logged --append $(LOGS)/unit.log $(UNIT) --skip-build --skip '$(UNIT_CORES)' --skip '$(UNIT_MEDIA)' $(ARGS)

integration: build-debug ## Run the tests of the whole system, with real processes.
	@$(MAKE) pytest-run LOG=integration PATHS="Tests/Integration Tests/Conformance"

browser: build-debug ## Run the tests in Chromium.
	@$(MAKE) pytest-run LOG=browser PATHS=Tests/Browser

soak: build-debug ## Run the long tests: a 5 GB upload in bounded memory, rivals and a fleet under kill -9.
	@$(MAKE) pytest-run LOG=soak PATHS="Tests/Integration -m soak"

sim: build ## Try to refute consensus, placement and the store's durability, at length.
	@$(RELEASE_BINARY) sim --placement
	@$(RELEASE_BINARY) sim --runs 1000000 --jobs $$(nproc) $(ARGS)
	@$(MAKE) sim-store ARGS=

sim-store: packages ## Crash chunk stores at every step of simulated disks; ARGS="--seed 7 --crash-points 1000000".
	@echo "==> building the store's simulator (release)"
	@swift build -c release --product simulate-store
	@$(BUILD)/release/simulate-store $(ARGS)

fuzz: packages ## Fuzz every decoder for a minute; make fuzz FUZZ_SECONDS=3600 FUZZ_TARGETS=store.
	@echo "==> building the fuzzer"
	@VSTACK_FUZZ=1 swift build --product fuzz --sanitize fuzzer --scratch-path $(BUILD)/fuzz
	@for target in $(FUZZ_TARGETS); do \
		echo "==> fuzzing $$target"; mkdir -p $(BUILD)/fuzz-corpus/$$target; \
		SWIFT_BACKTRACE=enable=no FUZZ_TARGET=$$target $(BUILD)/fuzz/debug/fuzz -max_total_time=$(FUZZ_SECONDS) \
			-timeout=20 -max_len=65536 -print_final_stats=1 -artifact_prefix=$(FUZZ_CORPUS)/$$target/ \
			$(BUILD)/fuzz-corpus/$$target $(FUZZ_CORPUS)/$$target 2>&1 | tail -n 20 || exit 1; \
	done

tsan: packages ## Run the unit tests under the thread sanitizer.
	@echo "==> unit tests, thread sanitizer"
	@$(UNIT) --no-parallel --sanitize=thread -Xswiftc -DTHREAD_SANITIZER --scratch-path $(BUILD)/tsan $(ARGS)

asan: packages ## Run the unit tests under the address sanitizer.
	@echo "==> unit tests, address sanitizer"
	@$(UNIT) --no-parallel --sanitize=address --scratch-path $(BUILD)/asan $(ARGS)

check: packages ## Check format, imports and scripts.
	@echo "==> format"
	@swift format lint --strict --parallel -r $(SWIFT_FOLDERS)
	@echo "==> imports"
	@swift build --build-tests --explicit-target-dependency-import-check error
	@python3 Tools/check-imports
	@echo "==> scripts"
	@python3 Tools/check-scripts
	@! git grep -nE '^(<{7}|>{7}) ' || { echo "a merge was left unfinished" >&2; exit 1; }
	@echo "==> checks passed"

fmt: ## Format the Swift sources in place.
	@swift format -i --parallel -r $(SWIFT_FOLDERS)

bench: build packages-bench venv ## Measure beside nginx, fio, ffmpeg and etcd; writes docs/performance.md.
	@echo "==> building ladder-bench (release)"
	@swift build -c release --product ladder-bench
	@VSTACK_BINARY=$(RELEASE_BINARY) $(PYTHON) -m Benchmarks $(ARGS)

bench-store: packages-bench venv ## Fill, open, compact and verify a store of a million chunks; writes docs/storage.md.
	@echo "==> building store-bench (release)"
	@swift build -c release --product store-bench
	@$(PYTHON) -m Benchmarks.store $(ARGS)

clean: ## Remove everything that was built (not data/).
	@rm -rf $(BUILD)

build-debug: packages
	@echo "==> building vstack and its tests (debug)"
	@swift build --build-tests

packages:
	@Tools/install-packages run

packages-test:
	@Tools/install-packages run test bench

packages-bench:
	@Tools/install-packages run bench

venv: $(BUILD)/venv/.installed

$(BUILD)/venv/.installed: Tests/requirements.txt | packages-test
	@echo "==> installing Python packages for the tests into $(BUILD)/venv"
	@python3 -m venv $(BUILD)/venv
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --retries 5 -r Tests/requirements.txt
	@touch $@

.PHONY: pytest-run
pytest-run: packages-test venv
	@echo "==> $(LOG) tests"
	@VSTACK_BINARY=$${VSTACK_BINARY:-$(DEBUG_BINARY)} Tools/logged $(LOGS)/$(LOG).log $(PYTEST) $(PATHS) $(ARGS)
