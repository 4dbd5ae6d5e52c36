"""What the OpenAPI documents promise, against hundreds of requests that nobody would send."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from conftest import Server, start_server, stop_server
from fake_llm import fake_llm

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance,unsupported_method"
)
EXAMPLES = "15"
EXPECTED = """
[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 503]
"""
"""503 is a refusal in words: that a worker is still starting, or that a model's answer to nonsense
cannot be used."""


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Server]:
    """A server of its own: what such requests leave is nobody's else business."""
    with fake_llm() as llm:
        server = start_server(
            tmp_path_factory.mktemp("attacked"),
            models_dir,
            engine="fake",
            llm_url=llm.url,
            llm_model="fake-1",
        )
        yield server
        stop_server(server)


def harmless(document: dict[str, Any]) -> dict[str, Any]:
    """The same without keys: made-up ones would lock this address out, and among those that are
    revoked would be ours."""
    document.pop("security", None)
    document.get("components", {}).pop("securitySchemes", None)
    document["paths"].pop("/api/v1/keys/{id}/", None)
    for operations in document["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)
    return document


@pytest.mark.parametrize("path", ["/docs/api/openapi.json", "/api/v1/schema/?format=json"])
def test_every_answer_is_one_that_was_announced(
    attacked: Server, path: str, tmp_path: Path
) -> None:
    """Whatever is sent, fitting or not, nothing breaks and nothing answers what it should not."""
    found = httpx.get(f"{attacked.url}{path}", headers={"Accept": "application/json"}).json()
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(harmless(found)))
    (tmp_path / "schemathesis.toml").write_text(EXPECTED)
    key = f"Authorization: {attacked.auth['Authorization']}"
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("st")), "run", str(document)),
            *("--url", attacked.url, "--header", key),
            *("--checks", CHECKS, "--phases", "coverage,fuzzing", "--max-examples", EXAMPLES),
            *("--max-time", "20", "--request-timeout", "120", "--generation-deterministic"),
            *("--no-shrink", "--no-color", "--warnings", "off", "--continue-on-failure"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    account = httpx.get(f"{attacked.url}/api/v1/account/", headers=attacked.auth)
    assert account.status_code == 200, "the address was locked out, and nothing tested"
