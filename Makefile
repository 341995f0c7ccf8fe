# Evenkeel: `make demo` shows the whole loop, `make test` proves it.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
PYTHON ?= python3
RUN := PYTHONPATH=operator:. $(VENV)/bin/python

.PHONY: help
help: ## Lists the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

$(VENV)/.installed: requirements/dev.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	touch $@

.PHONY: demo
demo: $(VENV)/.installed ## The loop on a real cluster: serve, drift, retrain, canary, probation, roll back
	$(RUN) -m demo

.PHONY: cluster
cluster: $(VENV)/.installed ## A real cluster: KUBECONFIG's, kind's, or the built-in one
	$(RUN) -m dev.cluster up

.PHONY: test
test: lint unit apiserver integrations-short conditions-short e2e ## All checks and tests

.PHONY: lint
lint: $(VENV)/.installed ## Style, types, layers, generated files
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	MYPYPATH=operator:. $(VENV)/bin/mypy operator/evenkeel
	MYPYPATH=operator:. $(VENV)/bin/mypy --python-version 3.10 operator/evenkeel/trainer
	MYPYPATH=operator:. $(VENV)/bin/mypy -p dev -p demo -p bench -p e2e
	PYTHONPATH=operator $(VENV)/bin/lint-imports
	if command -v gofmt >/dev/null; then test -z "$$(gofmt -l meter | tee /dev/stderr)"; fi

# Needs neither network nor built binaries, which this proves, as root:
#   unshare --net bash -c 'ip link set lo up && make unit'
.PHONY: unit
unit: $(VENV)/.installed ## Tests of pure decisions and single parts, offline, in a minute or two
	$(RUN) -m pytest tests --ignore=tests/apiserver --ignore=tests/chart --ignore=tests/integrations --ignore=tests/meter

# These tests wait more than they work; each process has an API server of its own.
.PHONY: apiserver
apiserver: $(VENV)/.installed ## Tests against a real kube-apiserver and etcd, and those of the meter
	$(RUN) -m pytest --numprocesses=4 --dist=loadfile tests/apiserver tests/chart tests/meter

.PHONY: test-integrations
test-integrations: $(VENV)/.installed ## The tools that teams bring, for real, beside a real API server and on a real node
	$(RUN) -m pytest -p tests.support.integrations tests/integrations e2e/integrations

.PHONY: integrations-short
integrations-short: $(VENV)/.installed ## A test of each that needs no cluster of its own
	$(RUN) -m pytest -p tests.support.integrations -m short tests/integrations

.PHONY: strategies
strategies: $(VENV)/.installed ## Each strategy, step and runtime on a real node, the heavy ones included
	$(RUN) -m pytest -p tests.support.strategies e2e/strategies e2e/test_canary.py e2e/test_performance.py

.PHONY: conditions
conditions: $(VENV)/.installed ## Rollouts under the conditions of real clusters, each against its bound
	$(RUN) -m bench.conditions

.PHONY: conditions-short
conditions-short: $(VENV)/.installed ## The gravest of them, a few rollouts each
	$(RUN) -m bench.conditions --short

.PHONY: e2e
e2e: $(VENV)/.installed ## The loop on a real node with real Prometheus, gateway and model servers
	$(RUN) -m pytest e2e --ignore=e2e/integrations -m "not heavy"

.PHONY: bench
bench: $(VENV)/.installed ## Figures against the design's table
	$(RUN) -m bench

.PHONY: bench-monitoring
bench-monitoring: $(VENV)/.installed ## Drift detectors and meter, each figure against its bound
	$(RUN) -m bench.monitoring --meter

.PHONY: manifests
manifests: $(VENV)/.installed ## Generates crds/, references, the chart's copies and deploy/ from the models
	$(RUN) -m evenkeel.api.crd crds
	$(RUN) -m evenkeel.process.settings_table docs/operations.md
	$(RUN) -m evenkeel.api.reference .
	$(RUN) -m evenkeel.trainer.profile --schema > docs/reference/profile.schema.json
	$(RUN) charts/sync.py --helm "$$($(RUN) -c 'from dev.cluster import binaries; print(binaries.client("helm", lambda _: None))')"
	$(RUN) deploy/argocd/render.py

.PHONY: release
release: $(VENV)/.installed ## A dry run: all files of a release into dist/; publishes nothing
	$(RUN) -m dev.release

.PHONY: lock
lock: $(VENV)/.installed ## Compiles the requirements files with hashes
	cd requirements && for f in $$(ls *.in | grep -vx tfx.in); do \
	  ../$(VENV)/bin/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-header \
	    --no-emit-index-url --no-emit-trusted-host --no-emit-find-links $$f -o $${f%.in}.txt; done
	"$$($(RUN) -m dev.environment uv)/uv" pip compile --quiet --python-version 3.10 --generate-hashes \
	  --no-header --no-emit-index-url requirements/tfx.in -o requirements/tfx.txt

.PHONY: stop
stop: $(VENV)/.installed ## Stops the cluster; a later start takes seconds
	$(RUN) -m dev.cluster down

.PHONY: clean
clean: ## Stops the cluster and removes everything that was made here, caches included
	if [ -d $(VENV) ]; then $(RUN) -m dev.cluster down --purge --purge-cache; fi
	rm -rf "$${XDG_CACHE_HOME:-$$HOME/.cache}/evenkeel"
	rm -rf $(VENV) .cluster build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
