# Each target is one real command; what comes before it is set-up, done again only when what it depends on changes.
# `make` alone lists the targets. PORT, SLIPWAY_INSTANCE and every other setting can be given: make run PORT=8001

.DEFAULT_GOAL := help
# Some images set it. Every process that the server or a test starts would then compile the whole app for itself.
unexport PYTHONDONTWRITEBYTECODE
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: run test test-fast soak check format bench screenshots help always

run: .venv/.server app/static/dist/manifest.json ## start everything: storage, database, web server, three agents
	@exec .venv/bin/python -m app.runtime.supervisor

# Three at a time on two cores: tests of processes mostly wait for them.
test: .venv/.dev node_modules/.dev app/static/dist/manifest.json ## every test but the soak (under 10 minutes)
	.venv/bin/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not soak"

test-fast: .venv/.dev app/static/dist/manifest.json ## the inner loop: SQLite alone, no browser, nothing slow (under a minute)
	.venv/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not soak and not slow and not browser and not postgres"

soak: .venv/.dev app/static/dist/manifest.json ## the long fault runs
	.venv/bin/python -m pytest -n 3 --dist loadfile -m soak --timeout 7200
	.venv/bin/python -m pytest -n 2 --hypothesis-profile searching tests/slipway/archive/test_fuzz.py tests/slipway/archive/test_chunking.py tests/app/fleet/test_wanted.py tests/slipway/agent/test_hostile_answers.py

check: .venv/.dev node_modules/.dev ## lint, formatting, types, templates, scripts
	.venv/bin/python -m ruff check .
	.venv/bin/python -m ruff format --check .
	.venv/bin/python -m mypy
	.venv/bin/python -m djlint app/templates --lint --quiet
	.venv/bin/python -m djlint app/templates --check --quiet || { echo "Run make format." >&2; exit 1; }
	@$(NPM) --silent run types
	@$(NPM) --silent run lint

format: .venv/.dev ## format Python and templates (settings: pyproject.toml)
	.venv/bin/python -m ruff check --select I --fix --quiet .
	.venv/bin/python -m ruff format .
	.venv/bin/python -m djlint app/templates --reformat --quiet --warn

bench: .venv/.dev app/static/dist/manifest.json ## measure; see docs/benchmarks.md
	.venv/bin/python -m bench

screenshots: .venv/.dev app/static/dist/manifest.json ## every page, wide and narrow, light and dark, into screenshots/
	.venv/bin/python -m tests.screenshots

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

# --- Python. A stamp holds the folder it was made in, and is written last: a virtual environment that was moved, half
# made, or whose Python went away is made anew.

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python3.14; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)
WHOLE = $(shell test "$$(cat .venv/.server 2>/dev/null)" = "$$PWD" && .venv/bin/python -c '' 2>/dev/null && echo yes)
PIP = .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input

.venv/.server: requirements.lock setup.cfg pyproject.toml $(if $(WHOLE),,always)
	$(call install,requirements.lock)

.venv/.dev: requirements-dev.lock setup.cfg pyproject.toml $(if $(WHOLE),,always)
	$(call install,requirements-dev.lock)
	@cp .venv/.server $@

define install
	@test -n "$(PYTHON)" && "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Slipway needs Python 3.11 or newer, and found none. Install it, or name one: make PYTHON=/path/to/python3.12" >&2; \
		exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: sudo apt-get install python3-venv" >&2; \
		exit 1; }
	@echo "Installing what $(1) names into .venv …"
	@$(if $(WHOLE),,rm -rf .venv && "$(PYTHON)" -m venv .venv)
	@rm -f .venv/.server .venv/.dev
	$(PIP) --require-hashes -r $(1)
	$(PIP) --no-deps --no-build-isolation -e .
	@printf '%s\n' "$$PWD" > .venv/.server
endef

# --- The browser's libraries: npm where it is (with Node 18 or newer), else both from PyPI.

NODE := $(shell command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null && echo yes)
NPM = $(if $(NODE),npm,PATH="$$PWD/.venv/bin:$$PATH" npm)

app/static/dist/manifest.json: node_modules/.installed app/static/build.mjs $(shell find app/static/src -type f)
	@$(NPM) --silent run build

# As with Python: the bundle needs less than the tests and `make check` do. npm begins by emptying node_modules.
node_modules/.installed: package.json package-lock.json | $(if $(NODE),,.venv/.node)
	$(call install-node,--omit=dev)

node_modules/.dev: package.json package-lock.json | $(if $(NODE),,.venv/.node)
	$(call install-node,)
	@touch $@

define install-node
	@echo "Installing what package-lock.json names into node_modules …"
	@$(NPM) ci $(1) --silent --ignore-scripts --no-audit --no-fund
	@touch node_modules/.installed
endef

.venv/.node: requirements-node.lock | .venv/.server
	$(PIP) --require-hashes -r requirements-node.lock
	@touch $@
