# One word for each task. Needs python3 (3.11 or newer, with venv) and make; all else is installed
# into .venv, at the versions of constraints.txt.
PYTHON ?= python3
LISTEN ?= 127.0.0.1:10077
BIN := .venv/bin
# Many tests wait for a program, so more workers than processors are busy at once.
PYTEST := $(BIN)/python -m pytest -n $(shell expr 2 \* $$(getconf _NPROCESSORS_ONLN)) --dist worksteal
INSTALL := $(BIN)/pip install --quiet -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test test-all fuzz check golden dashboards bench dist clean pictures

help: ## list the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.demo ## simulated platforms and the exporter reading them; no account needed
	$(BIN)/contactcenter-exporter demo --web.listen-address $(LISTEN)

test: .venv/.test ## run the tests, in minutes
	HYPOTHESIS_PROFILE=quick $(PYTEST) -m 'not slow'

test-all: .venv/.test .venv/.lint ## run all tests: storms, longer fuzzing, branch coverage
	$(PYTEST) -m slow --dist load --maxschedchunk 1  # the longest first, one at a time
	$(PYTEST) -m 'not slow' --cov --cov-branch --cov-fail-under=95

fuzz: .venv/.test ## whole visits with extreme values in every field; SECONDS=3600 SEED=1
	PYTHONPATH=tests $(BIN)/python -m support.extremes $(or $(SECONDS),3600) $(or $(SEED),1)

check: .venv/.lint ## lint, formatting, types, spelling, dashboards as their script makes them
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell --skip './build,./dist,./node_modules,./tests/node/node_modules,./tests/pictures/node_modules,./tests/pictures/package-lock.json' .
	$(BIN)/python dashboards/build.py --check

golden: .venv/.test ## write the generated files anew
	$(BIN)/contactcenter-exporter metrics > docs/metrics.md
	UPDATE_GOLDEN=1 $(BIN)/python -m pytest -q tests/integration -k test_the_golden_page

dashboards: .venv/.lint ## write the dashboards' JSON anew
	$(BIN)/python dashboards/build.py

pictures: .venv/.test ## draw the dashboards with Grafana's components into docs/pictures
	PYTHONPATH=tests:dashboards $(BIN)/python -m support.pictures docs/pictures

bench: .venv/.demo ## measure beside nginx, Pushgateway and others; ONLY=scrape for one subject
	$(BIN)/python -m benchmarks $(ONLY)

dist: .venv/.demo ## build the wheel into dist/
	$(BIN)/pip wheel --quiet --no-deps --wheel-dir dist .

clean: ## remove what the tasks have made
	rm -rf .venv .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist tests/node/node_modules tests/pictures/node_modules

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv

.venv/.demo: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) -e .
	@touch $@

.venv/.test: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) -e '.[test]'
	@touch $@

.venv/.lint: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) -e '.[lint]'
	@touch $@
