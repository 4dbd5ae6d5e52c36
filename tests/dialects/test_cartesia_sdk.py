"""Cartesia's own Python SDK, unmodified, against `auricle serve`; and what no SDK sends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import cartesia
import httpx
import numpy as np
import pytest
from cartesia import AsyncCartesia, Cartesia
from numpy.typing import NDArray

from auricle.media import ENCODINGS
from auricle.transcript.languages import NAMES
from conftest import Server

BEST = "best of times"


@pytest.fixture(scope="module")
def client(server: Server) -> Cartesia:
    return Cartesia(api_key=server.key, base_url=server.url, max_retries=0)


def post(server: Server, content: bytes, path: str = "/stt", **fields: str) -> httpx.Response:
    return httpx.post(
        f"{server.url}{path}",
        headers=server.auth | {"Cartesia-Version": "2024-06-10"},
        files={"file": ("audio.raw", content)},
        data={"model": "ink-whisper"} | fields,
        timeout=60,
    )


def test_transcribe(client: Cartesia, clip: Path) -> None:
    found = client.stt.transcribe(file=clip, model="ink-whisper", language="en")
    assert found.type == "transcript"
    assert BEST in found.text
    assert found.language == "en"
    assert found.duration == pytest.approx(5, abs=0.1)
    assert found.request_id
    assert not found.words


def test_words_are_given_when_they_are_asked_for(client: Cartesia, clip: Path) -> None:
    found = client.stt.transcribe(
        file=clip, model="ink-whisper-2025-06-04", timestamp_granularities=["word"]
    )
    assert found.words
    assert [word.word for word in found.words[:3]] == ["It", "was", "the"]
    assert all(word.start <= word.end for word in found.words)


def test_the_asynchronous_client(server: Server, clip: Path) -> None:
    async def run() -> str:
        async with AsyncCartesia(api_key=server.key, base_url=server.url) as client:
            found = await client.stt.transcribe(file=clip.read_bytes(), model="ink-whisper")
            return found.text

    assert BEST in asyncio.run(run())


Samples = NDArray[np.int16]


def mu_law(samples: Samples) -> bytes:
    """G.711's formula, as ITU-T writes it for 14 bits."""
    magnitude = np.minimum(np.abs(samples.astype(np.int32)) + 132, 32635)
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    sign = np.where(samples < 0, 0x80, 0)
    return bytes((~(sign | (exponent << 4) | mantissa) & 0xFF).astype(np.uint8))


def a_law(samples: Samples) -> bytes:
    """G.711's other formula."""
    magnitude = np.abs(samples.astype(np.int32))
    exponent = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 7, 0)
    mantissa = np.where(exponent > 0, (magnitude >> (exponent + 3)) & 0x0F, (magnitude >> 4) & 0x0F)
    sign = np.where(samples >= 0, 0x80, 0)
    return bytes(((sign | (exponent << 4) | mantissa) ^ 0x55).astype(np.uint8))


