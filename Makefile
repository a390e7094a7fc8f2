# The whole interface: up, demo, test, lint. CI calls the same targets.
SHELL := /bin/sh
PY := .venv/bin/python
STORE := file
STORE_TESTS := $(addprefix tests/archive/services/test_,keeping.py taking_in.py receiving.py sealing.py store_check.py) \
  tests/archive/api tests/workers
.DEFAULT_GOAL := help
.PHONY: help up demo test test-stores kills outage fuzz lint lock screenshot clean

help: ## Show what there is
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | expand -t 14

up: .venv/.runtime ## Set up if needed, start everything, stay until Ctrl-C
	@exec $(PY) manage.py up

demo: .venv/.runtime ## As up, then file the founding case and check it offline
	@exec $(PY) -m config.embedded.demo

test: .venv/.development ## Every test, on a PostgreSQL of its own; STORE=ceph or STORE=replicated on another store
	$(PY) -m pytest -n 2 --dist loadgroup -q --store=$(STORE)

test-stores: .venv/.development ## The tests that put something into a store, on Ceph and on both replicated
	$(PY) -m pytest -n 2 --dist loadgroup -q --store=ceph $(STORE_TESTS)
	$(PY) -m pytest -n 2 --dist loadgroup -q --store=replicated $(STORE_TESTS)

kills: .venv/.development ## 200 processes killed under uploads, on the file store and on Ceph (docs/faults.md)
	$(PY) -m tests.adversarial.kills --kills 200 --store both

outage: .venv/.development ## S3 gone for a minute under uploads (SECONDS=60)
	$(PY) -m tests.adversarial.outage --seconds $(or $(SECONDS),60) --how killed
	$(PY) -m tests.adversarial.outage --seconds $(or $(SECONDS),60) --how frozen

fuzz: .venv/.development ## Readers of binary formats and messages led by coverage, a minute each (SECONDS=60); needs Linux
	$(PY) -m pip install -q --disable-pip-version-check --require-hashes -r requirements-fuzz.lock
	$(PY) -m tests.adversarial.fuzz --seconds $(or $(SECONDS),60)

lint: .venv/.development ## Style, types, import contracts, templates, migrations
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	CUSTOS_HOME=build/lint-home .venv/bin/mypy
	.venv/bin/lint-imports --no-cache
	.venv/bin/djlint --lint --quiet archive/web/templates
	CUSTOS_HOME=build/lint-home DATABASE_URL=dbname=none $(PY) -W ignore manage.py makemigrations --check --dry-run

lock: ## Resolve the dependencies anew (needs uv)
	uv pip compile -q --universal --python-version 3.12 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-annotate --no-header pyproject.toml --extra service --group build -o requirements.lock
	uv pip compile -q --universal --python-version 3.12 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-annotate --no-header pyproject.toml --extra service --group build --group test --group lint \
	  -c requirements.lock -o requirements-dev.lock
	uv pip compile -q --universal --python-version 3.12 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-annotate --no-header --group fuzz -o requirements-fuzz.lock

screenshot: .venv/.development ## Make docs/screenshot.png from the running thing
	$(PY) docs/screenshot.py

clean: ## Remove what was built; the state folder var/ stays
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache

.venv/bin/python:
	@sh .ci/python .venv

.venv/.runtime: .venv/bin/python requirements.lock pyproject.toml
	@test -e .venv/.development && test ! requirements.lock -nt .venv/.development || \
	  $(PY) -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@$(PY) -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch .venv/.runtime

.venv/.development: .venv/.runtime requirements-dev.lock
	@$(PY) -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch .venv/.development
