# Engage: install, run, test. Everything is installed into .venv; nothing outside this folder is changed.
#   make run     install, then simulate the flagship scenario and show its claims
#   make test    install the development tools, check, then run the tests
#   make check   lint, format, types, and the arrows between the packages
#   make bench   install the peers, then measure
#   make clean   remove caches and build products (results in runs/ and .venv stay)

.DEFAULT_GOAL := help
.PHONY: help run test check system-packages bench clean

BIN := .venv/bin
FLAGSHIP := retention_claims
# 3.11 to 3.13, and able to make a virtual environment: Debian ships Pythons that are not.
SUITABLE := import sys; assert (3, 11) <= sys.version_info[:2] <= (3, 13); import ensurepip, venv
# Tried by running, not by looking: a version manager's shim may exist for a Python that does not start.
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
	if $$python -c '$(SUITABLE)' >/dev/null 2>&1; then echo $$python; break; fi; done)
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

help:
	@sed -n 's/^#   //p' Makefile

run: .venv/.installed
	$(BIN)/engage simulate scenarios/$(FLAGSHIP).toml --out runs/$(FLAGSHIP)

# Each process takes whole files; more than four, each with a Ray of its own, would be in each other's way.
test: check system-packages
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# One test draws the report in a browser; it is skipped, with a reason, where there is none.
system-packages:
	@command -v chromium >/dev/null 2>&1 || \
	{ [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 && \
	  { apt-get update && apt-get install --yes --no-install-recommends chromium; } >/dev/null 2>&1; } || \
	echo "No Chromium, and no right to install it: the test that needs it will be skipped."

check: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: .venv/.installed-bench
	$(BIN)/python -m benchmarks

clean:
	rm -rf build dist *.egg-info .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -path ./.venv -prune -o -name __pycache__ -type d -exec rm -rf {} +

# pip is the last thing that venv installs, so an interrupted creation is begun again.
$(BIN)/pip:
	@if [ -z "$(PYTHON)" ] || ! "$(PYTHON)" -c '$(SUITABLE)' >/dev/null 2>&1; then \
		echo "Engage needs Python 3.11, 3.12 or 3.13 with the venv module (Debian: apt install python3-venv)."; \
		echo "Got: $(or $(PYTHON),python3), $$("$(or $(PYTHON),python3)" --version 2>&1 || true)."; \
		echo "Remedy: install one, or name it: make run PYTHON=/path/to/python3.12"; \
		exit 1; \
	fi >&2
	"$(PYTHON)" -m venv .venv

.venv/.installed: EXTRAS :=
.venv/.installed-dev: EXTRAS := [dev]
.venv/.installed-bench: EXTRAS := [bench]
.venv/.installed .venv/.installed-dev .venv/.installed-bench: pyproject.toml constraints.txt | $(BIN)/pip
	@$(BIN)/python -c '$(SUITABLE)' 2>/dev/null || { \
		echo "Engage needs Python 3.11, 3.12 or 3.13, but .venv has $$($(BIN)/python --version 2>&1)."; \
		echo "Remedy: rm -rf .venv, then make again."; exit 1; } >&2
	@echo "Installing engagement-engine$(EXTRAS) into .venv (the first time this takes some minutes) ..."
	$(PIP_INSTALL) '.$(EXTRAS)'
	@touch .venv/.installed $@
