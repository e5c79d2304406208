# Each target first sets up what it needs, and repeats nothing that is up to date.
SHELL := /bin/bash
# The study's figures are from Python 3.11; 3.12 and 3.13 install too.
PYTHON ?= python3.11
VENV := .venv
# Stages run `python -m dlcv`, which has to be the python of this environment.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
PIP := python -m pip install --quiet --disable-pip-version-check
# The lines of requirements.lock that only the CUDA build of torch needs.
CUDA := ^(cuda|nvidia)-|^triton==
# The lock without its hashes, with which pip would refuse all that is not in it.
VERSIONS := sed -E '/^ +--hash/d; s/ *\\$$//' requirements.lock

.PHONY: help repro test test-system docs lint ui clean lock lock-check setup
.DEFAULT_GOAL := help

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

repro: setup ## run the stages that are not up to date, JOBS at a time
	dlcv repro $(if $(JOBS),--jobs $(JOBS))

test: setup ## run all tests, one worker for each core; `pytest -m 'not slow'` leaves out the slow ones
	pytest -n auto --dist worksteal

test-system: setup ## test the page of the finished study in a browser; needs chromium
	$(PIP) --constraint <($(VERSIONS)) --editable '.[system]'
	pytest tests/system -rs

docs: setup ## build the documentation into site/, which needs no network to be read
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict # not --quiet, with which no warning counts

lint: setup ## check style and types
	ruff check . && ruff format --check . && mypy

ui: setup ## serve the MLflow UI on 127.0.0.1:5000, or on PORT
	@dlcv tracking views --server http://127.0.0.1:$${PORT:-5000}
	mlflow ui --backend-store-uri sqlite:///$(CURDIR)/mlflow.db --host 127.0.0.1 --port $${PORT:-5000}

clean: ## remove outputs, caches and environment; keep the tracking database
	rm -rf $(VENV) out data report/report.html .checkpoints .dvc/cache .dvc/tmp .mypy_cache .pytest_cache .ruff_cache

lock: setup ## write the versions of all dependencies into requirements.lock; UPGRADE=NAME renews one package
	python tests/locks.py --write $(if $(UPGRADE),--upgrade-package $(UPGRADE))

lock-check: setup ## resolve requirements.lock for each platform and Python version
	python tests/locks.py

setup: $(VENV)/stamp ## install the locked dependencies and this package into .venv; TORCH_INDEX=URL takes torch from there

# The wheels of torch on PyPI are CUDA builds on Linux. An index given as TORCH_INDEX has to offer the locked versions of
# torch and torchvision as CPU builds. The stamp is newer than the lock file if the environment was made from this lock file.

$(VENV)/stamp: requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "error: there is no $(PYTHON); install Python 3.11, or run make PYTHON=/path/to/python; 3.12 and 3.13 install too" >&2; exit 1; }
	test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
ifdef TORCH_INDEX
	$(PIP) --no-deps --index-url $(TORCH_INDEX) $$($(VERSIONS) | grep -E '^torch(vision)?==')
	$(PIP) -r <($(VERSIONS) | grep -vE '$(CUDA)')
else
	$(PIP) --require-hashes -r requirements.lock
endif
	$(PIP) --no-deps --editable .
	python -m dlcv tracking init
	python -m dlcv plots-page && dvc config --local plots.html_template plots.html
	touch $@
