# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# The entry point for developers. make creates the environment .venv, in which the sessions of noxfile.py run.

.DEFAULT_GOAL := help
.PHONY: help demo emulator test lint unit coverage integration model faults gates molecule pythons matrix compare devel bench live image docs advisories \
	release clean both
export LC_ALL := C.UTF-8
# With this variable, each process of pytest would compile every test again.
unexport PYTHONDONTWRITEBYTECODE
export PATH := $(CURDIR)/.venv/bin:$(PATH)

# The first Python 3.11 or newer with ensurepip, unless PYTHON is set. The system's comes first, because distributions build it with
# optimizations: the tests take half as long again with the one that pyenv builds by default.
PYTHON ?= $(shell for python in /usr/bin/python3 python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/demo ## Provision a small fleet on a local platform
	@python demo/demo.py

emulator: .venv/demo ## Serve a local IoT Platform until Ctrl-C (state in .emulator; SEED=seed.yml)
	PYTHONPATH=roles/emulator/files$${PYTHONPATH:+:$$PYTHONPATH} python -m platform_emulator serve \
		--state-dir .emulator --ready-file .emulator/endpoints.json $(if $(SEED),--seed "$$SEED")

# Run them in parallel, because each of them waits often. The tests print their progress; the output of the others is printed at their end.
test: .venv/test ## Run lint, docs, pythons, compare, unit and integration
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=target both lint pythons compare docs

# The plus sign prints the output at once. It would also run the command with make -n, so the command is printed in that case.
both: .venv/test
	+@$(if $(findstring n,$(firstword -$(MAKEFLAGS))),echo) nox -s test

lint: ## Check style, types, documentation, licences, sanity and the rules of Galaxy
unit: ## Run the unit tests
coverage: ## Run the unit tests and measure the coverage of the plugins
integration: ## Run the integration tests: playbooks, shells, the emulator
model: ## Explore the model of a change: every platform, every interleaving of two runs
faults: ## Run 300 trials of random faults in concurrent runs (15 minutes)
gates: ## Run the property tests of untrusted input, 20,000 examples each
molecule: ## Run the Molecule scenarios on containers and on loopback gateways (HOSTS= selects one; root)
pythons: ## Run the tests of the gateways' code on every installed Python that unit does not use
matrix: ## Try every ansible-core with every Python of gateways; write the table in README.md
compare: ## Try the same, and compare the result with the table in README.md
devel: ## Try the development version of ansible-core (network)
release: ## Build the artifact of the version in TAG
live: ## Test the unconfirmed points on the real platform (an account, and a product for this test)
image: ## Build an execution environment with the collection, aliyun-iot-ee (podman; network)
docs: ## Build the website of the documentation, in docs/build
advisories: ## Compare every pinned package with the published vulnerabilities (network)
bench: ## Measure runs over a fleet; SCALE=10000: a large inventory (root)

# Each of these is the session of nox of the same name.
lint unit coverage integration model faults gates molecule pythons matrix compare devel release live image docs advisories bench: .venv/test
	@nox -s $@

clean: ## Remove everything that make has created
	rm -rf .venv .nox .coverage .ansible .demo .emulator .hypothesis .mypy_cache .pytest_cache .ruff_cache docs/build *.tar.gz
	find . -name __pycache__ -prune -exec rm -rf {} +

# Stamp files of the environments, so that a second make does not install again. A link and a .pth file make the collection importable
# as ansible_collections.fleetops.aliyun_iot, for ansible, pytest and mypy.
.venv/bin/python:
	@test -n '$(PYTHON)' || { echo 'Python 3.11 or newer with venv was not found. Install it, or set PYTHON: make PYTHON=...' >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/uv: requirements/uv.txt | .venv/bin/python
	@pip install -qq --disable-pip-version-check --require-hashes --requirement $<
	@touch $@

.venv/demo .venv/test: .venv/%: requirements/%.txt .venv/uv
	@echo 'Installing $< into .venv'
	@requirements/install.sh .venv $<
	@mkdir -p .venv/collections/ansible_collections/fleetops
	@ln -sfn ../../../.. .venv/collections/ansible_collections/fleetops/aliyun_iot
	@cd .venv/lib/python3*/site-packages && echo ../../../collections > collections.pth
	@touch $@
