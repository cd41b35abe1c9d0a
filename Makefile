# make run    set up and start the daemon with its page and the demo model (or the model chosen before, or MODEL=…);
#             without Node 20, without the page. ALLOW_ORIGIN=http://localhost:5173 admits pages of another server
# make test   set up and run all tests; with Node 20 also those of shells/, with cargo those of the Tauri app
# make check  all of lint, types and Rust's checks
#
# The inner loop: each installs only what it needs.
# make setup  the Python environment, .venv
# make unit   the Python tests that start no daemon: a few seconds
# make test-py             the Python tests except those below; ARGS="-k word" chooses
# make test-seed           the guide's own snippets, on the ports that it names
# make test-install        tests that installing uses exactly the versions of the locks
# make test-package        the frozen daemon, which this builds first
# make test-client, test-ui, test-shells    the client library, the page in Chromium, the Electron shell without a window
# make test-electron       the Electron app in real windows; ELECTRON=/path uses another Electron than 9.4.1
# make test-tauri          the Tauri app in real windows, its supervisor, its .deb; the first build takes some minutes
# make test-llama          the daemon with llama.cpp's own server (on Linux x86-64; LLAMA_SERVER=/path uses another)
# make test-readme         the README's first page, line by line, in a clone
# make soak   the daemon and its readers with damaged provider answers, always new ones, for SOAK_MINUTES=10;
#             the numbers and the answers that broke something are also in build/soak/
# make lint, make types    format and lint; types; with Node 20 also for shells/
# make format              format all files
#
# make ui     build the page that the daemon serves
# make dist   the packages to install, in dist/: the wheel with the page in it, and the npm tarball of the client
# make package  freeze the daemon into dist/aster-desktop, and test it; EXTRAS="mcp google otel" adds those
# make bench  a table of what the daemon costs, compared with a floor
# make lock   pin the newest allowed versions, with hashes
# make clean  remove everything that the other targets made

PYTHON ?= python3
PORT ?= 8080
VENV := .venv
BIN := $(VENV)/bin
RUN_DIR ?= .run
MODEL ?= $(ASTER_MODEL)
ALLOW_ORIGIN ?=
EXTRAS ?=
export EXTRAS
# Modules that hundreds of processes import are compiled only once.
unexport PYTHONDONTWRITEBYTECODE
# How many steps of `make test` and `make check` run at the same time; the tests mostly wait.
JOBS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2) + 1)))
# How many Python tests run at the same time.
WORKERS ?= $(JOBS)
SOAK_MINUTES ?= 10
LLAMA_SERVER ?=

UI := aster_sidecar/webui/index.html
PACKAGE := dist/aster-desktop/aster-desktop
# $(call pytest,NAME,PARALLEL FLAGS): pytest, with a second try for a few failed tests.
pytest = $(BIN)/python scripts/pytest_again.py build/pytest/$(1) '$(2)'
PARALLEL := -n $(WORKERS) --dist loadgroup
NPM := ASTER_PYTHON=$(abspath $(BIN)/python) sh shells/npm.sh

.PHONY: run test check setup runtime npm system-packages ui dist wheel package bench lock format clean \
	unit lint lint-py lint-shells types types-py types-shells rust \
	test-py test-seed test-install test-package test-client test-ui test-shells test-electron test-tauri tauri-build test-llama test-readme soak

# -- complete jobs, step by step ---------------------------------------------------------------------------------------

# $(call steps,COUNT,TARGETS): run these step-… targets, several at the same time, and say how many have ended.
define steps
counter=$$(mktemp) && trap 'rm -f "$$counter"' EXIT && \
	ASTER_STEPS="$(1)/$$counter" $(SUB) -k -j$(JOBS) $(2)
endef
STEP = @$(PYTHON) scripts/step.py
SUB = $(MAKE) --no-print-directory

run: export NPM_ONLY := page
run:
	@echo "Setting up Aster Sidecar in 2 steps; the first time they take half a minute"
	@$(call steps,2,step-runtime step-ui)
	@mkdir -p $(RUN_DIR)/work
	@echo "Starting the daemon on port $(PORT); Ctrl-C stops it"
	@model='$(MODEL)'; [ -n "$$model" ] || grep -qs '^model *=' $(RUN_DIR)/data/config.toml || model=demo; \
	exec $(BIN)/aster-sidecar --framework web --port $(PORT) --any-port --open $${model:+--model "$$model"} \
		$(ALLOW_ORIGIN:%=--allow-origin %) --data-dir $(RUN_DIR)/data --work-dir $(abspath $(RUN_DIR))/work

