"""STT.ai's MCP server, unmodified but for the address that it calls, against `auricle serve`.

It names no setting for that address, and seven of its tools call methods that the published SDK
lacks: for those, the requests that the SDK's unreleased version sends are sent here by hand.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import sttai.client
import sttai_mcp.server

from conftest import Server
from endpoints import endpoint, says


@pytest.fixture
def tools(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STT_API_KEY", server.key)
    made = sttai.client.STTClient.__init__
    monkeypatch.setattr(
        sttai.client.STTClient,
        "__init__",
        lambda self, api_key=None: made(self, api_key, base_url=server.url),
    )


def call(tool: str, **arguments: Any) -> Any:
    """Call a tool as an MCP client does; returns what it answers."""
    content = asyncio.run(sttai_mcp.server.mcp.call_tool(tool, arguments))
    blocks = content[0] if isinstance(content, tuple) else content
    return json.loads(blocks[0].text)


@pytest.fixture(scope="module")
def web(clip: Path) -> Iterator[str]:
    with endpoint(says(200, clip.read_bytes(), content_type="audio/wav")) as here:
        yield here.url(path="/talk.wav")


@pytest.mark.usefixtures("tools")
def test_transcribe_url(web: str) -> None:
    found = call("transcribe_url", url=web)
    assert "best of times" in found["text"]
    assert found["segments"][0]["speaker"] == "Speaker 1"


@pytest.mark.usefixtures("tools")
def test_models_and_languages() -> None:
    listed = json.dumps([call("list_models"), call("list_languages")])
    assert "Whisper Base" in listed
    assert "english" in listed


def test_its_requests_for_transcripts_are_answered_as_it_reads_them(
    server: Server, clip: Path
) -> None:
    api = httpx.Client(base_url=server.url, headers=server.auth, timeout=60)
    api.post("/v1/transcribe", files={"file": ("talk.wav", clip.read_bytes())})
    listed = api.get(
        "/api/v1/transcripts/", params={"limit": 20, "offset": 0, "status": "completed"}
    ).json()
    assert {"results", "count", "next", "previous"} == set(listed)
    row = listed["results"][0]
    for name in (row["id"], row["slug"]):
        one = api.get(f"/api/v1/transcripts/{name}/").json()
        assert {"segments", "speakers", "duration", "language"} <= set(one)
    for fmt in ("txt", "srt", "vtt", "json", "csv"):
        text = api.get(f"/api/v1/transcripts/{row['slug']}/export/{fmt}/").text
        assert "best of times" in text.replace("\n", " ")
