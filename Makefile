# Everything sets itself up: a clone, Python >= 3.11 and (at most) a C compiler are enough.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready
V2G := $(VENV)/bin/v2g
PIP := $(VENV)/bin/pip install --quiet --disable-pip-version-check
CERTS := certs/.ready
SITE := build/docs

.PHONY: help demo test check certs tables site interop conform kills mutants bench siege listener soak machines cover dist sbom lock clean

help:            ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' $(MAKEFILE_LIST) | expand -t 10

demo: $(CERTS)   ## a whole Plug & Charge session: charge, discharge, OCPP, report
	$(V2G) demo --pki certs

test: $(READY)   ## the tests, two at a time for each processor: half of what they do is wait
	$(VENV)/bin/python -m pytest --numprocesses $$($(PYTHON) -c 'import os; print(min(2 * (os.cpu_count() or 1), 8))') --dist worksteal

check: $(READY)  ## format, lint, types, layers, docstrings, tables of the documents
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/python -m pytest tests/test_layers.py tests/test_docstrings.py tests/test_documents.py

certs: $(CERTS)  ## the certificates of station and car, under certs/

tables: $(READY) ## print the tables of the documents from the code
	$(VENV)/bin/python -m docs.tables

site: $(SITE)/.ready ## the documentation under build/site: links checked, notebooks run, nothing loaded from elsewhere
	NO_MKDOCS_2_WARNING=1 PYTHONPATH=. $(SITE)/bin/mkdocs build --strict --clean --quiet

interop: $(READY) ## foreign car and foreign station against ours (needs a Java runtime)
	$(VENV)/bin/python -m v2gkit.peers.pyslac_setup .interop
	$(VENV)/bin/python -m v2gkit.peers.grid_setup .interop
	$(VENV)/bin/python -m v2gkit.peers.npm_setup .interop
	$(VENV)/bin/python -m v2gkit.peers.prism_setup .interop
	$(VENV)/bin/python -m v2gkit.peers.referees_setup .interop
	$(VENV)/bin/python -m v2gkit.peers.junit_setup .interop
	$(VENV)/bin/python -m v2gkit.peers.caller .interop
	$(V2G) interop --readme README.md

conform: $(CERTS) ## every case of the conformance suite, against our cars and our station (about 20 minutes); fails where any part does
	$(V2G) pki create build/certs2 --curve secp521r1 --curve secp256r1 --force
	failed=0; PATH="$(CURDIR)/$(VENV)/bin:$$PATH"; \
	for of in 20:ev 2:ev2 DIN:ev_din; do \
	  $(V2G) conform car --generation $${of%:*} --listen [::1]:0 --iface lo --pki build/certs2 --pics tests/v2gkit/conform/$${of#*:}.toml --out build/conform-car-$${of%:*} || failed=$$?; \
	  ! grep -q '"verdict": "inconclusive"' build/conform-car-$${of%:*}/results.jsonl || failed=1; done; \
	for of in 20 2 DIN; do $(VENV)/bin/python -m tests.v2gkit.conform.own_station $$of build/certs2 build/conform-station-$$of || failed=$$?; done; \
	exit $$failed

kills: $(READY)  ## kill programs that write certificates and stores 1,000 times, and count what is broken
	$(VENV)/bin/python -m fuzz.kills --kills 1000

mutants: $(READY) ## break one guarded behaviour at a time in a copy, and see that a test notices (about 7 minutes)
	$(VENV)/bin/python -m fuzz.mutants

bench: $(READY)  ## measurements, as ratios within one run
	$(VENV)/bin/python -m bench

siege: $(READY)  ## attacks on a station beside a charging car, with and without the compiled codec (about 10 minutes)
	$(VENV)/bin/python -m fuzz.siege
	$(VENV)/bin/python -m fuzz.siege --pure

listener: $(READY) ## a whole listener fuzzed for 10 minutes, from TCP to the sequence
	$(VENV)/bin/python -m fuzz.listener --seconds 600

soak: $(READY)   ## 10,000 sessions with random faults at one station: leaks, stuck contactors, dead listeners (about 20 minutes)
	$(VENV)/bin/python -m fuzz.soak --sessions 10000 --outlets 30

machines: $(READY) ## a million random steps of cars and stations in virtual time, with a new seed (about 20 minutes)
	$(VENV)/bin/python -m fuzz.machines --steps 1000000

cover: $(READY)  ## the tests with branch coverage
	$(VENV)/bin/coverage run -m pytest
	$(VENV)/bin/coverage report --skip-covered --sort=cover

dist: $(READY)   ## the source distribution and the wheel that fits every system, in dist/
	V2GKIT_PURE=1 $(VENV)/bin/python -c 'from setuptools import build_meta as b; b.build_sdist("dist"); b.build_wheel("dist")' >/dev/null

sbom: $(READY)   ## the bill of materials of requirements.lock (CycloneDX), in dist/; the same octets for the same lock
	mkdir -p dist
	$(VENV)/bin/python -W ignore -m cyclonedx_py requirements requirements.lock --pyproject pyproject.toml --short-PURLs \
	  --output-reproducible --validate --output-file dist/v2gkit.cdx.json

lock: build/uv/bin/uv ## renew requirements.lock: the newest versions that fit, with hashes, for every platform
	printf '%s\n' '# What make installs, made by: make lock' > build/requirements.lock
	$(PYTHON) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
	| build/uv/bin/uv pip compile pyproject.toml - --extra all --extra dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate --quiet >> build/requirements.lock
	mv build/requirements.lock requirements.lock
	printf '%s\n' '# What make site installs, made by: make lock' > build/docs.lock
	build/uv/bin/uv pip compile pyproject.toml --extra all --group docs --constraint requirements.lock --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet >> build/docs.lock
	mv build/docs.lock docs/requirements.lock

clean:           ## what the targets above made
	rm -rf $(VENV) .interop .newest build dist demo-output *.egg-info
	find certs -mindepth 1 ! -name README.md -delete

$(READY): pyproject.toml requirements.lock setup.py v2g/exi/_walk.pyx
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "v2gkit needs Python 3.11 or newer: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) --require-hashes --requirement requirements.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	touch $@

$(SITE)/.ready: docs/requirements.lock
	$(PYTHON) -m venv $(SITE)
	$(SITE)/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement docs/requirements.lock
	touch $@

build/uv/bin/uv:
	$(PYTHON) -m venv build/uv
	build/uv/bin/pip install --quiet --disable-pip-version-check uv

$(CERTS): | $(READY) # once: a renewed environment is no reason to issue others
	$(V2G) pki create certs
	touch $@
