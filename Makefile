# Palletflow: `make help` lists what there is. Everything runs from .venv, which is made from the lock.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready

.DEFAULT_GOAL := help
.PHONY: help up demo login psql backup restore check-connection test check soak bench lock docs template

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

$(READY): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info[:2] <= (3, 13) else \
		f"Palletflow needs Python 3.11 to 3.13; this is {sys.version.split()[0]}. Try: make PYTHON=python3.12 ...")'
	@echo "Installing into .venv ..."
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check "$$(grep -oE '^uv==[^ ]+' requirements-dev.txt)"
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python requirements-dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

up: $(READY) ## stand everything up on this machine: Airflow, Postgres, simulated networks; Ctrl-C stops it
	@$(BIN)/python -m palletflow.sandbox up

demo: $(READY) ## the same without a person: one round of every pipeline, a table of what landed, exit 0 if all did
	@$(BIN)/python -m palletflow.sandbox demo

login: $(READY) ## set a new password for Airflow's page and print it
	@$(BIN)/python -m palletflow.sandbox login

psql: $(READY) ## open the order store in psql
	@$(BIN)/python -m palletflow.sandbox psql

check-connection: $(READY) ## try one Airflow connection, changing nothing anywhere: CONN=palletforce_900
	@$(if $(CONN),,echo "Say which: make check-connection CONN=palletforce_900" >&2; exit 1;)\
		$(BIN)/python -m palletflow.sandbox check-connection "$(CONN)"

backup: $(READY) ## back up the order store and its documents, running or not: make backup TO=folder
	@$(if $(TO),,echo "Say where to: make backup TO=folder" >&2; exit 1;)\
		$(BIN)/python -m palletflow.sandbox backup "$(TO)"

restore: $(READY) ## restore the newest backup into a house that holds nothing: make restore FROM=folder
	@$(if $(FROM),,echo "Say from where: make restore FROM=folder" >&2; exit 1;)\
		$(BIN)/python -m palletflow.sandbox restore "$(FROM)"

test: $(READY) ## the whole test suite
	@$(BIN)/python tools/browser.py > /dev/null
	@$(BIN)/pytest -n 4

check: $(READY) ## lint, types, rooms, locks and generated docs
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tools/lock.py --check
	@$(BIN)/python tools/pipelines.py --check
	@$(BIN)/python tools/rules.py --check

soak: $(READY) ## a night simulated: HOURS=12 SEED=1; faults at random, processes killed, then the verdict
	@PYTHONPATH=tools $(BIN)/python -m soak

bench: $(READY) ## speed, each figure beside its yardstick
	@$(BIN)/python tools/bench.py

lock: $(READY) ## make requirements.txt and requirements-dev.txt from pyproject.toml
	@$(BIN)/python tools/lock.py

docs: $(READY) ## make docs/pipelines.md, the README's table and docs/contracts/RULES.md
	@$(BIN)/python tools/pipelines.py
	@$(BIN)/python tools/rules.py

NETWORK ?= palletforce
template: $(READY) ## check an import template: TEMPLATE=own.yaml SAMPLE=record.json NETWORK=palletforce
	@PALLETFLOW_DEPLOYMENT=$${PALLETFLOW_DEPLOYMENT:-include/deployment.yaml} $(BIN)/palletflow template $(NETWORK) \
		$(if $(TEMPLATE),--template $(TEMPLATE)) $(if $(SAMPLE),--sample $(SAMPLE))
