# Everything a person or a machine runs here.  Needs python3 (3.11 or newer) and make; the rest goes into .venv.

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
NAME ?= all
SIZE ?= small
JSON ?=
PICTURES ?=
RUN := $(VENV)/bin/python -m
COMMA := ,

# Quiet, offline pyright: it would ask a registry for newer versions of itself.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

# The stamp carries the checkout's own place, so that a copied tree does not run the code it was copied from.
STAMP := $(VENV)/installed$(subst /,-,$(CURDIR))

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test lint imports types tests figures prove mutants bench bench-peers format clean

# One line per step: its name, what it does, and the seconds it took; its output only when it fails.
define step
	@printf '%-8s %s' '$(1)' '$(2)'; began=$$(date +%s); \
	if $(3) > $(VENV)/$(1).log 2>&1; \
	then printf ', %s s\n' "$$(( $$(date +%s) - began ))"; \
	else code=$$?; printf ', FAILED\n'; cat $(VENV)/$(1).log; exit $$code; fi
endef

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; \
	do printf '  make %-11s %s\n' "$$name" "$$text"; done

demo: $(STAMP) ## carts and accounts under load, killed with kill -9, and all there again: 20 seconds
	@$(RUN) entities.demo $(ARGS)

test: lint imports types tests ## everything that must hold before a change goes in; what CI runs

lint: $(STAMP) ## ruff: rules and format
	$(call step,lint,ruff: rules,$(RUN) ruff check --quiet .)
	$(call step,format,ruff: format,$(RUN) ruff format --quiet --diff .)

imports: $(STAMP) ## import-linter: who may import whom
	$(call step,imports,import-linter: who may import whom,$(VENV)/bin/python -c 'from importlinter.cli import lint_imports_command as run; run()')

types: $(STAMP) ## mypy and pyright, strict
	$(call step,mypy,mypy: strict,$(RUN) mypy)
	$(call step,pyright,pyright: strict,$(RUN) pyright --pythonpath $(VENV)/bin/python)

tests: $(STAMP) ## pytest, every branch of the core and the codec walked; ARGS='-k cart' narrows, without that gate
	@echo 'tests    pytest: $(if $(ARGS),$(subst ','\'',$(ARGS)),all tests$(COMMA) every branch of core and codec)'
	@$(RUN) pytest -n auto $(or $(ARGS),--cov --cov-report=term)

figures: $(STAMP) ## docs/explanation/testing.md anew, from the runs kept; KEEP=FILE runs all tests into it
	@$(if $(KEEP),$(RUN) pytest -n auto --cov --faults $(KEEP))
	@$(RUN) tests.faults

prove: $(STAMP) ## the same tests, searching much longer; the seed is printed; SEED=n repeats
	@echo 'prove    pytest: the long search'
	@ACTORFLOW_PROOF=prove $(RUN) pytest -n auto $(if $(SEED),--seed $(SEED)) $(ARGS)

mutants: $(STAMP) ## small mistakes where it is decided, one at a time: which does no test notice?  In what has changed since the run kept; ARGS='--sample 50'
	@$(RUN) tests.mutants --keep tests/mutants/run.json $(ARGS)

bench: $(STAMP) ## all benchmarks, five minutes; NAME=signals for one, SIZE=full, JSON=file, PICTURES=folder
	@$(if $(PICTURES),$(VENV)/bin/python -c 'import matplotlib' 2>/dev/null || $(RUN) pip install --quiet --no-input \
		--disable-pip-version-check -e '.[pictures]')
	@$(RUN) benchmarks $(NAME) --size $(SIZE) $(if $(JSON),--json '$(JSON)') $(if $(PICTURES),--pictures '$(PICTURES)')

bench-peers: $(STAMP) ## Temporal, Restate, DBOS and eventsourcing asked the same, installed on demand; PEERS=dbos,restate SIZE=small JSON=FILE
	@$(RUN) benchmarks.peers $(PEERS) --size $(SIZE) --environments $(VENV)/peers $(if $(JSON),--json $(JSON))

format: $(STAMP) ## ruff: format, and mend what can be mended safely
	@$(RUN) ruff check --fix-only --quiet . && $(RUN) ruff format .

clean: ## remove the environment and what tools left behind
	rm -rf $(VENV) build dist .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache \
		.ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "make: $(PYTHON) is not Python 3.11 or newer; name one, as in: make test PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "make: $(PYTHON) cannot make virtual environments; on Debian: apt install python3-venv" >&2; exit 1; }
	@mkdir -p $(VENV)
	$(call step,install,actorflow and its tools into $(VENV),{ test -x $(VENV)/bin/pip || $(PYTHON) -m venv $(VENV); } \
		&& $(RUN) pip install --quiet --no-input --disable-pip-version-check -e '.[dev]')
	@rm -f $(VENV)/installed* && touch $@