WRITTEN: dict[str, Callable[[Samples], bytes]] = {
    "pcm_s16le": lambda s: s.tobytes(),
    "pcm_s32le": lambda s: (s.astype("<i4") << 16).tobytes(),
    "pcm_f16le": lambda s: (s / 32768).astype("<f2").tobytes(),
    "pcm_f32le": lambda s: (s / 32768).astype("<f4").tobytes(),
    "pcm_mulaw": mu_law,
    "pcm_alaw": a_law,
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_samples_without_a_header(client: Cartesia, pcm: bytes, encoding: str) -> None:
    content = WRITTEN[encoding](np.frombuffer(pcm, "<i2"))
    found = client.stt.transcribe(
        file=("audio.raw", content),
        model="ink-whisper",
        encoding=encoding,  # type: ignore[arg-type]
        sample_rate=16_000,
    )
    assert BEST in found.text
    assert found.duration == pytest.approx(5, abs=0.01)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "encoding=pcm_s16le&sample_rate=16000"),
        ("?encoding=pcm_s16le", "encoding needs a sample_rate"),
        ("?encoding=pcm_s24le&sample_rate=16000", "Unknown encoding 'pcm_s24le'"),
        ("?encoding=pcm_s16le&sample_rate=0", "sample_rate must be"),
        ("?encoding=pcm_s16le&sample_rate=16k", "sample_rate must be"),
        ("?encoding=pcm_s16le&sample_rate=99999999999", "sample_rate must be"),
    ],
)
def test_samples_that_nobody_can_read_are_refused(
    server: Server, pcm: bytes, query: str, words: str
) -> None:
    answer = post(server, pcm, f"/stt{query}")
    assert answer.status_code == 400
    assert words in answer.json()["message"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"model": ""}, "model is missing"),
        ({"model": "sonic-2"}, "Unknown model 'sonic-2'"),
        ({"language": "tlh"}, "Unknown language 'tlh'"),
        ({"timestamp_granularities[]": "segment"}, "timestamp_granularities[]"),
    ],
)
def test_fields_that_make_no_sense_are_named(
    server: Server, clip: Path, fields: dict[str, str], words: str
) -> None:
    answer = post(server, clip.read_bytes(), **fields)
    assert answer.status_code == 400
    body = answer.json()
    assert words in body["message"]
    assert body["title"] == "Bad Request"
    assert body["request_id"] == answer.headers["x-request-id"]
    assert set(body) == {"error_code", "title", "message", "request_id"}


def test_the_documented_languages_are_all_known() -> None:
    documented = (
        "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no "
        "th ur hr bg lt la mi ml cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw "
        "gl mr pa si km sn yo so af oc ka be tg sd gu am yi lo uz fo ht ps tk nn mt sa lb my bo tl "
        "mg as tt haw ln ha ba jw su yue"
    )
    assert set(documented.split()) == set(NAMES)


@pytest.mark.parametrize(("version", "status"), [("2026-08-14", 200), ("1", 400), ("", 200)])
def test_any_date_is_a_version(server: Server, clip: Path, version: str, status: int) -> None:
    answer = httpx.post(
        f"{server.url}/stt",
        headers=server.auth | ({"Cartesia-Version": version} if version else {}),
        files={"file": ("a.wav", clip.read_bytes())},
        data={"model": "ink-whisper"},
        timeout=60,
    )
    assert answer.status_code == status


def test_a_wrong_key_is_an_authentication_error(server: Server, clip: Path) -> None:
    stranger = Cartesia(api_key="sk_nobody", base_url=server.url, max_retries=0)
    with pytest.raises(cartesia.AuthenticationError, match="Invalid API key"):
        stranger.stt.transcribe(file=clip, model="ink-whisper")


def test_nobody_comes_without_a_key(server: Server, clip: Path) -> None:
    answer = httpx.post(
        f"{server.url}/stt", files={"file": clip.read_bytes()}, data={"model": "ink-whisper"}
    )
    assert answer.status_code == 401


def test_get_status(client: Cartesia) -> None:
    status = client.get_status()
    assert status.ok is True
    assert status.version


def test_an_access_token_is_good_for_what_it_was_made_for(
    client: Cartesia, server: Server, clip: Path
) -> None:
    token = client.access_token.create(grants={"stt": True, "tts": None}, expires_in=60).token
    guest = Cartesia(token=token, base_url=server.url, max_retries=0)
    assert BEST in guest.stt.transcribe(file=clip, model="ink-whisper").text
    query = httpx.post(
        f"{server.url}/stt",
        params={"access_token": token},
        files={"file": clip.read_bytes()},
        data={"model": "ink-whisper"},
        timeout=60,
    )
    assert query.status_code == 200
    with pytest.raises(cartesia.PermissionDeniedError, match="does not make others"):
        guest.access_token.create(expires_in=60)


def test_a_token_opens_nothing_else(client: Cartesia, server: Server, clip: Path) -> None:
    token = client.access_token.create(grants={"stt": True}).token
    headers = {"Authorization": f"Bearer {token}"}
    for path in ("/api/v1/transcripts/", "/api/v1/keys/", "/api/v1/account/", "/metrics"):
        assert httpx.get(f"{server.url}{path}", headers=headers).status_code in (401, 403)
    for path in ("/v1/transcribe", "/v1/audio/transcriptions", "/api/v1/recognition/async/"):
        answer = httpx.post(
            f"{server.url}{path}", headers=headers, files={"file": clip.read_bytes()}
        )
        assert answer.status_code in (401, 403), path


