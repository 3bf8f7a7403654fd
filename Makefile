# make setup builds the environment; every target below it sets up first.
VENV ?= .venv
TORCH ?= torch==2.13.0
PYTHON ?=
DATA ?=

PY := "$(VENV)/bin/python"

.DEFAULT_GOAL := help
.PHONY: help setup setup-mmtrack setup-transformers test test-slow test-mmtrack test-transformers \
	demo lint clean

help:
	@echo 'make setup           build $(VENV): tested versions, MMCV ops compiled (about 6 minutes once)'
	@echo 'make setup-mmtrack   add MMTracking 1.0.0rc1 to it, a second host'
	@echo 'make setup-transformers  add Transformers to it, for VidEoMT'
	@echo 'make test            run the tests'
	@echo 'make test-slow       run the slow tests'
	@echo 'make test-mmtrack    run the tests that need MMTracking'
	@echo 'make test-transformers   run the tests that need Transformers'
	@echo 'make demo            train, evaluate and draw on embedded data; DATA=folder for your own'
	@echo 'make lint            ruff and mypy'
	@echo 'make clean           remove caches and build output, not $(VENV) or work_dirs'
	@echo 'options: PYTHON=interpreter  VENV=folder  TORCH="what to ask pip for"'

setup:
	@python=$$(sh tools/setup/find_python.sh "$(PYTHON)") && \
		"$$python" tools/setup/build_env.py --venv "$(VENV)" --torch "$(TORCH)" \
			$(if $(PYTHON),--require-python)

setup-mmtrack: setup
	$(PY) -m pip install --quiet --no-deps -r requirements/mmtrack.txt -c requirements/constraints.txt
	$(PY) -m mmttsrn.hosts.mmtrack_importing

setup-transformers: setup
	$(PY) -m pip install --quiet -r requirements/transformers.txt -c "$(VENV)/constraints.txt"

test: setup
	$(PY) -m pytest

test-slow: setup
	$(PY) -m pytest -m slow

test-mmtrack: setup-mmtrack
	$(PY) -m pytest tests/hosts/mmtrack

test-transformers: setup-transformers
	$(PY) -m pytest tests/hosts/transformers tests/apis/test_hub_parity.py \
		tests/apis/test_hub_videomt.py tests/checkpoints/test_videomt.py tests/tools/test_hub.py

demo: setup
	$(PY) tools/demo.py $(if $(DATA),--data "$(DATA)")

lint: setup
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find mmttsrn configs tools tests -name __pycache__ -type d -prune -exec rm -rf {} +
