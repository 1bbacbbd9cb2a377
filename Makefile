# Everything a developer does here. Needs only Python 3.11 or later and make; the first call also needs the network.
# Nothing is installed outside .venv.

SHELL := /bin/bash
PYTHON ?= $(firstword $(foreach p,python3 python3.14 python3.13 python3.12 python3.11,$(shell \
  $(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(p))))
VENV := .venv
BIN := $(VENV)/bin
# Not `:=`, because the recipe that puts uv into the environment runs after this line is read.
UV = $(shell command -v uv 2>/dev/null || echo $(BIN)/uv)
WEB := $(shell find web -type f -not -path '*/node_modules/*' -not -path '*/generated/*')
APT := -o Acquire::Retries=0 -o Acquire::http::Timeout=20
LOCK := $(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate
NO_NETWORK := echo 'make: the packages of the lock file could not be installed. The first call needs the network; without it,' \
  'a later call works with UV_OFFLINE=1 where everything is in the cache already.' >&2

# uv keeps its cache below HOME, which a container or a service user may not have.
ifneq ($(shell mkdir -p "$${UV_CACHE_DIR:-$${XDG_CACHE_HOME:-$$HOME/.cache}/uv}" 2>/dev/null && echo yes),yes)
export UV_CACHE_DIR := $(CURDIR)/$(VENV)/cache
endif
# The cache and the environment may lie on different file systems; then uv copies, which needs no advice.
export UV_LINK_MODE ?= copy

# The tests start some hundreds of processes. Without bytecode each would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup run test chaos check bench fix lock others browser page clean

help:  ## Say what can be made
	@grep -hE '^[a-z]+:.*  ## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*  ## (.*)/  make \1\t\2/' | expand -t 16

setup: $(VENV)/ready  ## Make the environment .venv and install Dozor and its tools into it

run: $(VENV)/ready page  ## Run the demo: a sample application on real servers, watched; http://127.0.0.1:8002/
	exec $(BIN)/dozor demo

test: $(VENV)/ready $(VENV)/sqlalchemy-2.0/ready page others browser  ## Run all tests, those of the database also on SQLAlchemy 2.0
	PATH="$$PWD/$(BIN):$$PATH" $(BIN)/python -m pytest -n 2 --dist worksteal

chaos: SEED := $(or $(SEED),$(shell echo $$RANDOM))
chaos: $(VENV)/ready  ## Run the long proofs whole, half an hour or more: hundreds of kills, many more examples; SEED=… repeats a run
	DOZOR_TEST_CHAOS=$(SEED) $(BIN)/python -m pytest -n 2 --dist load -m 'chaos or hypothesis' --hypothesis-seed=$(SEED)

check: $(VENV)/ready $(VENV)/page-checked  ## Lint, formatting, types (the page's too), imports between packages
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: $(VENV)/ready $(VENV)/peers/ready  ## Measure what Dozor costs, beside others in the same run
	@echo '== overhead'; PYTHONPATH=src $(VENV)/peers/bin/python -m benchmarks.overhead
	@for program in $(filter-out common load overhead served variants,$(patsubst benchmarks/%.py,%,$(wildcard benchmarks/*.py))); do \
	  echo "== $$program"; $(BIN)/python -m benchmarks.$$program || exit 1; done

fix: $(VENV)/ready  ## Mend what can be mended by a program: lint and formatting
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: $(VENV)/uv-found  ## Choose the newest versions that pyproject.toml allows, with hashes and without hosts
	$(LOCK) --upgrade pyproject.toml --extra demo --group dev -o requirements.lock
	$(LOCK) --upgrade pyproject.toml benchmarks/requirements-peers.in -o benchmarks/requirements-peers.lock
	echo 'sqlalchemy>=2.0.40,<2.1' | $(LOCK) --upgrade --no-deps - -o requirements-sqlalchemy20.lock
	$(BIN)/python -c 'import hatch_build; print(hatch_build.NODE_WHEEL)' | $(LOCK) --no-deps - -o requirements-node.lock

clean:  ## Remove the environment, all caches, and the page that was built
	rm -rf $(VENV) .mypy_cache .ruff_cache .hypothesis .schemathesis build dist
	rm -rf web/node_modules web/generated src/dozor/dashboard/static/app

$(BIN)/python:
	@if [ -z '$(PYTHON)' ]; then echo 'make: no Python 3.11 or later was found; name one: make PYTHON=/path/to/python3.12' >&2; exit 1; fi
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo 'make: $(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv' >&2; exit 1; }

$(VENV)/uv-found: $(BIN)/python
	@command -v uv >/dev/null || $(BIN)/python -m pip install -qq --disable-pip-version-check 'uv>=0.9' || { $(NO_NETWORK); exit 1; }
	@touch $@

# --no-build-isolation: Dozor is built by the hatchling that is locked, not by one fetched for the purpose.
# DOZOR_SKIP_UI: the page has a rule of its own, below.
$(VENV)/ready: requirements.lock pyproject.toml hatch_build.py $(VENV)/uv-found
	@echo 'Installing what requirements.lock names into $(VENV) …'
	@$(UV) pip sync -q --python $(BIN)/python --require-hashes requirements.lock || { $(NO_NETWORK); exit 1; }
	@DOZOR_SKIP_UI=1 $(UV) pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/sqlalchemy-2.0/ready: requirements-sqlalchemy20.lock $(VENV)/uv-found
	@rm -rf $(@D)
	@$(UV) pip install -q --python $(BIN)/python --target $(@D) --no-deps --require-hashes -r $< || { $(NO_NETWORK); exit 1; }
	@touch $@

# The page that a browser runs: built from web/ by npm, or by Node from a wheel where there is none. Dozor runs without it, too,
# and says so; then the next call tries again.
page: $(VENV)/page

NODE = $(UV) pip install -q --python $(BIN)/python --require-hashes -r requirements-node.lock || { $(NO_NETWORK); }

$(VENV)/page: $(WEB) hatch_build.py requirements-node.lock | $(VENV)/ready
	@$(BIN)/python hatch_build.py --ready || $(NODE)
	@if $(BIN)/python hatch_build.py; then touch $@; else \
	  echo 'make: going on without it: Dozor shows its page without JavaScript' >&2; fi

# The types of what the API answers are made from Dozor's own description of it.
$(VENV)/page-checked: $(WEB) $(wildcard src/dozor/api/*.py) hatch_build.py | $(VENV)/ready
	@$(BIN)/python hatch_build.py --node || $(NODE)
	@mkdir -p web/generated && $(BIN)/python -m tests.openapi web/generated/openapi.json
	$(BIN)/python hatch_build.py --check
	@touch $@

# What Dozor is measured against, with Dozor's own dependencies in the versions that go with it.
$(VENV)/peers/ready: benchmarks/requirements-peers.lock $(VENV)/uv-found
	@$(UV) venv -q --clear --python $(BIN)/python $(@D)
	@$(UV) pip sync -q --python $(@D)/bin/python --require-hashes $< || { $(NO_NETWORK); exit 1; }
	@touch $@

others: $(VENV)/ready
	@sh tests/others.sh $(BIN)

# The page is tested in a real browser: Debian's, with the library that playwright's driver misses on a minimal system. Installed
# outside .venv, which only root can, as are two templates that Alertmanager wants (others). Never a reason to fail either.
browser: $(VENV)/ready
	@ready() { command -v "$${DOZOR_TEST_CHROMIUM:-chromium}" && $(BIN)/playwright --version; } >/dev/null 2>&1; \
	ready || { [ "$$(id -u)" = 0 ] && command -v apt-get && echo 'Installing Chromium for the tests of the page …' >&2 && \
	  apt-get -qq $(APT) update && DEBIAN_FRONTEND=noninteractive \
	  apt-get -qq $(APT) install -y --no-install-recommends chromium libatomic1; } >/dev/null; \
	ready || echo 'make: Chromium is not here and apt cannot bring it: the tests of the page in a browser are left out'