def test_a_token_without_the_grant_is_refused(client: Cartesia, server: Server, clip: Path) -> None:
    token = client.access_token.create(grants={"tts": True}, expires_in=60).token
    guest = Cartesia(token=token, base_url=server.url, max_retries=0)
    with pytest.raises(cartesia.PermissionDeniedError, match="was not made for this"):
        guest.stt.transcribe(file=clip, model="ink-whisper")


def test_a_token_is_over_after_its_time(client: Cartesia, server: Server, clip: Path) -> None:
    token = client.access_token.create(expires_in=1).token
    time.sleep(1.1)
    guest = Cartesia(token=token, base_url=server.url, max_retries=0)
    with pytest.raises(cartesia.AuthenticationError, match="is over"):
        guest.stt.transcribe(file=clip, model="ink-whisper")


def test_a_token_dies_with_its_key(server: Server, clip: Path) -> None:
    member = server.cast("token-maker", "paid", 5)
    mine = httpx.post(f"{server.url}/api/v1/keys/", headers=member, json={"name": "x"}).json()
    client = Cartesia(api_key=mine["key"], base_url=server.url, max_retries=0)
    token = client.access_token.create().token
    httpx.delete(f"{server.url}/api/v1/keys/{mine['id']}/", headers=member)
    guest = Cartesia(token=token, base_url=server.url, max_retries=0)
    with pytest.raises(cartesia.AuthenticationError, match="revoked"):
        guest.stt.transcribe(file=clip, model="ink-whisper")


@pytest.mark.parametrize("token", ["aut_", "aut_x:y:z", "aut_" + "A" * 500])
def test_a_made_up_token_is_refused(server: Server, token: str) -> None:
    answer = httpx.post(f"{server.url}/stt", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {"expires_in": 3601}, {"expires_in": 0}, {"expires_in": "60"}, {"expires_in": True},
        {"grants": ["stt"]}, {"grants": {"stt": "yes"}}, {"grants": {"admin": True}},
    ],
)  # fmt: skip
def test_an_order_that_makes_no_sense_gives_no_token(
    server: Server, body: dict[str, object]
) -> None:
    answer = httpx.post(f"{server.url}/access-token", headers=server.auth, json=body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error_code", "title", "message", "request_id"}


@pytest.mark.parametrize("content", [b"[1]", b"{", b'{"expires_in": 1', b"\xff", b"x" * 70_000])
def test_a_body_that_is_no_object_gives_no_token(server: Server, content: bytes) -> None:
    answer = httpx.post(f"{server.url}/access-token", headers=server.auth, content=content)
    assert answer.status_code in (400, 413)


def test_a_call_that_outlasts_its_client_is_joined_by_the_retry(quick: Server) -> None:
    """The SDKs hang up after 60 s and send the recording again: one transcript, one price."""
    member = quick.cast("impatient", "paid", 5)
    sound = (np.random.default_rng(4).normal(size=16_000 * 20) * 3000).astype("<i2").tobytes()
    key = member["Authorization"].removeprefix("Bearer ")
    hasty = Cartesia(api_key=key, base_url=quick.url, timeout=0.05, max_retries=0)
    patient = Cartesia(api_key=key, base_url=quick.url, max_retries=0)
    options = {"model": "ink-whisper", "encoding": "pcm_s16le", "sample_rate": 16_000}
    with pytest.raises(cartesia.APITimeoutError):
        hasty.stt.transcribe(file=("a.raw", sound), **options)  # type: ignore[arg-type]
    for _ in range(2):
        patient.stt.transcribe(file=("a.raw", sound), **options)  # type: ignore[arg-type]
    rows = httpx.get(f"{quick.url}/api/v1/transcripts/", headers=member).json()
    assert rows["count"] == 1
    account = httpx.get(f"{quick.url}/api/v1/account/", headers=member).json()
    assert account["credits"] == 4
