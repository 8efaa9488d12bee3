# make run     listen (on a fresh machine: set everything up first)
# make test    lint, types and tests, the same way
# Other targets: make help. Choose an interpreter with PYTHON=python3.12, pass flags to the program with ARGS="…".

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
LOCKED := $(PIP) install --require-hashes --no-warn-script-location
# pip names every package that is there already or not for this machine; what remains is progress.
NEWS := sed -u '/^Requirement already satisfied/d; /^Ignoring /d'

# The first interpreter that fits: the system's own, else the newest.
PYTHON = $(shell for name in python3 python3.13 python3.12 python3.11 python3.10; do \
	$$name -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && { echo $$name; break; }; done)

# Debian packages. To run: PortAudio, ALSA's way to PulseAudio or PipeWire, the second voice. To test: a sound server,
# an MQTT broker and a clock that can be set.
APT_RUN := libportaudio2 libasound2-plugins espeak-ng $(if $(filter aarch64,$(shell uname -m)),libatomic1)
APT_TEST := $(APT_RUN) alsa-utils pulseaudio pulseaudio-utils mosquitto libfaketime
# What the converter lets speak. Its environment is its own: gigabytes, and never on the device.
APT_CONVERT := flite festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts espeak-ng
CONVERT := .venv-convert
# To boot the unit: a Debian, and what starts it.
APT_BOARD := mmdebstrap systemd-container
# Where the booted Debian is kept from one run to the next.
BOARD ?= $(CURDIR)/out/board
# Where the emulated Debians are kept from one run to the next.
ARM64 ?= $(CURDIR)/out/arm64
HOURS ?= 1
EXTRAS := device tflite vosk wake openwakeword plot mqtt wyoming home-assistant bench dev convert cluster
# Test-time extras; the converter's are gigabytes and stay out.
TEST_EXTRAS := vosk wake openwakeword plot mqtt wyoming home-assistant bench dev
UV_VERSION := 0.13.9

.PHONY: help run test test-convert bundles set-up-convert apt-convert test-board test-arm64 test-offline soak idle flood faults apt-board lint types unit bench docs lock clean apt-run apt-test set-up set-up-tests

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  variables      DEMO=1 make run · SOURCE=path.wav make run · ARGS='--context barista' make run · PYTHON=python3.12"

run: set-up ## listen on the default microphone; without one, the demo (DEMO=1, SOURCE=path.wav, ARGS=…)
	@$(BIN)/assistant run $(if $(DEMO),--demo) $(if $(SOURCE),--source "$(SOURCE)") $(ARGS)

test: set-up-tests lint types unit ## everything that has to pass before a change lands

lint: set-up-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: set-up-tests
	$(BIN)/mypy

unit: set-up-tests
	$(BIN)/python -m pytest $(ARGS)

test-convert: set-up-convert ## try the converter, in an environment of its own (gigabytes, minutes)
	$(CONVERT)/bin/python -m pytest tests/convert $(ARGS)

