# CourseCove: every target says what it does; `make help` lists them.
PYTHON ?= python3
VENV := .venv
# Half of a test's time is waiting; two at a time halve it.
TEST_PROCESSES ?= 2
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast lint format css messages gallery screenshots chaos races fuzz isolation bench lock browser install clean

help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## Start everything on this machine, with three schools in it (PORT=8000)
	@exec $(BIN)/coursecove demo

test: $(VENV)/.dev browser ## Run all tests: real Postgres, real Valkey, a real browser
	@$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile $(PYTEST_ARGS)

test-fast: $(VENV)/.dev ## Run the tests that need no browser
	@$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile --ignore=tests/e2e $(PYTEST_ARGS)

lint: $(VENV)/.dev ## Check style, types, the direction of imports and the house rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python scripts/house_rules.py
	@$(BIN)/python scripts/build_css.py --check
	@$(BIN)/python scripts/bare_words.py
	@$(BIN)/python scripts/messages.py --check

format: $(VENV)/.dev ## Format the code
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

css: $(VENV)/.dev ## Build static/css/app.css from the templates' classes
	@$(BIN)/python scripts/build_css.py

messages: $(VENV)/.dev ## Collect the sentences of code and templates, and compile their translations
	@$(BIN)/python scripts/messages.py

gallery: $(VENV)/.dev ## Show every component with made-up data
	@$(BIN)/python scripts/gallery.py

screenshots: $(VENV)/.dev browser ## Take the pictures of docs/screenshots from a running demo
	@$(BIN)/python scripts/screenshots.py

fuzz: $(VENV)/.dev ## Ask the API 50,000 generated questions per role (FUZZ_ARGS="--cases 2000 --seed 7")
	@$(BIN)/python scripts/fuzz.py $(FUZZ_ARGS)

isolation: $(VENV)/.dev ## Run the isolation matrices and print how much was compared, and what leaked
	@$(BIN)/python scripts/isolation_report.py $(ISOLATION_ARGS)

chaos: $(VENV)/.dev ## Kill and restart under 10,000 webhooks, and say what was lost (CHAOS_ARGS="--seed 2")
	@$(BIN)/python -m faults.chaos --controls $(CHAOS_ARGS)

races: $(VENV)/.dev ## Let 1,000 people race for one hour, 100 times, and 100,000 random steps (RACES_ARGS="--short")
	@$(BIN)/python -m faults.races $(RACES_ARGS)

bench: $(VENV)/.dev ## Measure speed against floors, on a quiet machine (BENCH_ARGS="--only slots,availability --quick")
	@$(BIN)/python -m benchmarks $(BENCH_ARGS)

lock: ## Pin the dependencies again, with hashes (needs uv)
	@uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --quiet \
		--python-version 3.11 pyproject.toml -o requirements.lock
	@uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --quiet \
		--python-version 3.11 --extra dev -c requirements.lock pyproject.toml -o requirements-demo.lock
	@uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --quiet \
		--python-version 3.11 --extra dev --extra test -c requirements-demo.lock pyproject.toml -o requirements-dev.lock

browser: $(VENV)/.dev
	@sh scripts/install_browser.sh

install: $(VENV)/.dev ## Make the environment for development

clean: ## Remove the environment and caches (the demo's data in .coursecove/ stays)
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache test-artifacts

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "CourseCove needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "The environment could not be made. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }

$(VENV)/.demo: requirements-demo.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing what CourseCove needs …"
	@$(PIP_INSTALL) --only-binary :all: --require-hashes -r requirements-demo.lock
	@$(PIP_INSTALL) --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing what development needs …"
	@$(PIP_INSTALL) --only-binary :all: --require-hashes -r requirements-dev.lock
	@$(PIP_INSTALL) --no-build-isolation --no-deps --editable .
	@touch $(VENV)/.demo $@
