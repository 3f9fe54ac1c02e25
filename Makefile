# Each target does all of its set-up in .venv; nothing else is needed but Python 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: run test lint soak soak-machines soak-banks soak-programs soak-search soak-values soak-kills soak-kernels soak-rtl bench records clean

$(READY): requirements.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

run: $(READY)
	$(BIN)/python sim.py compare fp-fp fp-int ifpu figna figna-m11 figna-m8 anda-hpca25 \
	  --workload llama-13b --tokens 2048 --precision wikitext2-1% --out runs/llama-13b --overwrite

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

test: lint
	$(BIN)/python -m pytest -n 2

# More than a test run has time for, in parts of less than an hour: make soak, or make soak PARTS="machines kills".
PARTS ?= machines banks programs search values kills kernels rtl
soak: $(PARTS:%=soak-%)

# Thousands of random machines, whole layers.
soak-machines: $(READY)
	$(BIN)/python -m tests.soak

# Thousands of random machines with banks for DRAM.
soak-banks: $(READY)
	$(BIN)/python -m tests.soak_banks

# Thousands of random programs: work that follows one another without draining.
soak-programs: $(READY)
	$(BIN)/python -m tests.soak_programs

# Pairs of machines with schedules searched: more of anything never loses.
soak-search: $(READY)
	$(BIN)/python -m tests.soak_search

# GeMMs of every width of weights.
soak-values: $(READY)
	$(BIN)/python -m tests.functional.soak

# Commands killed at random moments.
soak-kills: $(READY)
	$(BIN)/python -m tests.kills

# CUDA kernels in every tiling, compiled for every architecture.
soak-kernels: $(READY)
	$(BIN)/python -m tests.gpu_ref.soak

# Every case of every RTL check, 540 whole GeMMs on flat channels and 135 on banks among them, and every planted fault.
soak-rtl: $(READY)
	$(BIN)/python sim.py rtl check --mutations

# Speed by size and grain, and against SCALE-Sim and ZigZag, each in its own virtual environment; about ten minutes.
bench: $(READY)
	$(BIN)/python -m benchmarks

# All that results/ records, and what README and docs show of it; benchmarks and GPU measurements aside.
records: $(READY)
	$(BIN)/python -m records

clean:
	rm -rf $(VENV) build dist runs