bundles: set-up-convert set-up-tests ## build the fused models that ship, each as its manifest says, and fit how they count (hours)
	for bundle in models/*/manifest.json; do \
		command=$$($(CONVERT)/bin/python -c 'import json, sys; print(json.load(open(sys.argv[1]))["command"])' $$bundle); \
		echo "== $$command"; $(CONVERT)/bin/$$command --report out/$$(basename $$(dirname $$bundle)).html || exit; \
	done
	$(BIN)/assistant bench fused --bundle generic,barista,home --fit --write

bench: set-up-tests ## measure what the README states (minutes; ARGS=understand, refuse, latency, memory or start)
	$(BIN)/assistant bench $(ARGS)

test-board: set-up-tests apt-board ## boot the unit in a Debian of its own: ready, killed, hung, confined (root, minutes)
	ASSISTANT_BOARD=$(BOARD) $(BIN)/python -m pytest tests/board $(ARGS)

test-arm64: set-up-tests apt-board ## the program on arm64 with both Debians' Pythons, emulated (root, minutes)
	@$(PIP) install --quiet uv==$(UV_VERSION)
	ASSISTANT_ARM64=$(ARM64) $(BIN)/python -m pytest tests/arm64 $(ARGS)

# Without what is about a network: the integrations, fetching models, and two tests with a broker.
test-offline: set-up-tests ## the device's tests with no network interface at all, not even lo (root)
	unshare --net -- $(BIN)/python -m pytest tests -k 'not broker' \
		$(addprefix --ignore=tests/,integrations board arm64 convert benchmarks models act/test_http.py) $(ARGS)

soak: set-up-tests ## an hour at twenty times a day's utterances: does anything grow? (HOURS=24)
	$(BIN)/python -m tests.soak.soak --hours $(HOURS) --out out/soak.json

idle: set-up-tests ## what the whole daemon costs while nobody speaks: processor and memory (minutes)
	$(BIN)/python -m tests.soak.idle

flood: set-up-tests ## how much 100 clients on the control socket delay the voice (minutes)
	$(BIN)/python -m tests.soak.flood

faults: set-up-tests ## do to a running daemon what a house does to it, and say how soon it is well (root, minutes)
	$(BIN)/python -m tests.soak.faults

docs: set-up ## write the generated pages again (docs/cli.md, docs/configuration.md)
	$(BIN)/python -m assistant.cli.reference docs

# --- set-up: each step leaves a stamp, so that a second run takes no time ---

set-up: apt-run $(VENV)/.package

set-up-tests: apt-test $(VENV)/.package $(VENV)/.test

# Installs what is missing among the packages $(1) when it may, otherwise says what to do.
define apt
	@command -v dpkg-query >/dev/null || { echo "Not a Debian system: please see that these are there: $(1)"; exit 0; }; \
	have=$$(dpkg-query -W -f='$${Package} $${db:Status-Status}\n' $(1) 2>/dev/null | awk '$$2 == "installed" {print $$1}' || true); \
	missing=$$(comm -23 <(tr ' ' '\n' <<<"$(strip $(1))" | sort) <(sort -u <<<"$$have") | xargs); \
	[ -n "$$missing" ] || exit 0; \
	if [ "$$(id -u)" != 0 ]; then \
		printf 'These Debian packages are missing: %s\nInstall them, then run make again:\n\n  sudo apt-get install --no-install-recommends %s\n\n' "$$missing" "$$missing"; \
		exit 1; \
	fi; \
	echo "== Installing Debian packages: $$missing"; \
	export DEBIAN_FRONTEND=noninteractive; \
	apt-get install -y -qq --no-install-recommends $$missing </dev/null 2>/dev/null >/dev/null || { \
		apt-get update -qq; apt-get install -y -qq --no-install-recommends $$missing </dev/null; }
endef

apt-board:
	$(call apt,$(APT_BOARD))

apt-run:
	$(call apt,$(APT_RUN) $(if $(PYTHON),,python3 python3-venv))

apt-test:
	$(call apt,$(APT_TEST) $(if $(PYTHON),,python3 python3-venv))

$(BIN)/python: | apt-run
	@[ -n "$(PYTHON)" ] || { echo "No Python 3.10 to 3.13 found: install one, or name it: make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get install -y -qq --no-install-recommends python3-venv </dev/null || { \
		echo "$(PYTHON) cannot make virtual environments: sudo apt-get install python3-venv"; exit 1; }; }
	@echo "== Making a virtual environment in $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.device: requirements/build.txt requirements/device.txt requirements/tflite.txt requirements/wake.txt requirements/openwakeword.txt | $(BIN)/python
	@echo "== Installing what the assistant needs (first time: about 150 MB, one to five minutes)"
	@$(LOCKED) -r requirements/build.txt -r requirements/device.txt -r requirements/tflite.txt | $(NEWS)
	@$(LOCKED) -r requirements/wake.txt -r requirements/openwakeword.txt >/dev/null 2>&1 || \
		echo "== Without wake words: their packages need glibc 2.35 (assistant wake list says more)"
	@touch $@

$(VENV)/.test: $(TEST_EXTRAS:%=requirements/%.txt) $(VENV)/.device
	@echo "== Installing what the tests need (first time: about 200 MB more)"
	@$(LOCKED) $(TEST_EXTRAS:%=-r requirements/%.txt) | $(NEWS)
	@touch $@

# What an earlier build left beside the sources would hide what is installed now.
$(VENV)/.package: setup.cfg pyproject.toml $(VENV)/.device
	@rm -rf build *.egg-info
	@PYTHONWARNINGS=ignore $(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

apt-convert:
	$(call apt,$(APT_CONVERT))

set-up-convert: apt-run apt-convert $(CONVERT)/.package

$(CONVERT)/.package: requirements/build.txt requirements/convert.txt requirements/cluster.txt setup.cfg
	@echo "== Making the converter's environment in $(CONVERT) (about 3 GB)"
	@[ -x $(CONVERT)/bin/python ] || $(PYTHON) -m venv $(CONVERT)
	@$(CONVERT)/bin/python -m pip --disable-pip-version-check install --require-hashes --no-warn-script-location \
		-r requirements/build.txt -r requirements/convert.txt -r requirements/cluster.txt | $(NEWS)
	@PYTHONWARNINGS=ignore $(CONVERT)/bin/python -m pip --disable-pip-version-check install --quiet --no-deps \
		--no-build-isolation --editable .
	@touch $@

# --- maintenance ---

# One file an extra, for all four Pythons and both architectures at once, with hashes and without any index's address.
lock: $(BIN)/python ## resolve setup.cfg anew into requirements/*.txt (UPGRADE=1 takes newer releases)
	@$(PIP) install --quiet uv==$(UV_VERSION)
	@compile() { $(BIN)/uv pip compile --quiet --universal --no-python-downloads --python-version 3.10 --generate-hashes --no-emit-index-url \
		--no-annotate --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade) "$$@"; }; \
	echo "== build"; compile requirements/build.in -o requirements/build.txt; \
	echo "== device"; compile setup.cfg -o requirements/device.txt; \
	for extra in $(filter-out device,$(EXTRAS)); do \
		echo "== $$extra"; compile setup.cfg --extra $$extra \
			$$(case $$extra in convert) ;; cluster) echo -c requirements/convert.txt ;; *) echo -c requirements/device.txt ;; esac) -o requirements/$$extra.txt; \
	done

clean: ## remove the virtual environment and all that was made
	rm -rf $(VENV) $(CONVERT) build dist out *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
