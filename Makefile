# Every target sets up what it needs: Python 3.11 or newer and make are enough to begin with.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Two workers: the fast tests wait more than they compute. What measures time, or starts an engine, runs alone.
FAST := -n 2 -m "not e2e and not slow and not docker and not stacks"
PEERS := $(VENV)/peers

.PHONY: help env demo test engine peers beside unit stacks boot recipes fresh fresh-bookworm fresh-sid lint types imports sim e2e bench docs golden lock clean

help:            ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(READY): pyproject.toml requirements/dev.txt requirements/uv.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip sync --quiet --require-hashes requirements/dev.txt requirements/uv.txt
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $(READY)

env: $(READY)    ## make the virtual environment in .venv

demo: $(READY)   ## change a small web app in every way, under load, and print what was lost
	@$(BIN)/midair demo

test: $(READY) engine ## everything that can fail: unit, contract, simulation, end to end
ifdef ARGS
	$(BIN)/python -m pytest $(ARGS)
else
	@status=0; \
	$(BIN)/python -m pytest $(FAST) || status=1; \
	$(BIN)/python -m pytest -m "e2e or slow or docker" || status=1; \
	exit $$status
endif

engine:          ## a Docker engine and a registry for the tests, from Debian, where root may install them
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	  ! { command -v dockerd && command -v docker-registry; } >/dev/null; then \
	  apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
	    docker.io docker-registry iptables >/dev/null || echo "no Docker engine could be installed" >&2; fi

peers: $(PEERS)/.ready ## what the benchmarks run beside midair: from Debian, where root may install it, and pinned packages

$(PEERS)/.ready: $(READY) requirements/bench.txt requirements/node/package-lock.json | beside
	@test -x $(PEERS)/bin/python || $(BIN)/python -m venv --without-pip $(PEERS)
	@VIRTUAL_ENV=$(PEERS) $(BIN)/uv pip sync --quiet --require-hashes requirements/bench.txt
	@cp requirements/node/package.json requirements/node/package-lock.json $(PEERS)
	@if command -v npm >/dev/null; then npm ci --silent --no-fund --no-audit --prefix $(PEERS) && touch $@; fi

beside:
	@missing=; for program in haproxy nginx caddy wrk npm; do \
	  command -v $$program >/dev/null || missing="$$missing $$program"; done; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
	    $$missing >/dev/null && missing=; fi; \
	if [ -n "$$missing" ]; then echo "not there, and so left out:$$missing" >&2; fi

unit: $(READY)   ## the fast tests alone
	$(BIN)/python -m pytest $(FAST) $(ARGS)

stacks: $(READY) engine ## Compose stacks with real servers, changed under load: one by chance, or ARGS=--all
	@command -v mmdebstrap >/dev/null || { apt-get update -q >/dev/null && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends mmdebstrap >/dev/null; }
	$(BIN)/python -m pytest -m stacks tests/stacks $(ARGS)

fresh:           ## as an ordinary user in fresh Debians: the README as written, the fast tests on their Pythons
	@command -v mmdebstrap >/dev/null || { apt-get update -q >/dev/null && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends mmdebstrap >/dev/null; }
	@$(MAKE) --no-print-directory fresh-bookworm fresh-sid

# What failed runs once more, alone: see .ci/run.
AGAIN := .venv/bin/python -m pytest --assert=plain --last-failed --last-failed-no-failures none

# Debian 12 has Python 3.11.2, whose compiler sometimes fails on what pytest makes of an assertion: hence plain ones.
fresh-bookworm:
	tools/fresh.sh bookworm python3,python3-venv,curl "python3 tools/run_readme.py README.md && \
	  PATH=~/midair/bin:\$$PATH python3 tools/run_readme.py examples/notes/README.md && \
  PATH=~/midair/bin:\$$PATH python3 tools/run_readme.py --recipes docs/recipes.md --seed $(SEED) && \
	  { make unit ARGS=--assert=plain || $(AGAIN); }"

fresh-sid:
	tools/fresh.sh sid python3,python3-venv "make unit || $(AGAIN)"

newest: $(READY) engine ## calls by name and the runtime's contract on the newest Docker engine that Debian has
	@command -v mmdebstrap >/dev/null || { apt-get update -q >/dev/null && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends mmdebstrap >/dev/null; }
	tools/newest_engine.sh $(BIN)/python -m pytest \
	  tests/docker/test_docker_fronts.py tests/docker/test_docker_contract.py tests/docker/test_docker_volumes.py $(ARGS)

# Which recipe is tried with every change; `make fresh SEED=…` tries the same one again.
SEED ?= $(shell date +%s)

recipes:         ## every recipe as written, as an ordinary user in a fresh Debian (six minutes; one of them is part of CI)
	tools/fresh.sh bookworm python3,python3-venv,curl,npm,nginx-light,openssl "python3 -m venv ~/midair && \
	  ~/midair/bin/pip install --quiet . && \
	  PATH=~/midair/bin:\$$PATH python3 tools/run_readme.py --recipes docs/recipes.md"

boot:            ## systemd in an emulated machine: install, restart under load, reboot (four minutes; not part of CI)
	@for program in mmdebstrap qemu-system-x86_64 mke2fs; do command -v $$program >/dev/null || missing=1; done; \
	test -z "$$missing" || { apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
	  --no-install-recommends mmdebstrap qemu-system-x86 e2fsprogs >/dev/null; }
	tools/boot/run.sh

lint: $(READY)   ## style, types and import contracts
	$(BIN)/ruff check src tests tools bench
	$(BIN)/ruff format --check src tests tools bench
	@$(MAKE) --no-print-directory types imports

types: $(READY)  ## mypy, strict
	$(BIN)/mypy

imports: $(READY) ## who may import whom
	$(BIN)/lint-imports --no-cache

sim: $(READY)    ## 100,000 simulated rollouts with faults
	$(BIN)/python -m midair.testing.sim --rollouts 100000 $(ARGS)

e2e: $(READY)    ## real processes under real load
	$(BIN)/python -m pytest -m e2e $(ARGS)

bench: peers engine ## ratios beside other programs, measured side by side
	$(BIN)/python -m bench $(ARGS)

docs: $(READY)   ## write the generated pages again
	$(BIN)/python tools/gen_docs.py $(ARGS)
	$(BIN)/python tools/draw_phases.py

golden: $(READY) ## rewrite the golden files; read the diff before committing it
	MIDAIR_GOLDEN=rewrite $(BIN)/python -m pytest -m "not e2e" -k golden $(ARGS)

lock: $(READY)   ## resolve the pinned, hashed requirements again
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url \
	  --all-extras --group dev pyproject.toml -o requirements/dev.txt
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url \
	  --group bench -o requirements/bench.txt
	printf 'uv\n' | $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url \
	  - -o requirements/uv.txt
	npm install --silent --package-lock-only --omit-lockfile-registry-resolved=true --prefix requirements/node

clean:           ## remove the environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
