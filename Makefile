# SPDX-License-Identifier: GPL-2.0-or-later
# `make demo` and `make test` are all that a fresh Debian machine needs, as root, from a clone.

# The system's interpreter first: the service user must be able to run it, and one below /root is closed to it.
PYTHON ?= $(shell command -v /usr/bin/python3 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP = $(BIN)/pip install --quiet --disable-pip-version-check
# LOCKED=1 installs the very packages that requirements/*.lock pin, by their hashes.
LOCKED ?=
ROUNDS ?= 1
# Captures of real devices, for docs/evaluation.md.
TRACES ?= $(or $(SMARTROUTER_SHARED),../shared)/traces
ARGS ?=
# All tests: those on real networks in one worker, all else beside them in another.
WORKERS = --numprocesses $(1) --dist loadgroup

# What the guard, the lab and the tests run, and what the queue's library is built with.
PACKAGES := nftables iproute2 dnsmasq-base gcc libc6-dev libnetfilter-queue-dev libnfnetlink-dev \
	python3-dev python3-venv
# What the tests boot another kernel with, a program of somebody else that queues packets, an MQTT broker,
# what shows processes another time, what runs LuCI's views, what reads shell scripts, and a browser with its
# driver and letters.
TEST_PACKAGES := busybox-static chromium chromium-driver faketime fonts-dejavu-core iptables mosquitto nodejs \
	qemu-system-x86 shellcheck
LINT := tests/openwrt/node_modules
LUCI_OPTIONS := openwrt-package/luci-app-smartrouter/htdocs/luci-static/resources/smartrouter/options.js
LUCI_POT := openwrt-package/luci-app-smartrouter/po/templates/smartrouter.pot
# Where `install-system` puts the program, below DESTDIR; the rest has its usual places.
PREFIX ?= /opt/smartrouter
DESTDIR ?=
EXTRAS ?= mqtt
OURS = $(DESTDIR)$(PREFIX)
SYSTEM_FILES := etc/systemd/system/smartrouter.service usr/lib/sysusers.d/smartrouter.conf usr/local/bin/smartrouter
STATE := etc/config/smartrouter etc/smartrouter var/lib/smartrouter run/smartrouter

.PHONY: help install install-system uninstall-system develop packages test-packages demo test test-long check fix bench makers training docs reliability soak fuzz mutants dist lock sbom audit clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r verb text; do printf '  make %-16s %s\n' "$$verb" "$$text"; done

install: packages $(VENV)/installed ## Install what is missing: Debian packages (as root), the environment in .venv

develop: install $(VENV)/developed

packages: WANTED = $(PACKAGES)
test-packages: WANTED = $(TEST_PACKAGES)
packages test-packages:
	@missing=; for package in $(WANTED); do \
		dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; \
	done; \
	[ -z "$$missing" ] && exit 0; \
	command -v apt-get >/dev/null || { echo "No apt-get here. Install what these Debian packages hold:$$missing" >&2; exit 0; }; \
	[ "$$(id -u)" = 0 ] || { echo "Not root. Ask root for: apt-get install$$missing" >&2; exit 0; }; \
	echo "Installing:$$missing"; \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing

$(VENV)/installed: pyproject.toml setup.py smartrouter/__init__.py
	$(PYTHON) -m venv $(VENV)
	$(if $(LOCKED),$(PIP) --require-hashes --requirement requirements/release.lock)
	$(PIP) $(if $(LOCKED),--no-deps) --editable .
	@touch $@

$(VENV)/developed: $(VENV)/installed
	$(if $(LOCKED),$(PIP) --require-hashes --requirement requirements/develop.lock,$(PIP) --editable '.[dev]')
	@touch $@

install-system: packages ## Install it as a service of this system (as root); PREFIX, DESTDIR, EXTRAS
	@[ -n "$(PREFIX)" ] && [ -z "$$(ls -A $(OURS) 2>/dev/null)" ] || [ -e $(OURS)/smartrouter.cfg ] || \
		{ echo "PREFIX must be a directory of its own: $(OURS) holds other things" >&2; exit 1; }
	@install -d $(OURS) && touch $(OURS)/smartrouter.cfg
	$(PYTHON) -m venv $(OURS)
	$(OURS)/bin/pip install --quiet --disable-pip-version-check '.$(if $(EXTRAS),[$(EXTRAS)])'
	@sed -i '1s|^#!$(DESTDIR)|#!|' $(OURS)/bin/smartrouter
	@install -d $(addprefix $(DESTDIR)/,$(sort $(dir $(SYSTEM_FILES)))) $(DESTDIR)/etc/config
	@sed 's|@PREFIX@|$(PREFIX)|' systemd/smartrouter.service >$(DESTDIR)/etc/systemd/system/smartrouter.service
	@install -m 0644 systemd/smartrouter.sysusers $(DESTDIR)/usr/lib/sysusers.d/smartrouter.conf
	@ln -sfn $(PREFIX)/bin/smartrouter $(DESTDIR)/usr/local/bin/smartrouter
	@[ -e $(DESTDIR)/etc/config/smartrouter ] || install -m 0600 systemd/smartrouter.config $(DESTDIR)/etc/config/smartrouter
	@[ -n "$(DESTDIR)" ] || id -u smartrouter >/dev/null 2>&1 || \
		useradd --system --user-group --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin smartrouter
	@[ -n "$(DESTDIR)" ] || [ ! -d /run/systemd/system ] || systemctl daemon-reload
	@echo "Installed. Name your LAN in /etc/config/smartrouter, then: systemctl enable --now smartrouter"

uninstall-system: ## Stop it and remove it, with its configuration and all it knows; KEEP=1 keeps both
	@[ -n "$(DESTDIR)" ] || [ ! -d /run/systemd/system ] || systemctl disable --now smartrouter 2>/dev/null || true
	@[ ! -e $(OURS) ] || [ -e $(OURS)/smartrouter.cfg ] || \
		{ echo "$(OURS) is not what install-system made: it stays" >&2; exit 1; }
	rm -rf $(OURS) $(addprefix $(DESTDIR)/,$(SYSTEM_FILES) $(if $(KEEP),,$(STATE)))
	@rmdir $(DESTDIR)/etc/config 2>/dev/null || true  # where nothing of anybody else's is in it
	@[ -n "$(DESTDIR)" ] || [ ! -d /run/systemd/system ] || systemctl daemon-reload
	@[ -n "$(DESTDIR)$(KEEP)" ] || ! id -u smartrouter >/dev/null 2>&1 || userdel smartrouter

demo: install ## Show it: the real guard between simulated devices and a simulated Internet (about a minute, as root)
	$(BIN)/smartrouter demo $(ARGS)

# What lints LuCI's views; where there is no npm, that test is skipped.
$(LINT)/installed: tests/openwrt/package.json
	@command -v npm >/dev/null || { echo "No npm here: LuCI's views are not linted." >&2; exit 0; }; \
	npm install --silent --no-audit --no-fund --no-package-lock --ignore-scripts --prefix $(dir $<) && touch $@ || \
		echo "npm could not install what LuCI's views are linted with." >&2

test: develop test-packages $(LINT)/installed ## Run all tests (network tests need root); AGAIN=1: what failed once more, by itself
	export ROUNDS=$(ROUNDS); $(BIN)/python -m pytest $(or $(ARGS),$(call WORKERS,2)) || { [ $$? = 1 ] && [ -n "$(AGAIN)" ] && \
		$(BIN)/python -m pytest $(call WORKERS,1) --last-failed --last-failed-no-failures none; }

test-long: ## The same with every loop twenty times as long
	$(MAKE) test ROUNDS=20

check: develop ## Style, types, import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: develop ## Mend what can be mended by a program
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: ## Measure, as ratios in one run (as root); ARGS="--quick" for 90 seconds, "--json" for figures alone
	@$(MAKE) --no-print-directory develop >&2
	@$(BIN)/python -m bench $(ARGS)

makers: $(VENV)/installed ## Build the table of MAC prefixes and their makers anew, from the version that pyproject.toml names
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[makers]'
	$(BIN)/python -m smartrouter.makers.build $(ARGS)

training: install ## Fit the weights of classification anew, from the data in training/
	$(BIN)/python -m training.fit

docs: install ## Write anew what is made from the code: pages of docs/, LuCI's options and template
	$(BIN)/python -m smartrouter.config.luci > $(LUCI_OPTIONS).new && mv $(LUCI_OPTIONS).new $(LUCI_OPTIONS)
	$(BIN)/python tests/openwrt/template.py > $(LUCI_POT).new && mv $(LUCI_POT).new $(LUCI_POT)
	$(BIN)/python -m smartrouter.config.docs > docs/uci.md.new && mv docs/uci.md.new docs/uci.md
	$(BIN)/smartrouter --reference > docs/commands.md.new && mv docs/commands.md.new docs/commands.md
	$(BIN)/python -m smartrouter.web.api.docs > docs/api.md.new && mv docs/api.md.new docs/api.md
	$(BIN)/python -m smartrouter.cli.alert_reference > docs/alerts.md.new && mv docs/alerts.md.new docs/alerts.md
	@set -- $(TRACES)/*/*.pcap.gz; [ -f "$$1" ] || { echo "No captures at $(TRACES): docs/evaluation.md stays."; exit 0; }; \
	$(BIN)/python -m smartrouter.evaluate.report --labels docs/evaluation/devices.json --into docs "$$@"

reliability: develop test-packages ## Try the faults of docs/reliability.md, and write it anew (as root)
	@mkdir -p build
	$(BIN)/python -m pytest tests/netns/test_faults.py --junitxml build/faults.xml -o junit_family=xunit1
	PYTHONPATH=tests $(BIN)/python -m netns.faults_page build/faults.xml > docs/reliability.md.new && mv docs/reliability.md.new docs/reliability.md

fuzz: develop ## Hostile input for every parser and the judge; TIME=60 seconds in all, TARGET=dns for one of them
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[fuzz]' || echo "Without atheris: an engine of our own."
	PYTHONPATH=.:tests $(BIN)/python -m fuzz --time $(or $(TIME),60) $(ARGS) $(TARGET)

mutants: develop ## Break each invariant on purpose, and see the test fail that guards it (as root); ARGS="--cheap" without networks
	PYTHONPATH=tests $(BIN)/python -m mutation.killing $(ARGS)

dist: develop ## Build sdist and wheel into dist/, the same bytes for the same commit
	$(BIN)/python -m supply.dist dist

lock: $(VENV)/supplied ## Write the lock files of requirements/ anew; UPGRADE=1 takes newer versions
	@for which in release: develop:"--extra dev --extra mqtt --extra apprise"; do \
		$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
			$(if $(UPGRADE),--upgrade) $${which#*:} --output-file requirements/$${which%%:*}.lock pyproject.toml; \
	done

sbom: $(VENV)/supplied ## Write dist/smartrouter.cdx.json: what smartrouter is made of (CycloneDX), by the lock file
	@mkdir -p dist
	$(BIN)/cyclonedx-py requirements requirements/release.lock --pyproject pyproject.toml --mc-type application \
		--output-reproducible --output-format JSON --output-file dist/smartrouter.cdx.json

audit: $(VENV)/supplied ## Ask PyPI for known vulnerabilities of all that the lock files pin; one it cannot ask about is an error
	@for which in release develop; do \
		$(BIN)/pip-audit --strict --require-hashes --disable-pip --requirement requirements/$$which.lock || exit 1; \
	done

$(VENV)/supplied: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[supply]'
	@touch $@

screenshots: develop test-packages ## Take the pictures in docs/screenshots anew
	cd tests && PYTHONPATH=.:unit ../$(BIN)/python -m web.pictures

soak: develop ## Minutes of traffic with faults at random, and what must hold at the end (as root); MINUTES=5, ARGS="--seed 2"
	PYTHONPATH=tests $(BIN)/python -m netns.soak --minutes $(or $(MINUTES),5) $(ARGS)

clean: ## Remove what these verbs made
	rm -rf $(VENV) $(LINT) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
