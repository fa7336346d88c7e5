# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# The front door. Everything runs in .venv, which make keeps; nox sessions do the work.

.DEFAULT_GOAL := help
.PHONY: help demo emulator test lint unit coverage integration model faults gates molecule pythons matrix compare devel bench live image docs advisories \
	release clean both
export LC_ALL := C.UTF-8
# Four processes of pytest would each compile every test anew.
unexport PYTHONDONTWRITEBYTECODE
export PATH := $(CURDIR)/.venv/bin:$(PATH)

# The first interpreter that will do, unless PYTHON names one.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/demo ## Provision a small fleet against a local platform, from nothing
	@python demo/demo.py

emulator: .venv/demo ## Serve a local IoT Platform until Ctrl-C (state in .emulator; SEED=seed.yml)
	PYTHONPATH=roles/emulator/files python -m platform_emulator serve \
		--state-dir .emulator --ready-file .emulator/endpoints.json $(if $(SEED),--seed $(SEED))

# All at once, since each waits a good deal: the tests show how far they are, the others what they said when they have ended.
test: .venv/test ## All that CI runs: lint, the documentation, the Pythons, the matrix, unit, integration
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=target both lint pythons compare docs

# The plus shows at once what it prints, and would run it with make -n too.
both: .venv/test
	+@$(if $(findstring n,$(firstword -$(MAKEFLAGS))),echo) nox -s test

lint: .venv/test ## Style, types, documentation, licences, sanity, what Galaxy checks
	@nox -s lint

unit: .venv/test ## Tests of the parts
	@nox -s unit

coverage: .venv/test ## The same, and how much of the plugins they reach
	@nox -s coverage

integration: .venv/test ## Tests of the whole: playbooks, shells, the emulator
	@nox -s integration

model: .venv/test ## The model of a change, whole: every platform, every interleaving of two runs
	@nox -s model

faults: .venv/test ## Random faults over random runs at once: 300 trials, a quarter of an hour
	@nox -s faults

gates: .venv/test ## The property tests of everything that a stranger says, 20,000 inputs each
	@nox -s gates

molecule: .venv/test ## Molecule's scenarios on containers and on loopback gateways (HOSTS= names one; root)
	@nox -s molecule

pythons: .venv/test ## Tests of what runs on gateways, on every Python that is here
	@nox -s pythons

matrix: .venv/test ## Every ansible-core with every Python of gateways; writes the table in README.md
	@nox -s matrix

compare: .venv/test ## What the table in README.md says, compared with what is so
	@nox -s compare

devel: .venv/test ## What is to become the next ansible-core (network)
	@nox -s devel

release: .venv/test ## The artifact of the version that TAG names
	@nox -s release

live: .venv/test ## Ask the real platform what its documents leave open, on a throwaway product (an account)
	@nox -s live

image: .venv/test ## An execution environment with the collection, aliyun-iot-ee (podman; network)
	@nox -s image

docs: .venv/test ## A site of the documentation, in docs/build
	@nox -s docs

advisories: .venv/test ## Compare every pinned package with the published vulnerabilities (network)
	@nox -s advisories

bench: .venv/test ## What a fleet costs, beside a ping and built-in modules; SCALE=10000: a large inventory (root)
	@nox -s bench

clean: ## Remove all that make made
	rm -rf .venv .nox .ansible .demo .emulator .hypothesis .mypy_cache .pytest_cache .ruff_cache docs/build *.tar.gz
	find . -name __pycache__ -prune -exec rm -rf {} +

# The environments: stamp files, so that a second make is instant. A link and a .pth file make the
# collection importable as ansible_collections.fleetops.aliyun_iot, for ansible, pytest and mypy alike.
.venv/bin/python:
	@test -n '$(PYTHON)' || { echo 'Needed: Python 3.11 or newer with venv (or say make PYTHON=...)' >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/demo .venv/test: .venv/%: requirements/%.txt | .venv/bin/python
	@echo 'Installing $< into .venv'
	@pip install -qq --disable-pip-version-check --require-hashes --requirement $<
	@mkdir -p .venv/collections/ansible_collections/fleetops
	@ln -sfn ../../../.. .venv/collections/ansible_collections/fleetops/aliyun_iot
	@cd .venv/lib/python3*/site-packages && echo ../../../collections > collections.pth
	@touch $@
