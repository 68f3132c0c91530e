# ContentCaster: `make run` serves the product, `make test` proves it. `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9

.DEFAULT_GOAL := help

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

$(BIN)/uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(VENV)/.runtime: requirements.lock | $(BIN)/uv
	$(BIN)/uv pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --offline -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock | $(BIN)/uv
	$(BIN)/uv pip install --quiet --require-hashes -r requirements-dev.lock
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --offline -e .
	@touch $@ $(VENV)/.runtime

lock: $(BIN)/uv ## rewrite the lock files from pyproject.toml and install them
	$(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --universal \
	  --python-version 3.11 pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --universal \
	  --python-version 3.11 --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	$(BIN)/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --universal \
	  --python-version 3.11 --extra otel --extra sentry -c requirements-dev.lock pyproject.toml -o requirements-observe.lock
	$(MAKE) $(VENV)/.dev

.PHONY: help lock

run: $(VENV)/.runtime ## serve the product (simulation) at http://127.0.0.1:8000
	@exec $(BIN)/contentcaster up

# Two at a time, a file always by one of them: most tests wait for a server or a browser most of the time.
test: $(VENV)/.dev chromium ## set up what the tests need and run them all: JOBS=2
	$(MAKE) --no-print-directory -j2 lint console
	$(BIN)/pytest -n $(or $(JOBS),2) --dist loadfile

console: $(VENV)/.dev ## compile the console, if its sources have changed
	$(BIN)/python -m contentcaster.web.build

# Their servers are npm packages and Debian packages, kept in a cache; needs node 18.7 to 22 and npm. The smallest, a
# Nostr relay, runs with make test too. MASTODON_TEST_URL and MASTODON_TEST_TOKEN name a server with the Mastodon API.
test-networks: $(VENV)/.dev ## prove the connectors on real network servers (large downloads)
	TEST_NETWORKS=1 $(BIN)/pytest tests/networks

lint: $(VENV)/.dev ## style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Browser tests use CHROMIUM, or one on the PATH. As root on Debian it is installed; else one line says what to do.
chromium:
	@if [ -n "$$CHROMIUM" ] || command -v chromium >/dev/null || command -v google-chrome >/dev/null; then exit 0; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing Chromium for the browser tests"; \
	  (apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium) >/dev/null; \
	else echo "The browser tests need Chromium: install it (Debian: apt-get install chromium) or set CHROMIUM." >&2; exit 1; fi

bench: $(VENV)/.dev ## measure punctuality and draining (tables)
	$(BIN)/python -m bench.punctuality
	$(BIN)/python -m bench.drain --posts 1000
	$(BIN)/python -m bench.live
	$(BIN)/python -m bench.memory

bench-scale: $(VENV)/.dev ## measure what more workers, shards and web processes bring (docs/scaling.md)
	$(BIN)/python -m bench.scale $(ARGS)

screenshots: $(VENV)/.dev chromium ## take the pictures in docs/images from the running product
	$(BIN)/python -m docs.screenshots

chaos: $(VENV)/.dev ## posts while everything fails: N=300 SEED=1 STACK=postgres (both without)
	$(BIN)/python -m bench.chaos --posts $(or $(N),300) --seed $(or $(SEED),1) $(if $(STACK),--stack $(STACK))
	$(BIN)/pytest -m slow

campaign: $(VENV)/.dev chromium ## a campaign of ten posts over five networks in a browser; PICTURES=folder keeps pictures
	$(BIN)/pytest -m slow tests/web/test_campaign.py

# Needs root on Debian: a minimal system is made for it, and the validators are Debian packages.
check-deploy: $(VENV)/.dev ## the image's steps in a clean root, compose files and units by their own validators
	@for tool in debootstrap docker-compose systemd-analyze:systemd; do \
	  command -v $${tool%%:*} >/dev/null || (apt-get update -qq && apt-get install -y -qq --no-install-recommends $${tool##*:}) >/dev/null; done
	$(BIN)/pytest -m deploy tests/deploy

fuzz: $(VENV)/.dev ## every REST call with made-up values, per role: N=50
	FUZZ_EXAMPLES=$(or $(N),50) $(BIN)/pytest --timeout 3600 tests/api/test_conformance.py

supply-chain: $(VENV)/.dev ## secrets in the tree, and known vulnerabilities of what is locked
	.ci/supply-chain

audit: supply-chain ## the same

clean: ## remove what make built, keep data
	rm -rf $(VENV) .ui .web build *.egg-info

.PHONY: run test console test-networks lint chromium bench bench-scale campaign screenshots check-deploy fuzz supply-chain audit clean
