"""Voices by name, and speakers in every API, on a real server with a real worker."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
import websockets.sync.client as sockets
from openai import BadRequestError, OpenAI

from conftest import Server
from conversations import ENGLISH, FRENCH, JAPANESE, clip, conversation
from processes import eventually
from sounds import tone, wav

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def talk() -> bytes:
    """An English voice, a French one, and the English one again."""
    return wav(conversation(clip(ENGLISH), clip(FRENCH), clip("en/counting"))[0])


@pytest.fixture(scope="module")
def anna(server: Server) -> Iterator[httpx.Client]:
    headers = server.cast("anna-of-the-voices", "paid", 1000)
    with httpx.Client(base_url=server.url, headers=headers, timeout=120) as client:
        yield client


@pytest.fixture(scope="module")
def stranger(server: Server) -> Iterator[httpx.Client]:
    headers = server.cast("stranger-to-the-voices", "paid", 1000)
    with httpx.Client(base_url=server.url, headers=headers, timeout=120) as client:
        yield client


def enrol(client: httpx.Client, name: str, content: bytes) -> dict[str, Any]:
    """Enrol a voice and wait until it is known, or refused."""
    answer = client.post("/api/v1/voices/", data={"name": name}, files={"file": content})
    assert answer.status_code == 202, answer.text
    path = f"/api/v1/voices/{answer.json()['id']}/"
    eventually(lambda: client.get(path).json()["status"] != "processing", "the voice", 30)
    return dict(client.get(path).json())


def transcribe(client: httpx.Client, content: bytes, **fields: str) -> dict[str, Any]:
    answer = client.post("/v1/transcribe", files={"file": content}, data=fields)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_speakers_are_told_apart_unless_nobody_wants_to_know(
    stranger: httpx.Client, talk: bytes
) -> None:
    body = transcribe(stranger, talk, language="en")
    assert body["speakers"] == ["Speaker 1", "Speaker 2"]
    assert {segment["speaker"] for segment in body["segments"]} == set(body["speakers"])
    assert body["segments"][0]["speaker"] == body["segments"][-1]["speaker"] == "Speaker 1"
    assert transcribe(stranger, talk, language="en", speakers="1")["speakers"] == ["Speaker 1"]
    body = transcribe(stranger, talk, language="en", diarize="false")
    assert body["speakers"] == []
    assert not any("speaker" in segment for segment in body["segments"])


def test_openai_calls_them_by_letters(stranger: httpx.Client, talk: bytes) -> None:
    answer = stranger.post(
        "/v1/audio/transcriptions",
        files={"file": talk},
        data={"model": "whisper-1", "language": "en", "response_format": "diarized_json"},
    )
    assert {segment["speaker"] for segment in answer.json()["segments"]} == {"A", "B"}


def data_url(content: bytes) -> str:
    return f"data:audio/wav;base64,{b64encode(content).decode()}"


def test_openai_names_whose_voices_a_request_brings(stranger: httpx.Client, talk: bytes) -> None:
    client = OpenAI(
        base_url=f"{stranger.base_url}/v1",
        api_key=stranger.headers["Authorization"].removeprefix("Bearer "),
    )

    def ask(**voices: bytes) -> Any:
        return client.audio.transcriptions.create(
            file=talk,
            model="whisper-1",
            language="en",
            response_format="diarized_json",
            known_speaker_names=list(voices),
            known_speaker_references=[data_url(content) for content in voices.values()],
        )

    found = ask(Yuki=wav(clip(JAPANESE)), Marie=wav(clip("fr/comptage")))
    assert found.segments[0].speaker == "A"
    assert {segment.speaker for segment in found.segments} == {"A", "Marie"}
    [row, *_] = stranger.get("/api/v1/transcripts/").json()["results"]
    assert "Marie" in stranger.get(f"/api/v1/transcripts/{row['slug']}/").text
    for nobody, why in ((wav(tone(3.0)), "Nobody"), (wav(np.tile(clip(FRENCH), 5)), "longer than")):
        with pytest.raises(BadRequestError, match=f"Marie.*{why}"):
            ask(Marie=nobody)


@pytest.mark.parametrize(
    ("names", "references", "wrong"),
    [
        (["a"], [], "known_speaker_references"),
        (["a", "a"], ["data:audio/wav;base64,UklG"] * 2, "known_speaker_names"),
        ([" "], ["data:audio/wav;base64,UklG"], "known_speaker_names"),
        (["a"], ["https://example.com/a.wav"], "known_speaker_references"),
        (["a"], ["data:audio/wav;base64,%%%"], "known_speaker_references"),
        ([*"abcde"], ["data:audio/wav;base64,UklG"] * 5, "known_speaker_references"),
    ],
)
def test_voices_of_a_request_that_make_no_sense(
    stranger: httpx.Client, names: list[str], references: list[str], wrong: str
) -> None:
    answer = stranger.post(
        "/v1/audio/transcriptions",
        files={"file": b"RIFF"},
        data={
            "model": "whisper-1",
            "response_format": "diarized_json",
            "known_speaker_names[]": names,
            "known_speaker_references[]": references,
        },
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == wrong


def test_exports_name_who_speaks(stranger: httpx.Client, talk: bytes) -> None:
    answer = stranger.post(
        "/v1/transcribe", files={"file": talk}, data={"language": "en", "response_format": "srt"}
    )
    assert "Speaker 1: " in answer.text
    assert "Speaker 2: " in answer.text


def test_transcripts_carry_the_names_of_enrolled_voices(
    anna: httpx.Client, stranger: httpx.Client, talk: bytes
) -> None:
    marie = enrol(anna, "Marie", wav(clip("fr/comptage")))
    assert (marie["status"], marie["error"]) == ("ready", "")
    assert "vector" not in marie
    assert transcribe(anna, talk, language="en")["speakers"] == ["Speaker 1", "Marie"]
    # To others she is a stranger.
    assert transcribe(stranger, talk, language="en")["speakers"] == ["Speaker 1", "Speaker 2"]
    path = f"/api/v1/voices/{marie['id']}/"
    assert stranger.get(path).status_code == 404
    assert stranger.delete(path).status_code == 404
    assert stranger.get("/api/v1/voices/").json()["results"] == []
    assert [voice["name"] for voice in anna.get("/api/v1/voices/").json()["results"]] == ["Marie"]
    assert anna.delete(path).status_code == 204
    assert anna.get("/api/v1/voices/").json()["results"] == []
    fresh = wav(conversation(clip(JAPANESE), clip(FRENCH))[0])
    assert "Marie" not in transcribe(anna, fresh, language="en")["speakers"]


def test_live_words_carry_the_names_of_enrolled_voices(
    server: Server, stranger: httpx.Client, anna: httpx.Client
) -> None:
    sound = conversation(clip(FRENCH))[0]
    pcm = (sound * 32767).astype("<i2").tobytes()

    def said_by(client: httpx.Client) -> set[str]:
        url = server.url.replace("http", "ws", 1) + "/v1/stream?language=fr&diarize=true"
        headers = {"Authorization": client.headers["Authorization"]}
        with sockets.connect(url, additional_headers=headers) as socket:
            for at in range(0, len(pcm), 32_000):
                socket.send(pcm[at : at + 32_000])
            socket.send(b"")
            speakers: set[str] = set()
            while not (found := json.loads(socket.recv(timeout=30))).get("is_final"):
                speakers |= {word["speaker"] for word in found.get("words", ())}
            return speakers

    marie = enrol(stranger, "Marie", wav(clip("fr/comptage")))
    assert marie["status"] == "ready"
    assert said_by(stranger) == {"Marie"}
    assert said_by(anna) == {"Speaker 1"}
    assert stranger.delete(f"/api/v1/voices/{marie['id']}/").status_code == 204


BAD = {
    "no name": ({}, {"file": b"RIFF"}, "name"),
    "an endless name": ({"name": "x" * 101}, {"file": b"RIFF"}, "name"),
    "no file": ({"name": "Zoe"}, {"other": b"x"}, "file"),
    "an empty file": ({"name": "Zoe"}, {"file": b""}, "empty"),
    "too many bytes": ({"name": "Zoe"}, {"file": bytes(4_600_000)}, "4.5 MB"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_enrols_nobody_says_so(anna: httpx.Client, case: str) -> None:
    data, files, reason = BAD[case]
    answer = anna.post("/api/v1/voices/", data=data, files=files)
    assert answer.status_code == 400, answer.text
    assert reason in answer.json()["error"]


def test_a_name_is_one_voice(anna: httpx.Client) -> None:
    assert enrol(anna, "Twice", wav(clip(JAPANESE)))["status"] == "ready"
    again = anna.post("/api/v1/voices/", data={"name": "Twice"}, files={"file": b"RIFF"})
    assert again.status_code == 400
    assert "already" in again.json()["error"]


def test_clips_without_a_voice_are_refused_in_words(anna: httpx.Client) -> None:
    silence = enrol(anna, "Silence", wav(np.zeros(48_000, np.float32)))
    assert (silence["status"], "Nobody is heard" in silence["error"]) == ("failed", True)
    rubbish = enrol(anna, "Rubbish", b"this is text, not sound " * 50)
    assert (rubbish["status"], "not a recording" in rubbish["error"]) == ("failed", True)
    long = enrol(anna, "Long", wav(tone(32)))
    assert (long["status"], "longer than 30 seconds" in long["error"]) == ("failed", True)


def test_nobody_enrols_without_an_account(server: Server) -> None:
    answer = httpx.post(
        f"{server.url}/api/v1/voices/", data={"name": "Zoe"}, files={"file": b"RIFF"}
    )
    assert answer.status_code == 401


def test_the_web_process_still_holds_no_inference_runtime(server: Server) -> None:
    regions = psutil.Process(server.process.pid).memory_maps()
    assert not [each.path for each in regions if "onnx" in each.path or "/scipy/" in each.path]
