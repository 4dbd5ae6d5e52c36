#!/bin/sh
# Writes requirements/*.txt afresh: every package with its hashes, and no index's address.
set -eu
cd "$(dirname "$0")/.."
compile() {
    .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-annotate --no-header "$@"
}
compile requirements/bootstrap.in --output-file requirements/bootstrap.txt
compile requirements/agents.in --output-file requirements/agents.txt
compile pyproject.toml --constraints requirements/constraints.in --output-file requirements/run.txt
compile pyproject.toml --extra dev --constraints requirements/run.txt --output-file requirements/dev.txt