check:
	@echo "Checking format, lint, types and Rust in 8 steps"
	@$(call steps,8,step-check)

test:
	@echo "Running all tests in 17 steps; the first time, with Electron and Tauri to install, they take half an hour"
	@$(call steps,17,step-test)

step-check: step-lint-py step-types-py step-lint-shells step-types-shells step-rust
# The longest steps come first. Steps that use the guide's ports (9527, 9528) wait for each other.
step-test: step-test-py step-test-seed step-test-package step-test-tauri step-test-electron step-test-ui \
	step-test-readme step-test-client step-test-install step-test-llama

step-setup:           ; $(STEP) "Python packages" $(SUB) setup
step-runtime:         ; $(STEP) "Python packages" $(SUB) runtime
step-npm:             ; $(STEP) "npm packages" $(SUB) npm
step-system-packages: ; $(STEP) "Debian packages" $(SUB) system-packages
step-ui: $(if $(NPM_ONLY),,step-npm)
	$(STEP) "web page" $(SUB) ui
step-lint-py: step-setup
	$(STEP) "lint of Python" $(SUB) lint-py
step-types-py: step-setup step-npm
	$(STEP) "types of Python" $(SUB) types-py
step-lint-shells: step-npm
	$(STEP) "lint of shells" $(SUB) lint-shells
step-types-shells: step-setup step-ui
	$(STEP) "types of shells" $(SUB) types-shells
step-rust: step-ui
	$(STEP) "checks of Rust" $(SUB) rust
step-package: step-ui
	$(STEP) "frozen daemon" $(SUB) $(PACKAGE)
step-tauri-build: step-ui step-system-packages
	$(STEP) "build of the Tauri app" $(SUB) tauri-build
step-test-py: step-setup step-ui step-system-packages
	$(STEP) "Python tests" $(SUB) test-py
step-test-seed: step-setup step-system-packages
	$(STEP) "tests of the guide" $(SUB) test-seed
step-test-install: step-setup
	$(STEP) "tests of installing" $(SUB) test-install
step-test-package: step-setup step-package step-system-packages step-test-seed
	$(STEP) "tests of the frozen daemon" $(SUB) test-package
step-test-client: step-setup step-npm
	$(STEP) "tests of the client" $(SUB) test-client
step-test-ui: step-setup step-ui step-system-packages
	$(STEP) "tests of the page" $(SUB) test-ui
step-test-shells: step-setup step-npm step-ui
	$(STEP) "tests of the Electron shell" $(SUB) test-shells
step-test-electron: step-test-shells step-test-package
	$(STEP) "tests of Electron windows" $(SUB) test-electron
step-test-tauri: step-tauri-build step-test-package
	$(STEP) "tests of the Tauri app" $(SUB) test-tauri
step-test-llama: step-setup step-system-packages
	$(STEP) "tests with llama.cpp's server" $(SUB) test-llama
step-test-readme: step-setup step-ui step-system-packages
	$(STEP) "tests of the README" $(SUB) test-readme

# -- set-up ------------------------------------------------------------------------------------------------------------

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; say which: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)

setup: $(VENV)/bin/python
	@$(BIN)/python scripts/install.py --project . requirements-dev.lock

runtime: $(VENV)/bin/python
	@$(BIN)/python scripts/install.py --project . --compile --unless requirements-dev.lock requirements-run.lock

npm:
	@sh shells/npm.sh

system-packages:
	@sh scripts/system-packages.sh

ui: $(UI)

$(UI): $(shell find shells/ui shells/client/src -type f -not -path '*/node_modules/*' -not -path '*/tests/*') shells/package-lock.json
	@sh shells/npm.sh run build --workspace @aster-sidecar/ui -- --logLevel warn

# -- tests -------------------------------------------------------------------------------------------------------------

OTHERS := --ignore tests/guide --ignore tests/install --ignore tests/llama --ignore tests/package --ignore tests/readme

unit: setup
	$(BIN)/pytest $(PARALLEL) -m unit $(OTHERS) $(ARGS)

test-py: setup
	$(call pytest,py,$(PARALLEL)) $(OTHERS) $(ARGS)

test-seed: setup
	$(call pytest,guide,) tests/guide $(ARGS)

test-install: setup
	$(call pytest,install,$(PARALLEL)) tests/install $(ARGS)

