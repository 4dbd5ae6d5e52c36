"""What the OpenAPI documents promise, against hundreds of requests that nobody would send."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conftest import Server

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance,unsupported_method"
)
EXAMPLES = "15"


@pytest.mark.parametrize("document", ["/docs/api/openapi.json", "/api/v1/schema/?format=json"])
def test_every_answer_is_one_that_was_announced(
    quick: Server, document: str, tmp_path: Path
) -> None:
    """Whatever is sent, fitting or not, nothing breaks and nothing answers what it should not."""
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("st")), "run", f"{quick.url}{document}"),
            *("--url", quick.url, "--header", f"Authorization: {quick.auth['Authorization']}"),
            *("--checks", CHECKS, "--phases", "coverage,fuzzing", "--max-examples", EXAMPLES),
            *("--generation-with-security-parameters", "false"),  # wrong keys lock us out
            *("--max-time", "25", "--request-timeout", "20", "--generation-deterministic"),
            *("--no-shrink", "--no-color", "--warnings", "off", "--continue-on-failure"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-6000:]
