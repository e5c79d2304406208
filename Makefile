# Each target first sets up what it needs, and repeats nothing that is up to date.
SHELL := /bin/bash
PYTHON ?= python3.11
VENV := .venv
# Stages run `python -m dlcv`, which has to be the python of this environment.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help repro test test-system lint ui clean lock setup
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

repro: setup ## run the stages that are not up to date, JOBS at a time
	dlcv repro $(if $(JOBS),--jobs $(JOBS))

test: setup ## run all tests; `pytest -m 'not slow'` leaves out the slow ones
	pytest

test-system: setup ## test the page of the finished study in a browser; needs chromium
	python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock --editable '.[system]'
	pytest tests/system -rs

lint: setup ## check style and types
	ruff check . && ruff format --check . && mypy

ui: setup ## serve the MLflow UI on 127.0.0.1:5000, or on PORT
	@dlcv tracking views --server http://127.0.0.1:$${PORT:-5000}
	mlflow ui --backend-store-uri sqlite:///$(CURDIR)/mlflow.db --host 127.0.0.1 --port $${PORT:-5000}

clean: ## remove outputs, caches and environment; keep the tracking database
	rm -rf $(VENV) out data report/report.html .checkpoints .dvc/cache .dvc/tmp .mypy_cache .pytest_cache .ruff_cache

lock: setup ## write the versions of all dependencies into requirements.lock
	pip-compile -q --strip-extras --no-header --no-emit-index-url --no-emit-find-links --extra sample --extra dev -o requirements.lock pyproject.toml

setup: $(VENV)/stamp ## install the locked dependencies and this package into .venv

# The stamp is newer than the lock file if the environment was made from this lock file.

$(VENV)/stamp: requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "error: there is no $(PYTHON); install Python 3.11, or run make PYTHON=/path/to/python3.11" >&2; exit 1; }
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	python -m dlcv tracking init
	python -m dlcv plots-page && dvc config --local plots.html_template plots.html
	touch $@