test-package: setup $(PACKAGE)
	$(call pytest,package,$(PARALLEL)) tests/package $(ARGS)

test-llama: setup
	@export LLAMA_SERVER='$(LLAMA_SERVER)'; python=$$(sh tests/llama/environment.sh $(PYTHON)) || exit 1; \
		[ -z "$$python" ] || ASTER_LLAMA_PYTHON=$$python $(call pytest,llama,) -rs tests/llama $(ARGS)

test-readme: setup
	$(call pytest,readme,) tests/readme $(ARGS)

# A worker for the tests of each dialect, with its own daemon, and one for the tests of the stream readers.
soak: setup
	@rm -rf build/soak && mkdir -p build/soak
	@SOAK_MINUTES=$(SOAK_MINUTES) $(BIN)/pytest -q -n 9 --dist loadgroup -k "mangled or any_bytes" \
		tests/models/streams/test_fuzz.py tests/flows/providers/test_fuzz.py $(ARGS) >build/soak/log 2>&1; \
		code=$$?; cat build/soak/*.txt || cat build/soak/log; exit $$code

test-client: setup
	@$(NPM) test --workspace @aster-sidecar/client $(ARGS)

test-ui: setup $(UI)
	@$(NPM) test --workspace @aster-sidecar/ui $(ARGS)

test-shells: setup
	@$(NPM) test --workspace @aster-sidecar/electron $(ARGS)

test-electron: setup $(UI) $(PACKAGE)
	@$(NPM) run test-electron --workspace @aster-sidecar/electron $(ARGS)

test-tauri: setup $(UI) $(PACKAGE)
	@ASTER_PYTHON=$(abspath $(BIN)/python) sh shells/tauri/cargo.sh test

tauri-build: $(UI)
	@sh shells/tauri/cargo.sh build

# -- checks ------------------------------------------------------------------------------------------------------------

lint: lint-py lint-shells
types: types-py types-shells

lint-py: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache --no-logo

types-py: setup
	@sh shells/npm.sh exec --no -- pyright --project .. --pythonpath $(abspath $(BIN)/python)

lint-shells:
	@sh shells/npm.sh run lint

types-shells: setup $(UI)
	@$(NPM) run types

rust: $(UI)
	@sh shells/tauri/cargo.sh check

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	@sh shells/npm.sh run format

# -- what is shipped ---------------------------------------------------------------------------------------------------

dist: wheel
	@sh shells/npm.sh pack --workspace @aster-sidecar/client --pack-destination $(abspath dist)

wheel: setup $(UI)
	$(BIN)/pip wheel --quiet --no-deps --no-build-isolation --no-index -w dist .

package: test-package

# Without Node there is no page. The package is then made without it, once.
$(PACKAGE): build/page $(shell find aster_sidecar -name '*.py' -o -name '*.sql') package/aster-desktop.spec \
		package/freeze.sh requirements.lock requirements-package.lock requirements-extras.lock build/extras | $(UI)
	@sh package/freeze.sh $(PYTHON)

# Written only when it changes: a page that is built again is mostly the same.
build/page: FORCE | $(UI)
	@mkdir -p build; sums=$$(find aster_sidecar/webui -type f 2>/dev/null | sort | xargs cksum); \
		echo "$$sums" | cmp -s - $@ || echo "$$sums" > $@

# Written only when it changes.
build/extras: FORCE
	@mkdir -p build; echo '$(EXTRAS)' | cmp -s - $@ || echo '$(EXTRAS)' > $@

FORCE:

bench: setup system-packages $(UI) $(PACKAGE)
	$(BIN)/python -m bench $(ARGS)

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade

lock: setup
	$(LOCK) pyproject.toml --group build -o requirements.lock
	$(LOCK) --group package -c requirements.lock -o requirements-package.lock
	$(LOCK) --group llama -o requirements-llama.lock
	$(LOCK) pyproject.toml --group build --group dev --extra google --extra mcp --extra otel -c requirements.lock -o requirements-dev.lock
	$(LOCK) pyproject.toml --extra google --extra mcp --extra otel -c requirements-dev.lock -o requirements-extras.lock
	$(LOCK) pyproject.toml --group build --extra mcp -c requirements-dev.lock -o requirements-run.lock

clean:
	@sh package/freeze.sh --clean
	@sh tests/llama/environment.sh --clean
	rm -rf $(VENV) $(RUN_DIR) aster_sidecar/webui build dist shells/node_modules shells/*/dist .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
