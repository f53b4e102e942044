# Demo, test, lint, lab, bench. Each makes what it needs on first use and works offline afterwards.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test lint lab test-lab test-page test-rigs bench bench-durable bench-history bench-lab bench-serve bench-api clean help
help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(STAMP): pyproject.toml
	@echo "== making $(VENV) (once)"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { rm -rf $(VENV) && $(PYTHON) -m venv $(VENV); } || { \
		rm -rf $(VENV); \
		echo "$(PYTHON) cannot make $(VENV); on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: $(STAMP) ## the embedded cloud (80 hypervisors, 1,000 servers) lives through a day, balanced
	@echo "== watari demo $(ARGS)"
	@$(BIN)/watari demo $(ARGS)

lint: $(STAMP) ## ruff, mypy --strict, import contracts
	@echo "== ruff"
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@echo "== mypy --strict"
	@$(BIN)/mypy
	@echo "== import contracts"
	@$(BIN)/lint-imports

test: lint ## lint, then unit, scenario, property and contract tests
	@echo "== pytest"
	@CI=1 $(BIN)/python -m pytest -q -n 2 $(ARGS)

lab: $(STAMP) ## a real OpenStack on this machine: watari lab up
	@echo "== watari lab up $(ARGS)"
	@$(BIN)/watari lab up $(ARGS)

test-lab: $(STAMP) ## the contract, fault and kill tests on the lab's real OpenStack
	@echo "== pytest on the lab"
	@CI=1 WATARI_TEST_LAB=1 PYTHONPATH=tests $(BIN)/python -m lab --durations=5 $(ARGS)

test-page: $(STAMP) ## the page in a real Chromium: what people do, accessibility, 10,000 hosts
	@echo "== pytest on the page"
	@CI=1 WATARI_TEST_PAGE=1 $(BIN)/python -m pytest -q -n 2 tests/page --durations=5 $(ARGS)

test-rigs: $(STAMP) ## tests on three libvirt hosts with real QEMU guests, and the contract on eight; as root
	@echo "== pytest on the rigs"
	@CI=1 WATARI_TEST_RIGS=1 $(BIN)/python -m pytest -v -p no:xdist tests/rigs tests/contract -k libvirt --durations=5 $(ARGS)

bench-durable: $(STAMP) ## steps per second of the durable executor, beside the bare cost of a step
	@echo "== benchmark of durable runs"
	@$(BIN)/python -m benchmarks.durable $(ARGS)

bench-serve: $(STAMP) ## CPU and memory of a controller's look, up to 10,000 hosts and 100,000 servers
	@echo "== benchmark of the controller"
	@$(BIN)/python -m benchmarks.serve $(ARGS)

bench-api: $(STAMP) ## requests and event streams that the HTTP API holds while the controller looks
	@echo "== benchmark of the API"
	@$(BIN)/python -m benchmarks.api $(ARGS)

bench-lab: $(STAMP) ## half an hour of the controller on the lab, by itself, beside the same load with nothing moved
	@echo "== benchmark on the lab"
	@$(BIN)/python -m benchmarks.lab_loop $(ARGS)

bench-history: $(STAMP) ## MB of a month of history, beside other forms of it, and CPU of keeping
	@echo "== benchmark of the history"
	@$(BIN)/python -m benchmarks.history --prometheus $(ARGS)

bench: $(STAMP) ## Watari, Watcher and hbal on the same cluster, then Watari alone up to 10,000 hosts
	@echo "== benchmark"
	@$(BIN)/python -m benchmarks.run $(ARGS)

clean: ## remove what the other targets made
	rm -rf $(VENV) .bench build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
