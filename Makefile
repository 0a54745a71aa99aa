# Each target is one real command. Its prerequisites are set-up; make repeats them only when their own sources change.
# `make` alone lists the targets. PORT, SLIPWAY_INSTANCE and every other setting can be given: make run PORT=8001

.DEFAULT_GOAL := help
# Some container images set it. Each process that the server or a test starts would then compile the app again.
unexport PYTHONDONTWRITEBYTECODE
.NOTPARALLEL:
.DELETE_ON_ERROR:
TARGETS = run test test-fast soak check format bench dist screenshots help
.PHONY: $(TARGETS) always

run: .venv/.server app/static/dist/manifest.json ## start everything: storage, database, web server, three agents
	@exec .venv/bin/python -m app.runtime.supervisor

# Three workers on two cores: tests that start processes spend most of their time waiting.
test: .venv/.dev node_modules/.dev app/static/dist/manifest.json ## every test except soak (under 15 minutes on two cores)
	.venv/bin/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not soak" --room 8G

test-fast: .venv/.dev app/static/dist/manifest.json ## the inner loop: SQLite only, no browser, no slow tests (under a minute)
	.venv/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not soak and not slow and not browser and not postgres" --room 2G

soak: .venv/.dev node_modules/.dev app/static/dist/manifest.json ## the long fault injection runs
	.venv/bin/python -m pytest -n 3 --dist loadfile -m soak --timeout 7200 --room 12G
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

bench: .venv/.dev app/static/dist/manifest.json ## run all benchmarks, or those named (make bench packs); see docs/benchmarks.md
	.venv/bin/python -m bench $(NAMED_BENCHES)

# Beside `bench`, a goal that this file cannot make is the name of a benchmark.
ifneq ($(filter bench,$(MAKECMDGOALS)),)
NAMED_BENCHES = $(filter-out $(TARGETS) app/% .venv/% node_modules/%,$(MAKECMDGOALS))
.PHONY: $(NAMED_BENCHES)
$(NAMED_BENCHES):
	@:
endif

# The build backend's own functions: they need no other program, and no network.
dist: .venv/.dev app/static/dist/manifest.json ## build wheel and sdist in dist/: a complete portal, agent and command line
	@rm -rf build dist
	.venv/bin/python -c "from setuptools import build_meta as b; print(b.build_sdist('dist')); print(b.build_wheel('dist'))"

screenshots: .venv/.dev app/static/dist/manifest.json ## save every page, wide and narrow, light and dark, in screenshots/
	.venv/bin/python -m tests.screenshots

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

# --- Python. A stamp contains the folder of its virtual environment, and is written last. An environment that was moved,
# is incomplete, or has lost its Python is created again.

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python3.14; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)
COMPLETE = $(shell test "$$(cat .venv/.server 2>/dev/null)" = "$$PWD" && .venv/bin/python -c '' 2>/dev/null && echo yes)
PIP = .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input

.venv/.server: requirements.lock setup.cfg pyproject.toml $(if $(COMPLETE),,always)
	$(call install,requirements.lock)

.venv/.dev: requirements-dev.lock setup.cfg pyproject.toml $(if $(COMPLETE),,always)
	$(call install,requirements-dev.lock)
	@cp .venv/.server $@

define install
	@test -n "$(PYTHON)" && "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Slipway needs Python 3.11 or newer, and none was found. Install it, or name one: make PYTHON=/path/to/python3.12" >&2; \
		exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot create virtual environments. On Debian and Ubuntu: sudo apt-get install python3-venv" >&2; \
		exit 1; }
	@echo "Installing the packages of $(1) into .venv …"
	@$(if $(COMPLETE),,rm -rf .venv && "$(PYTHON)" -m venv .venv)
	@rm -f .venv/.server .venv/.dev
	$(PIP) --require-hashes -r $(1)
	$(PIP) --no-deps --no-build-isolation -e .
	@printf '%s\n' "$$PWD" > .venv/.server
endef

# --- The browser's libraries: npm of the machine if it has Node 18 or newer, otherwise npm and Node from PyPI.

NODE := $(shell command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null && echo yes)
NPM = $(if $(NODE),npm,PATH="$$PWD/.venv/bin:$$PATH" npm)

app/static/dist/manifest.json: node_modules/.installed app/static/build.mjs $(shell find app/static/src -type f)
	@$(NPM) --silent run build

# As with Python, the bundle needs fewer packages than the tests and `make check`. `npm ci` empties node_modules first.
node_modules/.installed: package.json package-lock.json | $(if $(NODE),,.venv/.node)
	$(call install-node,--omit=dev)

node_modules/.dev: package.json package-lock.json | $(if $(NODE),,.venv/.node)
	$(call install-node,)
	@touch $@

define install-node
	@echo "Installing the packages of package-lock.json into node_modules …"
	@$(NPM) ci $(1) --silent --ignore-scripts --no-audit --no-fund
	@touch node_modules/.installed
endef

.venv/.node: requirements-node.lock | .venv/.server
	$(PIP) --require-hashes -r requirements-node.lock
	@touch $@
