# Every target needs only itself: it makes .venv first where that is missing or older than the lock.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
PACKAGES := policy_dsl evaluators modules api
TYPED := $(PACKAGES) tests $(if $(wildcard benchmarks/*.py),benchmarks)
COMPILE := pip compile pyproject.toml --group build --universal --python-version 3.11 --fork-strategy fewest \
	--generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock" --quiet

# A file of tests stays in one process, with the fixtures that it shares. In their own order: by the number of tests, which
# is the default, those with a few long ones would come last, one after the other.
SPREAD := --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# Dozens of tests start a process, and each would compile what it imports anew where nothing may keep bytecode.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install run test test-long check bench fmt lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(VENV)/.dev ## make .venv from the lock, with `ringfence` and the checks in it

# Bytecode is left to the first import: compiling every file of scipy and pandas takes longer than using them.
$(VENV)/.runtime: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("ringfence needs Python 3.11 or newer")'
	@echo "installing ringfence into $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --no-compile --require-hashes --requirement requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.lock
	@echo "installing the checks into $(VENV)"
	@$(PIP) install --no-compile --require-hashes --requirement requirements-dev.lock
	@touch $@

run: $(VENV)/.runtime ## the demonstration
	@$(BIN)/ringfence demo

test: $(VENV)/.dev ## the quick tests
	$(BIN)/pytest $(SPREAD) -m "not slow"

test-long: $(VENV)/.dev ## every test, and many more examples for each property
	RINGFENCE_HYPOTHESIS=long $(BIN)/pytest $(SPREAD)

check: $(VENV)/.dev ## style, types, import direction, and the rule files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(TYPED)
	$(BIN)/lint-imports --no-logo
	$(BIN)/ringfence check rules
	$(BIN)/ringfence fmt --check rules

bench: $(VENV)/.dev ## every benchmark; only the ratios within one run mean anything
	@set -e; for file in benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python "$$file"; done

fmt: $(VENV)/.dev ## lay out code and rule files
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/ringfence fmt rules

lock: $(VENV)/.dev ## resolve the dependencies anew
	@$(PIP) install uv
	$(BIN)/uv $(COMPILE) --upgrade --output-file requirements.lock
	$(BIN)/uv $(COMPILE) --upgrade --extra dev --constraints requirements.lock --output-file requirements-dev.lock

clean: ## remove what the other targets made, except .venv
	rm -rf build dist out .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
