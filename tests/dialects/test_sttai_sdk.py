"""STT.ai's own Python SDK, unmodified, against `auricle serve`."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from sttai import STTClient
from sttai.exceptions import STTError

from conftest import Server
from sounds import read_wav, wav


@pytest.fixture(scope="module")
def client(server: Server) -> STTClient:
    return STTClient(server.key, base_url=server.url)


@pytest.fixture(scope="module")
def clip(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    samples, rate = read_wav(recording)
    path = tmp_path_factory.mktemp("clip") / "beste Zeiten.wav"
    path.write_bytes(wav(samples[: 5 * rate], rate=rate))
    return path


@pytest.fixture(scope="module")
def web(clip: Path) -> Iterator[str]:
    """A web server that has the clip, and a page."""
    (clip.parent / "watch.html").write_text("<!doctype html><title>a video page</title>" * 20)
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(clip.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_transcribe(client: STTClient, clip: Path) -> None:
    result = client.transcribe(str(clip))
    assert result["text"].startswith("It was the best of times")
    assert result["segments"][0]["speaker"] == "Speaker 1"
    assert result["language"] == "en"


def test_transcribe_with_every_argument(client: STTClient, clip: Path) -> None:
    result = client.transcribe(
        str(clip), model="large-v3-turbo", language="en", diarize=False, speakers=1
    )
    assert result["model"] == "base"
    assert result["speakers"] == []


@pytest.mark.parametrize("fmt", ["text", "srt", "vtt", "verbose_json", "json"])
def test_transcribe_in_every_format_of_the_sdk(client: STTClient, clip: Path, fmt: str) -> None:
    result = client.transcribe(str(clip), response_format=fmt)
    text = result["text"] if isinstance(result, dict) else result
    assert "best of times" in text.replace("\n", " ")


def test_transcribe_url(client: STTClient, web: str) -> None:
    result = client.transcribe_url(f"{web}/beste%20Zeiten.wav")
    assert result["text"].startswith("It was the best of times")


def test_a_link_to_a_page_is_refused_in_words(client: STTClient, web: str) -> None:
    with pytest.raises(STTError, match="not a recording") as caught:
        client.transcribe_url(f"{web}/watch.html")
    assert caught.value.status_code == 400


def test_models_languages_health(client: STTClient) -> None:
    for model in client.models()["models"]:
        assert model["id"]
        assert model["description"]
    assert {"code": "vi", "name": "vietnamese"} in client.languages()["languages"]
    assert client.health()["status"] == "ok"


def test_a_model_that_is_not_installed(client: STTClient, clip: Path) -> None:
    with pytest.raises(STTError, match="auricle models pull small") as caught:
        client.transcribe(str(clip), model="small")
    assert caught.value.status_code == 503
