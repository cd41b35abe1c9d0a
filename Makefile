# make run    set up and start the daemon with its page and the demo model (or the one chosen there, or MODEL=…);
#             without Node 20, without the page
# make ui     build the page that the daemon serves
# make test   set up and run the tests; with Node 20 also those of shells/, with cargo those of the Tauri app
# make check  format, lint, types; with Node 20 also of shells/, with cargo of the Tauri app, licences included
# make wheel  the package, with the page in it, in dist/
# make package  the daemon as apps ship it, frozen into dist/aster-desktop, and tried out; EXTRAS="mcp google otel" adds those
# make test-electron  the desktop app in real windows; ELECTRON=/path names another Electron than 9.4.1
# make test-tauri     the Tauri app in real windows; its first build takes some minutes
# make bench  what it costs, beside a floor, in a table
# make lock   pin the newest allowed versions, with hashes
# make clean  remove what the others made

PYTHON ?= python3
PORT ?= 8080
VENV := .venv
BIN := $(VENV)/bin
RUN_DIR ?= .run
MODEL ?= $(ASTER_MODEL)
EXTRAS ?=
export EXTRAS

.PHONY: run ui wheel package test test-electron test-tauri check bench format lock clean setup system-packages

UI := aster_sidecar/webui/index.html
PACKAGE := dist/aster-desktop/aster-desktop

run ui wheel: export NPM_ONLY := page

run: $(VENV)/.runtime $(UI)
	@mkdir -p $(RUN_DIR)/work
	@model='$(MODEL)'; [ -n "$$model" ] || grep -qs '^model *=' $(RUN_DIR)/data/config.toml || model=demo; \
	exec $(BIN)/aster-sidecar --framework web --port $(PORT) --any-port --open $${model:+--model "$$model"} \
		--data-dir $(RUN_DIR)/data --work-dir $(abspath $(RUN_DIR))/work

test: setup system-packages $(UI) $(PACKAGE)
	@# What the last tests have to build is built beside the first ones, which mostly wait; what fails is said there.
	@nice -n 19 sh shells/tauri/cargo.sh build >/dev/null 2>&1 &
	$(BIN)/pytest -n 2 --dist loadgroup $(ARGS)
	@ASTER_PYTHON=$(abspath $(BIN)/python) sh shells/npm.sh test
	@$(MAKE) --no-print-directory test-electron test-tauri

test-electron: setup $(UI) $(PACKAGE)
	@sh shells/electron/tests/system-packages.sh
	@ASTER_PYTHON=$(abspath $(BIN)/python) sh shells/npm.sh run test-electron --workspace @aster-sidecar/electron

test-tauri: setup $(UI) $(PACKAGE)
	@ASTER_PYTHON=$(abspath $(BIN)/python) sh shells/tauri/cargo.sh test

bench: setup system-packages $(UI) $(PACKAGE)
	$(BIN)/python -m bench $(ARGS)

check: setup $(UI)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	@ASTER_PYTHON=$(abspath $(BIN)/python) sh shells/npm.sh run check
	@sh shells/tauri/cargo.sh check

ui: $(UI)

$(UI): $(shell find shells/ui shells/client/src -type f -not -path '*/node_modules/*' -not -path '*/tests/*') shells/package-lock.json
	@sh shells/npm.sh run build --workspace @aster-sidecar/ui -- --logLevel warn

wheel: setup $(UI)
	$(BIN)/pip wheel --quiet --no-deps --no-build-isolation -w dist .

package: setup $(PACKAGE)
	$(BIN)/pytest -n 2 --dist loadgroup tests/flows/test_package.py

# Without Node there is no page, and the package is made all the same, once.
$(PACKAGE): build/page $(shell find aster_sidecar -name '*.py' -o -name '*.sql') package/aster-desktop.spec \
		package/freeze.sh requirements.lock requirements-package.lock requirements-extras.lock build/extras | $(UI)
	@echo "freezing the daemon into $(@D): a minute or two"
	@sh package/freeze.sh $(PYTHON)

# Written when it changes: a page that was built again is mostly the same.
build/page: FORCE | $(UI)
	@mkdir -p build; sums=$$(find aster_sidecar/webui -type f 2>/dev/null | sort | xargs cksum); \
		echo "$$sums" | cmp -s - $@ || echo "$$sums" > $@

# Written when it changes.
build/extras: FORCE
	@mkdir -p build; echo '$(EXTRAS)' | cmp -s - $@ || echo '$(EXTRAS)' > $@

FORCE:

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	@sh shells/npm.sh run format

setup: $(VENV)/.development

system-packages:
	@sh tests/system-packages.sh

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; say which: make PYTHON=python3.12 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.development: requirements-dev.lock $(VENV)/.runtime
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

lock: setup
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--upgrade pyproject.toml --group build -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--upgrade --group package -c requirements.lock -o requirements-package.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--upgrade pyproject.toml --group build --group dev --extra google --extra mcp --extra otel -o requirements-dev.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--upgrade pyproject.toml --extra google --extra mcp --extra otel -c requirements-dev.lock -o requirements-extras.lock

clean:
	@sh package/freeze.sh --clean
	rm -rf $(VENV) $(RUN_DIR) aster_sidecar/webui build dist shells/node_modules shells/*/dist .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
