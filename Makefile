# Every target sets up what it needs and does nothing twice.
SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
# Stages run `python -m dlcv`: it has to be this environment's python.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: repro test lint ui clean setup lock
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

repro: setup ## set up and run the whole study, JOBS stages at a time; what is up to date is not run again
	dlcv repro $(if $(JOBS),--jobs $(JOBS))

test: setup ## set up and run the tests
	pytest

lint: setup ## style and types
	ruff check . && ruff format --check . && mypy

ui: setup ## the MLflow UI on 127.0.0.1:5000
	mlflow ui --backend-store-uri sqlite:///$(CURDIR)/mlflow.db --host 127.0.0.1 --port $${PORT:-5000}

clean: ## remove what can be made again: outputs, caches, environment; not the tracking database
	rm -rf $(VENV) out data report/report.html .checkpoints .dvc/cache .dvc/tmp .mypy_cache .pytest_cache .ruff_cache

lock: setup ## pin what pyproject.toml asks for
	pip-compile -q --strip-extras --no-header --no-emit-index-url --no-emit-find-links --extra sample --extra dev -o requirements.lock pyproject.toml

# The stamp is newer than the lock file exactly if the environment was made from it.
setup: $(VENV)/stamp

$(VENV)/stamp: requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "error: no $(PYTHON) here; install Python 3.11 or call make PYTHON=/path/to/it" >&2; exit 1; }
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	python -m dlcv tracking init
	touch $@
