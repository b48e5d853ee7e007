# The one front door, for people and for CI. Needs Python 3.11+ with pip, make and git; everything else lands in
# .venv and build/. Every target does its own set-up, which is instant when nothing has changed.

BIN        := .venv/bin
BUF        := build/buf/node_modules/.bin/buf
BUF_PACKAGE := @bufbuild/buf@1.75.0
INSTALLED  := .venv/.installed

# Options for `make demo`, for instance ARGS="--seed 7 --json".
ARGS ?=
# Paths or options for pytest, for instance T=tests/core/tlog.
T ?=
# How hard Hypothesis searches: gate repeats itself exactly; dev, explore and nightly do not.
PROFILE ?= gate
# Sabotages to run, by name; all of them when empty.
NAME ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo test check lint types contracts drift buf bench claims sabotage fmt protos lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# -- set-up: one stamp a step, so that each runs once for each change of what it depends on -----------

setup: $(INSTALLED)  ## the virtual environment in .venv

.venv/.made: scripts/make_venv
	@scripts/make_venv .venv
	@touch $@

.venv/.locked: .venv/.made requirements/dev.txt
	$(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements/dev.txt
	@touch $@

# Build isolation would fetch a build back end without a hash; ours is in the lock.
$(INSTALLED): .venv/.locked pyproject.toml escrow/__init__.py
	$(BIN)/python -m pip install --quiet --no-index --no-deps --no-build-isolation --editable .
	@touch $@

# -- what people want ---------------------------------------------------------------------------------

demo: $(INSTALLED)  ## the whole story with real processes on loopback; options in ARGS
	@$(BIN)/doublelock demo $(ARGS)

test: $(INSTALLED)  ## all tests on two cores; paths or options in T
	@DOUBLELOCK_PROFILE=$(PROFILE) $(BIN)/python -m pytest -n 2 --dist loadgroup $(T)

# In this order whatever -j says: what is quick to fail comes first.
check: $(INSTALLED)  ## style, contracts, protocol files, types and claims
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory contracts
	@$(MAKE) --no-print-directory drift
	@$(MAKE) --no-print-directory buf
	@$(MAKE) --no-print-directory types
	@$(MAKE) --no-print-directory claims

lint: $(INSTALLED)  ## ruff, rules and format
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@echo "lint: clean"

contracts: $(INSTALLED)  ## who may import whom
	@report=$$($(BIN)/lint-imports --no-cache) || { echo "$$report"; exit 1; }
	@echo "contracts: kept"

drift: $(INSTALLED)  ## the committed generated code is what protos/ generates
	@$(BIN)/python scripts/protos.py --check

# The one tool that is no Python package: it comes from npm, and where npm is absent or offline we say so.
buf: $(INSTALLED)  ## style of protos/
	@if ! command -v npm >/dev/null 2>&1; then echo "buf lint: skipped, npm is not installed"; \
	elif ! $(MAKE) --no-print-directory --silent $(BUF); then echo "buf lint: skipped, npm cannot fetch $(BUF_PACKAGE)"; \
	else $(BUF) lint && echo "buf lint: clean"; fi

$(BUF): Makefile
	@npm install --silent --no-save --no-audit --no-fund --prefix build/buf $(BUF_PACKAGE)
	@touch $@

types: $(INSTALLED)  ## mypy, strict
	@$(BIN)/mypy

bench: $(INSTALLED)  ## ours, bare primitives and peers, interleaved
	@$(BIN)/doublelock bench e2ee
	@$(BIN)/doublelock bench escrow
	@$(BIN)/doublelock bench log

claims: $(INSTALLED)  ## every claim has its tests, and every sabotage turns them red
	@$(BIN)/python scripts/claims.py

sabotage: $(INSTALLED)  ## only the sabotages; some of them with NAME
	@$(BIN)/python scripts/claims.py --sabotage $(NAME)

# -- what changes files -------------------------------------------------------------------------------

fmt: $(INSTALLED)  ## format, and repair what ruff can repair
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

protos: $(INSTALLED)  ## generate escrow/wire/v1/ from protos/
	@$(BIN)/python scripts/protos.py

LOCK := pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate

lock:  ## new locks from pyproject.toml; maintainers only, needs uv
	@uv --version >/dev/null 2>&1 || { echo "make lock: uv is not on the PATH; only maintainers need it"; exit 2; }
	uv $(LOCK) --upgrade --extra bench --extra ibe --extra lab --extra pq --extra ristretto --group dev --output-file requirements/dev.txt
	uv $(LOCK) --constraint requirements/dev.txt --output-file requirements/run.txt

clean:  ## remove build products and caches; the virtual environment stays
	@rm -rf .cache build dist .hypothesis .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	@find . -path ./.venv -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
