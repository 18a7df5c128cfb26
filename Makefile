# `make test` and `make demo` build the environment they need, then run; a second call reuses it.
#
# torch is installed first, from the index of your choice. Empty means whatever pip is configured for:
#     make env TORCH_INDEX=https://download.pytorch.org/whl/cpu      small, CPU only
#     make env TORCH_INDEX=https://download.pytorch.org/whl/cu130    one CUDA version
# To change it later, run `rm -r .venv` first.

PYTHON ?= python3
TORCH_INDEX ?=
WORKERS ?= 2

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input

# One thread per process: the processes share the cores among themselves.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help env demo test lint bench results clean

help:  ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' Makefile

env: $(READY)  ## build the environment in .venv (torch from TORCH_INDEX)

# pip resolves torch's own dependencies in the second call, from the usual index:
# the indices of torch do not carry the versions pinned here.
$(READY): pyproject.toml constraints.txt version.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "skysynergy needs Python 3.11 or newer; '$(PYTHON)' is missing or older." >&2; \
	    echo "Name another one: make env PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the versions pinned in constraints.txt into $(VENV): a few minutes the first time."
	@$(PIP) install --quiet --no-deps --constraint constraints.txt $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	@$(PIP) install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(READY)  ## the whole loop on a tiny sky: simulate, fit, predict, score, report
	@$(BIN)/skysynergy demo

test: $(READY)  ## every test, and the reason of every skip
	@$(BIN)/pytest -n $(WORKERS) --dist loadfile

# All four run, so that one call shows everything.
lint: $(READY)  ## style, types and the arrows between the rooms
	@status=0; for check in "ruff check ." "ruff format --check ." pyright lint-imports; do \
	    echo "--- $$check"; $(BIN)/$$check || status=1; done; exit $$status

bench: $(READY)  ## time the hot paths, one at a time
	@$(BIN)/pytest tests/benchmarks --benchmark-enable --benchmark-only

results: $(READY)  ## remake every published number: run each script of docs/results
	@set -e; for script in $$(grep -l '^def main' docs/results/*.py); do \
	    echo "$$script"; $(BIN)/python "$$script"; done

clean:  ## remove what was built; the environment and downloaded data stay
	rm -rf build dist *.egg-info skysynergy-demo .pytest_cache .ruff_cache .hypothesis .benchmarks .import_linter_cache
	find . -path ./$(VENV) -prune -o -name __pycache__ -type d -print | xargs rm -rf
