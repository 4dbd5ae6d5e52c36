"""The STT.ai dialect over HTTP, on a real server with a real worker."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
import srt
import webvtt

from conftest import Server, start_server, stop_server
from processes import eventually
from sounds import encode, read_wav, tone, wav


@pytest.fixture(scope="module")
def sentence(recording: Path) -> bytes:
    """Two clauses of Dickens as MP3."""
    samples, rate = read_wav(recording)
    narrow = np.interp(np.arange(0, 5, 1 / 16_000), np.arange(len(samples)) / rate, samples)
    return encode(narrow.astype(np.float32), "mp3", "mp3", 16_000)


@pytest.fixture(scope="module")
def api(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers=server.auth, timeout=120) as client:
        yield client


def post(api: httpx.Client, content: bytes, name: str = "a.mp3", **fields: str) -> httpx.Response:
    return api.post("/v1/transcribe", files={"file": (name, content)}, data=fields)


def test_a_recording_goes_in_and_a_transcript_comes_out(api: httpx.Client, sentence: bytes) -> None:
    answer = post(api, sentence)
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"text", "language", "duration", "segments", "speakers", "model"}
    assert body["text"].startswith("It was the best of times")
    assert (body["language"], body["model"], body["speakers"]) == ("en", "base", ["Speaker 1"])
    assert answer.headers["X-Model"] == "base"
    assert body["duration"] == pytest.approx(5, abs=0.2)
    segment = body["segments"][0]
    assert set(segment) == {"start", "end", "text", "speaker", "confidence", "words"}
    assert set(segment["words"][0]) == {"word", "start", "end"}
    assert segment["words"][0]["word"] == "It"


def test_without_diarization_nobody_is_named(api: httpx.Client, sentence: bytes) -> None:
    body = post(api, sentence, diarize="false").json()
    assert body["speakers"] == []
    assert all("speaker" not in segment for segment in body["segments"])


def test_every_field_of_the_document_is_taken(api: httpx.Client, sentence: bytes) -> None:
    fields = {"model": "large-v3-turbo", "language": "auto", "diarize": "true", "speakers": "2"}
    body = post(api, sentence, **fields, response_format="verbose_json").json()
    assert (body["model"], body["language"]) == ("base", "en")


def test_text_formats_are_sent_as_they_are(api: httpx.Client, sentence: bytes) -> None:
    for name in ("txt", "text"):
        answer = post(api, sentence, response_format=name)
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.text.startswith("It was the best of times")
    answer = post(api, sentence, response_format="srt")
    assert answer.headers["content-type"].startswith("application/x-subrip")
    assert next(srt.parse(answer.text)).content.startswith("It was the best")
    answer = post(api, sentence, response_format="vtt")
    assert answer.headers["content-type"].startswith("text/vtt")
    assert webvtt.from_string(answer.text)[0].text.startswith("It was the best")


def test_a_client_that_reads_only_json_gets_text_as_a_json_string(
    api: httpx.Client, sentence: bytes
) -> None:
    for headers in ({"User-Agent": "stt-ai-python/0.1.0"}, {"Accept": "application/json"}):
        answer = api.post(
            "/v1/transcribe",
            files={"file": sentence},
            data={"response_format": "srt"},
            headers=headers,
        )
        assert answer.json().startswith("1\n00:00:0")


def test_silence_is_an_empty_transcript(api: httpx.Client) -> None:
    body = post(api, wav(np.zeros(48_000, np.float32))).json()
    assert (body["text"], body["segments"], body["speakers"]) == ("", [], [])
    assert body["duration"] == 3.0
    assert post(api, wav(np.zeros(48_000, np.float32)), response_format="srt").text == ""


VIDEO_HEAD = encode(tone(1), "mp4", "aac", 44_100)
BAD = {
    "no file": ({}, None, "No file was sent"),
    "empty file": ({}, b"", "The file is empty"),
    "text": ({}, b"this is text, not sound " * 50, "not a recording"),
    "web page": ({}, b"<!doctype html><title>a video</title>" * 50, "not a recording"),
    "mp4 cut off": ({}, VIDEO_HEAD[:-2000], "not a recording"),
    "wav without samples": ({}, wav(tone(1))[:44], "no sound could be decoded"),
    "unknown model": ({"model": "gpt-9"}, b"RIFF", "Unknown model 'gpt-9'. Send one of"),
    "unknown language": ({"language": "klingon"}, b"RIFF", "Unknown language 'klingon'"),
    "bad speakers": ({"speakers": "many"}, b"RIFF", "speakers must be a whole number"),
    "too many speakers": ({"speakers": "21"}, b"RIFF", "speakers must be a whole number"),
    "negative speakers": ({"speakers": "-1"}, b"RIFF", "speakers must be a whole number"),
    "endless speakers": ({"speakers": "9" * 5000}, b"RIFF", "speakers must be a whole number"),
    "bad diarize": ({"diarize": "maybe"}, b"RIFF", "diarize must be 'true' or 'false'"),
    "bad format": ({"response_format": "xml"}, b"RIFF", "Unknown response_format 'xml'"),
}


@pytest.mark.parametrize(("fields", "content", "words"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_told_what_is_wrong(
    api: httpx.Client, server: Server, fields: dict[str, str], content: bytes | None, words: str
) -> None:
    files: Any = {"file": ("a.mp3", content)} if content is not None else {"other": (None, "x")}
    answer = api.post("/v1/transcribe", files=files, data=fields)
    assert answer.status_code == 400
    assert list(answer.json()) == ["error"]
    assert words in answer.json()["error"]
    assert list((server.data / "uploads").iterdir()) == []


def test_a_file_in_the_wrong_field_is_told_so(api: httpx.Client, sentence: bytes) -> None:
    answer = api.post("/v1/transcribe", files={"audio": ("a.mp3", sentence)})
    assert answer.status_code == 400
    assert "It came in 'audio'" in answer.json()["error"]


def test_the_broken_node_upload_is_told_how_to_mend_it(api: httpx.Client) -> None:
    headers = {"Content-Type": "text/plain;charset=UTF-8"}
    answer = api.post("/v1/transcribe", content=b"[object FormData]", headers=headers)
    assert answer.status_code == 400
    headers = {"Content-Type": "multipart/form-data"}
    answer = api.post("/v1/transcribe", content=b"[object FormData]", headers=headers)
    assert answer.status_code == 400
    assert "node-fetch" in answer.json()["error"]


def test_a_model_that_is_not_installed_names_the_command(
    api: httpx.Client, sentence: bytes
) -> None:
    answer = post(api, sentence, model="medium")
    assert answer.status_code == 503
    assert "auricle models pull medium" in answer.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/nothing", 404), ("GET", "/v1/transcribe", 405), ("DELETE", "/v1/models", 405),
     ("GET", "/api/v1/nothing", 404), ("GET", "/api/v1/nothing/", 404),
     ("POST", "/api/v1/account/", 405), ("GET", "/api/v1/transcripts/987654321/", 404)],
)  # fmt: skip
def test_every_error_has_the_same_shape(
    api: httpx.Client, method: str, path: str, status: int
) -> None:
    answer = api.request(method, path)
    assert answer.status_code == status
    assert list(answer.json()) == ["error"]


def test_models_languages_and_health(api: httpx.Client) -> None:
    models = api.get("/v1/models").json()["models"]
    assert {model["id"] for model in models} == {"large-v3-turbo", "base"}
    assert set(models[0]) == {"id", "name", "languages", "speed", "description"}
    languages = api.get("/v1/languages").json()["languages"]
    assert len(languages) == 99
    assert {"code": "en", "name": "english"} in languages
    health = httpx.get(f"{api.base_url}/health")
    assert health.status_code == 200
    assert set(health.json()) == {"status", "gpu_available", "gpu_name", "gpu_memory_mb"}
    assert health.json()["status"] == "ok"
    assert {"version", "workers", "queue"} < set(api.get("/health").json()), "for operators"


def test_the_documentation_needs_no_other_site(api: httpx.Client) -> None:
    page = api.get("/docs/api")
    assert page.status_code == 200
    assert "http" not in page.text.replace("http-equiv", "")
    for asset in ("swagger-ui.css", "swagger-ui-bundle.js"):
        assert api.get(f"/docs/api/ui/{asset}").status_code == 200
    document = api.get("/docs/api/openapi.json").json()
    body = document["paths"]["/v1/transcribe"]["post"]["requestBody"]["content"]
    properties = body["multipart/form-data"]["schema"]["properties"]
    assert set(properties) == {
        "file", "model", "language", "diarize", "speakers", "response_format", "enhance",
    }  # fmt: skip


class Endless:
    """The beginning of a 2 GB upload, and how much of it was asked for."""

    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'

    def __init__(self, total: int) -> None:
        self.total = total
        self.sent = 0

    def __iter__(self) -> Iterator[bytes]:
        yield self.head
        block = bytes(1 << 20)
        while self.sent < self.total:
            self.sent += len(block)
            yield block


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Server]:
    """A server that takes three seconds."""
    running = start_server(tmp_path_factory.mktemp("small"), models_dir, max_audio_hours="0.001")
    yield running
    stop_server(running)


@pytest.mark.parametrize("declared", [True, False], ids=["with length", "chunked"])
def test_an_upload_that_is_too_large_is_refused_long_before_its_end(
    small: Server, declared: bool
) -> None:
    body = Endless(2 << 30)
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    if declared:
        headers["Content-Length"] = str((2 << 30) + len(body.head))
    web = psutil.Process(small.process.pid)
    before = web.memory_info().rss
    answer = httpx.post(
        f"{small.url}/v1/transcribe", content=iter(body), headers=headers, timeout=60
    )
    assert answer.status_code == 413
    assert "larger than 100 MB" in answer.json()["error"], "without a key"
    assert body.sent < 200 << 20
    assert web.memory_info().rss - before < 50 << 20
    assert list((small.data / "uploads").iterdir()) == []


def test_a_recording_that_is_too_long_is_refused(small: Server) -> None:
    content = encode(tone(20), "mp3", "mp3", 16_000)
    answer = httpx.post(
        f"{small.url}/v1/transcribe", files={"file": content}, headers=small.auth, timeout=60
    )
    assert answer.status_code == 413
    assert "longer than" in answer.json()["error"]


def test_a_client_that_hangs_up_leaves_nothing(server: Server) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    head = (
        b"POST /v1/transcribe HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    )
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(head + bytes(3_000_000))
        time.sleep(0.3)
    deadline = time.monotonic() + 10
    while list((server.data / "uploads").iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list((server.data / "uploads").iterdir()) == []


def test_several_requests_at_once_get_their_own_answers(
    api: httpx.Client, server: Server, sentence: bytes
) -> None:
    silence = wav(np.zeros(32_000, np.float32))

    def ask(number: int) -> str:
        content = sentence if number % 2 else silence
        answer = httpx.post(
            f"{server.url}/v1/transcribe",
            files={"file": content},
            data={"language": "en" if number < 4 else "de"},
            headers=server.auth,
            timeout=120,
        )
        return str(answer.json()["text"])

    with ThreadPoolExecutor(6) as pool:
        texts = list(pool.map(ask, range(6)))
    assert [bool(text) for text in texts] == [False, True] * 3
    assert texts[1] == texts[3]


def test_the_web_process_holds_no_inference_runtime(server: Server, api: httpx.Client) -> None:
    web = psutil.Process(server.process.pid)
    loaded = {Path(region.path).name for region in web.memory_maps()}
    for runtime in ("ctranslate2", "onnxruntime", "libavcodec", "tokenizers"):
        assert not [name for name in loaded if runtime in name]
    worker = psutil.Process(server.worker_pid())
    assert [region for region in worker.memory_maps() if "ctranslate2" in region.path]


def test_a_worker_that_is_killed_costs_nothing_but_time(
    tmp_path: Path, models_dir: Path, recording: Path
) -> None:
    running = start_server(tmp_path, models_dir, engine="fake:5")
    try:
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(ask, running, recording.read_bytes())
            eventually(lambda: running_jobs(running) == 1, "the job to run", 30)
            psutil.Process(running.worker_pid()).kill()
            answer = asked.result()
        assert answer.status_code == 200
        assert answer.json()["text"].startswith("Window number ")
    finally:
        stop_server(running)


def ask(server: Server, content: bytes, timeout: float = 120) -> httpx.Response:
    """Transcribe as the owner."""
    return httpx.post(
        f"{server.url}/v1/transcribe",
        files={"file": content},
        headers=server.auth,
        timeout=timeout,
    )


def running_jobs(server: Server) -> int:
    """How many transcriptions are under way."""
    health = httpx.get(f"{server.url}/health", headers=server.auth).json()
    return int(health["queue"]["running"])


def test_a_second_server_is_refused_and_stopping_leaves_no_process(
    tmp_path: Path, models_dir: Path
) -> None:
    running = start_server(tmp_path, models_dir, engine="fake")
    try:
        assert httpx.get(f"{running.url}/health").status_code == 200
        (tmp_path / "uploads" / "in-flight").write_text("of the first server")
        with pytest.raises(AssertionError, match="Another server is running"):
            start_server(tmp_path, models_dir)
        assert (tmp_path / "uploads" / "in-flight").exists()
        family = psutil.Process(running.process.pid).children(recursive=True)
        assert len(family) >= 4  # the database, the worker, two jails
    finally:
        stop_server(running)
    assert running.process.returncode == 0
    _, alive = psutil.wait_procs(family, timeout=60)
    assert not alive
    assert list((tmp_path / "run" / "database").iterdir()) == []


def test_an_upload_that_is_sent_again_joins_the_first(server: Server, recording: Path) -> None:
    """SDKs time out after a minute and send the same again."""
    samples, rate = read_wav(recording)
    auth = server.cast("patient", minutes=1)
    minute = wav(np.tile(samples, 2)[: 60 * rate], rate=rate)

    def sent(read: float) -> httpx.Response:
        return httpx.post(
            f"{server.url}/v1/transcribe",
            files={"file": minute},
            headers=auth,
            timeout=httpx.Timeout(30, read=read),
        )

    with pytest.raises(httpx.ReadTimeout):
        sent(0.2)
    assert sent(120).status_code == 200
    listed = httpx.get(f"{server.url}/api/v1/transcripts/", headers=auth).json()
    assert listed["count"] == 1
    account = httpx.get(f"{server.url}/api/v1/account/", headers=auth).json()
    assert account["credits"] == 600, "601 less one minute"
    folders = server.data / "uploads", server.data / "blobs"
    eventually(lambda: not [file for folder in folders for file in folder.iterdir()], "no file", 20)


def test_killing_the_server_takes_its_worker_along(tmp_path: Path, models_dir: Path) -> None:
    running = start_server(tmp_path, models_dir, engine="fake")
    family = psutil.Process(running.process.pid).children(recursive=True)
    running.process.kill()
    running.process.wait()
    _, alive = psutil.wait_procs(family, timeout=60)
    assert not alive
