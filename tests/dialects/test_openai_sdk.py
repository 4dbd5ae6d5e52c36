"""OpenAI's own Python SDK, unmodified, against `auricle serve`; and what no SDK sends."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import openai
import pytest
import srt
import webvtt
from cartesia import Cartesia
from openai import AsyncOpenAI, OpenAI

from conftest import Server, start_server, stop_server
from sounds import read_wav, wav

BEST = "best of times"


@pytest.fixture(scope="module")
def client(server: Server) -> OpenAI:
    return OpenAI(api_key=server.key, base_url=f"{server.url}/v1", max_retries=0)


def test_json(client: OpenAI, clip: Path) -> None:
    found = client.audio.transcriptions.create(file=clip, model="whisper-1")
    assert BEST in found.text
    assert found.usage
    assert found.usage.type == "duration"
    assert found.usage.seconds == 5


def test_every_argument_does_no_harm(client: OpenAI, clip: Path) -> None:
    found = client.audio.transcriptions.create(
        file=clip,
        model="base",
        language="en",
        prompt="A tale of two cities.",
        temperature=0.2,
        chunking_strategy={"type": "server_vad", "silence_duration_ms": 200},
        include=["logprobs"],
        timestamp_granularities=["word", "segment"],
        extra_body={"keywords": ["times"], "languages": ["en"], "known_speaker_names": ["me"]},
    )
    assert BEST in found.text


def test_text(client: OpenAI, clip: Path) -> None:
    found = client.audio.transcriptions.create(file=clip, model="whisper-1", response_format="text")
    assert isinstance(found, str)
    assert BEST in found


def test_subtitles(client: OpenAI, clip: Path) -> None:
    found = client.audio.transcriptions.create(file=clip, model="whisper-1", response_format="srt")
    assert BEST in next(srt.parse(found)).content.replace("\n", " ")
    found = client.audio.transcriptions.create(file=clip, model="whisper-1", response_format="vtt")
    assert BEST in webvtt.from_string(found)[0].text.replace("\n", " ")


def test_verbose_json(client: OpenAI, clip: Path) -> None:
    found = client.audio.transcriptions.create(
        file=clip,
        model="whisper-1",
        response_format="verbose_json",
        timestamp_granularities=["word"],
    )
    assert found.language == "english"
    assert float(found.duration) == pytest.approx(5, abs=0.1)
    assert found.words
    assert found.words[0].word == "It"
    assert found.segments
    first = found.segments[0]
    assert first.id == 0
    assert first.start < first.end
    assert first.avg_logprob < 0
    assert first.compression_ratio > 0


def test_languages_and_keywords(client: OpenAI, clip: Path) -> None:
    for languages, name in ((["de", "fr"], {"german", "french"}), (["de", "en"], {"english"})):
        found = client.audio.transcriptions.create(
            file=clip,
            model="whisper-1",
            response_format="verbose_json",
            languages=languages,
            keywords=["Two Cities"],
        )
        assert found.language in name
    with pytest.raises(openai.BadRequestError, match="klingon"):
        client.audio.transcriptions.create(file=clip, model="whisper-1", languages=["klingon"])


def test_words_only_when_they_are_asked_for(client: OpenAI, clip: Path) -> None:
    found = client.audio.transcriptions.create(
        file=clip, model="whisper-1", response_format="verbose_json"
    )
    assert found.words is None
    assert found.segments


def test_diarized_json(client: OpenAI, clip: Path) -> None:
    found = client.audio.transcriptions.create(
        file=clip, model="whisper-1", response_format="diarized_json"
    )
    assert found.task == "transcribe"
    assert found.segments[0].speaker == "A"
    assert found.segments[0].type == "transcript.text.segment"
    assert isinstance(found.segments[0].id, str)


def test_translation(client: OpenAI, clip: Path) -> None:
    found = client.audio.translations.create(file=clip, model="whisper-1")
    assert BEST in found.text
    verbose = client.audio.translations.create(
        file=clip, model="whisper-1", response_format="verbose_json"
    )
    assert verbose.segments
    with pytest.raises(openai.BadRequestError, match="diarized_json"):
        client.audio.translations.create(
            file=clip,
            model="whisper-1",
            response_format="diarized_json",  # type: ignore[call-overload]
        )


def test_the_asynchronous_client(server: Server, clip: Path) -> None:
    async def run() -> str:
        async with AsyncOpenAI(api_key=server.key, base_url=f"{server.url}/v1") as client:
            return (await client.audio.transcriptions.create(file=clip, model="whisper-1")).text

    assert BEST in asyncio.run(run())


def test_a_stream(client: OpenAI, clip: Path) -> None:
    with client.audio.transcriptions.create(file=clip, model="whisper-1", stream=True) as stream:
        events = list(stream)
    deltas = [event.delta for event in events if event.type == "transcript.text.delta"]
    last = events[-1]
    assert last.type == "transcript.text.done"
    assert "".join(deltas) == last.text
    assert BEST in last.text


def test_a_stream_of_who_said_what(server: Server, clip: Path) -> None:
    async def run() -> list[str]:
        async with AsyncOpenAI(api_key=server.key, base_url=f"{server.url}/v1") as client:
            stream = await client.audio.transcriptions.create(
                file=clip, model="whisper-1", stream=True, response_format="diarized_json"
            )
            return [event.type async for event in stream]

    kinds = asyncio.run(run())
    assert kinds[0] == "transcript.text.delta"
    assert kinds[-2:] == ["transcript.text.segment", "transcript.text.done"]


@pytest.fixture
def slow(tmp_path: Path, models_dir: Path) -> Iterator[Server]:
    """A server that takes half a second for each window."""
    running = start_server(tmp_path / "slow", models_dir, engine="fake:0.5")
    yield running
    stop_server(running)


@pytest.fixture
def long(recording: Path, tmp_path: Path) -> Path:
    """Two minutes."""
    samples, rate = read_wav(recording)
    file = tmp_path / "long.wav"
    file.write_bytes(wav(np.tile(samples, 3), rate=rate))
    return file


def test_a_stream_tells_the_words_while_the_rest_is_being_heard(slow: Server, long: Path) -> None:
    """Two minutes come in several batches: the first words long before the last."""
    client = OpenAI(api_key=slow.key, base_url=f"{slow.url}/v1", max_retries=0)
    with client.audio.transcriptions.create(file=long, model="whisper-1", stream=True) as stream:
        events = list(stream)
    deltas = [event.delta for event in events if event.type == "transcript.text.delta"]
    assert len(deltas) > 1
    assert events[-1].type == "transcript.text.done"
    assert "".join(deltas) == events[-1].text


def test_clients_that_hang_up_in_silence_are_kept_waiting(slow: Server, long: Path) -> None:
    """Two minutes take longer than this one is willing to wait; JSON may begin with blanks."""
    patience = httpx.Timeout(60, read=6)
    client = Cartesia(api_key=slow.key, base_url=slow.url, max_retries=0, timeout=patience)
    began = time.monotonic()
    found = client.stt.transcribe(file=long, model="ink-whisper")
    assert time.monotonic() - began > 6
    assert found.text.startswith("Window number ")


def test_a_recording_that_fails_is_no_stream(server: Server) -> None:
    answer = httpx.post(
        f"{server.url}/v1/audio/transcriptions",
        headers=server.auth,
        files={"file": b"no recording at all"},
        data={"model": "whisper-1", "stream": "true"},
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "file"


def test_models(client: OpenAI) -> None:
    ids = [model.id for model in client.models.list()]
    assert ids == ["large-v3-turbo", "base", "whisper-1"]
    assert client.models.retrieve("whisper-1").object == "model"
    assert client.models.retrieve("whisper-base").id == "whisper-base"
    for missing in ("gpt-4o-transcribe", "medium"):
        with pytest.raises(openai.NotFoundError, match="GET /v1/models"):
            client.models.retrieve(missing)


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"model": "gpt-4o"}, "model", "model_not_found"),
        ({"model": ""}, "model", None),
        ({"language": "tlh"}, "language", None),
        ({"response_format": "docx"}, "response_format", None),
        ({"temperature": "hot"}, "temperature", None),
        ({"temperature": "nan"}, "temperature", None),
        ({"timestamp_granularities[]": "letter"}, "timestamp_granularities", None),
        ({"stream": "perhaps"}, None, None),
    ],
)
def test_fields_that_make_no_sense_are_named(
    server: Server, clip: Path, fields: dict[str, str], param: str | None, code: str | None
) -> None:
    answer = httpx.post(
        f"{server.url}/v1/audio/transcriptions",
        headers=server.auth,
        files={"file": clip.read_bytes()},
        data={"model": "whisper-1"} | fields,
    )
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["param"], error["code"]) == (
        "invalid_request_error",
        param,
        code,
    )


def test_a_wrong_key_is_an_authentication_error(server: Server, clip: Path) -> None:
    stranger = OpenAI(api_key="sk-nobody", base_url=f"{server.url}/v1", max_retries=0)
    with pytest.raises(openai.AuthenticationError) as caught:
        stranger.audio.transcriptions.create(file=clip, model="whisper-1")
    assert caught.value.code == "invalid_api_key"
    assert caught.value.request_id


def test_a_model_that_is_not_installed_is_not_asked_for_again(server: Server, clip: Path) -> None:
    """Three uploads would not install it."""
    answer = httpx.post(
        f"{server.url}/v1/audio/transcriptions",
        headers=server.auth,
        files={"file": clip.read_bytes()},
        data={"model": "medium"},
    )
    assert answer.status_code == 503
    assert answer.headers["x-should-retry"] == "false"
    assert "auricle models pull medium" in answer.json()["error"]["message"]


def test_used_up_credits_are_an_insufficient_quota(server: Server, clip: Path) -> None:
    member = server.cast("poor", "paid")
    client = OpenAI(
        api_key=member["Authorization"].removeprefix("Bearer "),
        base_url=f"{server.url}/v1",
        max_retries=0,
    )
    with pytest.raises(openai.APIStatusError) as caught:
        client.audio.transcriptions.create(file=clip, model="whisper-1")
    assert caught.value.status_code == 402
    assert caught.value.code == "insufficient_quota"


@pytest.mark.parametrize("path", ["/v1/audio/nothing", "/v1/audio/transcriptions/"])
def test_what_is_not_there_is_told_in_openais_shape(server: Server, path: str) -> None:
    answer = httpx.get(f"{server.url}{path}", headers=server.auth)
    assert answer.status_code == 404
    assert json.loads(answer.text)["error"]["message"]
