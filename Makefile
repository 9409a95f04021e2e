# Two commands on a fresh machine with Python 3.11+ and make: `make quickstart` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
OUT ?= results
# Tests without a cluster run side by side, a file at a time; those with one want the machine for themselves.
TOGETHER := --numprocesses 2 --dist loadfile

.PHONY: quickstart test test-fast test-slow lint clean

quickstart: $(VENV)/.runtime  ## install, run the quick sweep, say where its results are
	$(BIN)/python sweep.py --experiment glue_depth --preset quick --out $(OUT)

test: $(VENV)/.testing  ## the tests; those that need research data or a GPU skip where there is none
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow and not cluster" $(TOGETHER)
	$(BIN)/python -m pytest -m "not slow and cluster"

test-slow: $(VENV)/.testing  ## the rest of them: whole sweeps, clusters of several machines, faults by the dozen
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "slow and not cluster" $(TOGETHER)
	$(BIN)/python -m pytest -m "slow and cluster"

test-fast: $(VENV)/.testing  ## without the tests that start real Ray processes or take long
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not cluster and not slow and not real_data" $(TOGETHER)

lint: $(VENV)/.testing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

$(VENV)/.runtime: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or later is needed, this is " + sys.version.split()[0] + ": make PYTHON=python3.12 quickstart")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.testing: $(VENV)/.runtime
	$(PIP) install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
