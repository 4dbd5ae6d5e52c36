"""The official Node clients, unmodified, against `auricle serve`."""

from __future__ import annotations

from pathlib import Path

from conftest import Server
from dialects.conftest import Script

BEST = "best of times"


def test_cartesia(node: Script, clip: Path, pcm: bytes, tmp_path: Path) -> None:
    raw = tmp_path / "samples"
    raw.write_bytes(pcm)
    found = node("cartesia.mjs", str(clip), str(raw))
    assert BEST in found["words"]["text"]
    assert found["words"]["words"][0]["word"] == "It"
    assert found["words"]["language"] == "en"
    assert BEST in found["raw"]["text"]
    assert "words" not in found["raw"]
    assert BEST in found["byToken"]["text"]
    assert found["status"]["ok"] is True
    assert found["refused"]["kind"] == "BadRequestError"
    assert "Unknown model 'nobody'" in found["refused"]["message"]


def test_sttai_with_node_fetch(node: Script, clip: Path) -> None:
    found = node("sttai.cjs", str(clip), "node-fetch")
    assert BEST in found["result"]["text"]
    assert found["result"]["segments"][0]["speaker"] == "Speaker 1"
    assert {"id", "name", "languages", "speed"} <= set(found["models"]["models"][0])
    assert {"code": "en", "name": "english"} in found["languages"]["languages"]
    assert found["health"]["status"] == "ok"


def test_sttai_without_it_sends_no_file_and_is_told_why(node: Script, clip: Path) -> None:
    """The package hands a form-data object to the built-in fetch, which sends its name."""
    found = node("sttai.cjs", str(clip), "built-in")
    assert "result" not in found
    assert "node-fetch" in found["refused"]["message"]


def test_the_server_stores_what_a_client_sent(node: Script, clip: Path, server: Server) -> None:
    import httpx

    before = httpx.get(f"{server.url}/api/v1/transcripts/", headers=server.auth).json()["count"]
    node("sttai.cjs", str(clip), "node-fetch")
    after = httpx.get(f"{server.url}/api/v1/transcripts/", headers=server.auth).json()["count"]
    assert after >= before  # the same upload joins the transcript that it has led to
