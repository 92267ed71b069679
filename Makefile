# Everything runs in its own virtual environment, .venv, made from nothing but Python and pip.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PYTEST_ARGS ?= -n auto --dist worksteal
TABLE ?= 5
BUDGET ?= 2
MINUTES ?= 9
EXAMPLES ?= 2000
KILLS ?= 40
OUT ?= build
STATE ?= build/campaign

RUNNABLE := $(VENV)/.runnable
COMPLETE := $(VENV)/.complete

.DEFAULT_GOAL := help
.PHONY: help demo test check fmt lint types bench dist-test floors train-smoke reproduce campaign docs fuzz chaos clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

demo: $(RUNNABLE)  ## hide a photograph in another one, reveal it, and say how well that went
	$(BIN)/python scripts/demo.py demo-output

test: $(COMPLETE)  ## run every test
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: lint types test  ## lint, types and tests

fmt: $(COMPLETE)  ## format the code and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(COMPLETE)  ## look for mistakes, untidy code and imports against the layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo

types: $(COMPLETE)  ## check the types
	$(BIN)/mypy

bench: $(COMPLETE)  ## measure time, memory and quality (on DATA_ROOT's photographs if given)
	$(BIN)/python benchmarks/bench.py
	$(BIN)/python benchmarks/quality.py $(if $(DATA_ROOT),--data-root $(DATA_ROOT)) $(BENCH_ARGS)

dist-test: $(COMPLETE)  ## build the wheel, install it in an empty environment elsewhere, run the demo there
	$(BIN)/python scripts/dist_test.py

floors: $(COMPLETE)  ## install the lowest versions that pyproject.toml allows and run the demo with them
	$(BIN)/python scripts/floors.py

train-smoke: $(COMPLETE)  ## train for a minute on the CPU, export, hide and reveal with the result
	$(BIN)/python scripts/train_smoke.py build/train-smoke

reproduce: $(COMPLETE)  ## measure a table of the paper anew: TABLE=4|5|6 BUDGET=minutes DATA_ROOT=folder
	$(BIN)/python -m stegcli.training reproduce --table $(TABLE) --budget $(BUDGET) \
		$(if $(DATA_ROOT),--data-root $(DATA_ROOT)) $(REPRODUCE_ARGS)

campaign: $(COMPLETE)  ## work on the list of trainings for MINUTES=9: STATE=folder DATA_ROOT=folder
	$(BIN)/python -m stegcli.training.campaign --minutes $(MINUTES) --state $(STATE) \
		$(if $(DATA_ROOT),--data-root $(DATA_ROOT)) $(CAMPAIGN_ARGS)

docs: $(COMPLETE)  ## build the documentation as a site in build/site
	$(PIP) install --editable '.[docs]'
	$(BIN)/python scripts/docs.py
	$(BIN)/zensical build --strict

fuzz: $(COMPLETE)  ## throw EXAMPLES=2000 mutated stegos, heads, bodies, manifests ... at each reader; tells OUT/fuzz.json
	STEGCLI_FUZZ=$(EXAMPLES) STEGCLI_TALLY=$(OUT)/fuzz.json $(BIN)/python -m pytest tests/fuzz $(PYTEST_ARGS)

chaos: $(COMPLETE)  ## kill hide and batch KILLS=40 times, fill the disk, race fifty writers; tells OUT/chaos.json
	STEGCLI_CHAOS=$(KILLS) STEGCLI_TALLY=$(OUT)/chaos.json $(BIN)/python -m pytest tests/chaos

clean:  ## remove everything that the targets made
	rm -rf $(VENV) build dist demo-output .mypy_cache .pytest_cache .ruff_cache .hypothesis stegcli.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(RUNNABLE): pyproject.toml | $(BIN)/python
	$(PIP) install --editable '.[demo]'
	@touch $@

$(COMPLETE): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --constraint constraints.txt --editable '.[train,dev]'
	@touch $(RUNNABLE) $@
