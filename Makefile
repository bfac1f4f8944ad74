# The three verbs of the project. One Cargo profile (release) serves them all: each profile would compile RocksDB
# again.
SHELL := /bin/bash
CARGO ?= cargo
CARGO_FLAGS := --release --locked
TARGET := $(if $(CARGO_TARGET_DIR),$(CARGO_TARGET_DIR),target)

.PHONY: run build test check bench fuzz setup tools

## Builds and starts the appliance on its built-in development chain.
run: build
	$(TARGET)/release/hypasis run --chain dev

build: setup
	$(CARGO) build $(CARGO_FLAGS) -p hypasis-proxy

## Everything that CI checks.
test: setup tools check
	$(CARGO) build $(CARGO_FLAGS) -p hypasis-proxy
	$(CARGO) test $(CARGO_FLAGS) --workspace --lib --bins --tests --no-fail-fast
	@$(MAKE) --no-print-directory fuzz SECONDS_EACH=2
	@cat $(TARGET)/tools/left-out 2>/dev/null || true

check: setup
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(CARGO_FLAGS) --workspace --all-targets -- -D warnings

## Prints the tables of the README's performance chapter from fresh measurements.
bench: build tools
	@tests/tools/setup bench
	$(CARGO) run $(CARGO_FLAGS) -q -p hypasis-tests --bin bench
	$(CARGO) bench --locked -q -p hypasis-cache --bench store

## Fuzzes every parser of the wire, ten minutes each; `make test` does so for seconds, to see that it still runs.
fuzz: SECONDS_EACH ?= 600
fuzz: setup
	@mkdir -p $(TARGET); wire/fuzz/run $(SECONDS_EACH) >$(TARGET)/fuzz.log 2>&1 && grep '^==' $(TARGET)/fuzz.log || \
	  { tail -n 40 $(TARGET)/fuzz.log; false; }

# What the build needs: a C++ compiler and libclang (RocksDB's bindings are made from its headers).
setup:
	@tests/tools/setup

# Real counterparts for the tests, from package registries. With CI=true a missing one is a failure; otherwise the
# summary names what was left out and why.
tools:
	@mkdir -p $(TARGET)/tools; \
	if ! tests/tools/install > $(TARGET)/tools/summary; then \
	  cat $(TARGET)/tools/summary; \
	  grep missing $(TARGET)/tools/summary | sed 's/^/left out: tests with /' > $(TARGET)/tools/left-out; \
	  [ "$$CI" != true ]; \
	else rm -f $(TARGET)/tools/left-out; fi
