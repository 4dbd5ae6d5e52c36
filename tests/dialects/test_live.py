"""Live transcription as the clients speak it: official SDKs, unmodified, and what no SDK sends."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import SHUT_RDWR
from typing import Any

import httpx
import pytest
import websockets.sync.client as sockets
from cartesia import Cartesia
from sttai import STTClient
from websockets.exceptions import ConnectionClosed, ConnectionClosedOK, InvalidStatus

from conftest import Server
from dialects.conftest import Script
from processes import eventually

BEST = "best of times"
CHUNK = 3200
"""Bytes of a tenth of a second."""

MANUAL = "/stt/websocket?model=ink-whisper&encoding=pcm_s16le&sample_rate=16000"
TURNS = "/stt/turns/websocket?model=ink-2&encoding=pcm_s16le&sample_rate=16000"


@contextmanager
def connected(server: Server, path: str, key: str | None = None) -> Iterator[Any]:
    """A socket whose handshake carries a key, the owner's by default, or "" for none."""
    key = server.key if key is None else key
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    url = server.url.replace("http", "ws", 1) + path
    with sockets.connect(url, additional_headers=headers, max_size=1 << 16) as socket:
        yield socket


def send(socket: Any, pcm: bytes) -> None:
    for at in range(0, len(pcm), CHUNK):
        socket.send(pcm[at : at + CHUNK])


def until(socket: Any, done: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """All messages, up to the one that is waited for."""
    messages: list[dict[str, Any]] = []
    while not messages or not done(messages[-1]):
        messages.append(json.loads(socket.recv(timeout=90)))
    return messages


def refused(server: Server, path: str, key: str | None = None) -> httpx.Response:
    """The HTTP answer to a handshake."""
    with pytest.raises(InvalidStatus) as info, connected(server, path, key):
        pass
    found = info.value.response
    headers = list(found.headers.raw_items())
    return httpx.Response(found.status_code, headers=headers, content=bytes(found.body or b""))


def transcripts(server: Server, headers: dict[str, str] | None = None) -> list[dict[str, Any]]:
    answer = httpx.get(f"{server.url}/api/v1/transcripts/", headers=headers or server.auth)
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


def test_sttai_python(server: Server, pcm: bytes) -> None:
    messages: list[dict[str, Any]] = []
    client = STTClient(server.key, base_url=server.url)
    stream = client.stream(callback=messages.append, model="large-v3-turbo", language="en")
    # It waits for half a second by itself.
    eventually(lambda: stream._ws.sock and stream._ws.sock.connected, "the handshake")
    for at in range(0, len(pcm), CHUNK):
        stream.send(pcm[at : at + CHUNK])
    stream._ws.send(b"", opcode=2)  # finish(), but for its wait of half a minute
    final = eventually(lambda: stream._final_result, "the final message", 90)
    stream.close()
    assert final["is_final"]
    assert BEST in final["text"]
    assert all(isinstance(message["text"], str) for message in messages), "callbacks read it"
    said = [word["word"] for message in messages for word in message.get("words", ())]
    assert " ".join(said) == final["text"], "each word is said for good once"
    newest = transcripts(server)[0]
    assert newest["title"].startswith("Live, ")
    detail = httpx.get(f"{server.url}/api/v1/transcripts/{newest['slug']}/", headers=server.auth)
    assert BEST in detail.text


def test_sttai_node(node: Script, pcm: bytes, tmp_path: Path) -> None:
    raw = tmp_path / "samples"
    raw.write_bytes(pcm)
    found = node("sttai_stream.cjs", str(raw))
    assert BEST in found["transcripts"][-1]
    assert found["kinds"] == ["ready"]
    assert found["partials"]
    assert found["closed"]


def test_the_documented_way(server: Server, pcm: bytes) -> None:
    with connected(server, "/v1/stream") as socket:
        socket.send(json.dumps({"language": "en", "model": "large-v3-turbo"}))
        [ready] = until(socket, lambda _: True)
        assert ready["status"] == "ready"
        assert "text" not in ready
        send(socket, pcm)
        socket.send(json.dumps({"action": "stop"}))
        messages = until(socket, lambda message: "is_final" in message)
        with pytest.raises(ConnectionClosedOK):
            socket.recv(timeout=60)
    texts = [message["text"] for message in messages if "text" in message]
    assert BEST in " ".join(texts)
    assert all(texts), "an empty text would erase what a client shows"
    assert len(set(texts)) == len(texts), "each segment once"
    assert any(message["partial"] for message in messages)
    assert not any(message.get("error") for message in messages)


def test_a_text_that_grows_for_clients_that_replace_it(server: Server, pcm: bytes) -> None:
    with connected(server, "/v1/stream") as socket:
        socket.send(json.dumps({"language": "en", "cumulative": True}))
        send(socket, pcm)
        socket.send(b"")
        messages = until(socket, lambda message: "is_final" in message)
    assert BEST in messages[-1]["text"]


def test_sound_without_a_configuration_takes_the_defaults(server: Server, pcm: bytes) -> None:
    with connected(server, "/v1/stream") as socket:
        send(socket, pcm)
        socket.send(b"")
        messages = until(socket, lambda message: "is_final" in message)
    assert messages[0]["status"] == "ready"
    assert messages[-2]["language"] == "en"


def test_speakers_are_told_where_that_is_wanted(server: Server, pcm: bytes) -> None:
    with connected(server, "/v1/stream?language=en&diarize=true") as socket:
        send(socket, pcm)
        socket.send(b"")
        messages = until(socket, lambda message: "is_final" in message)
    words = [word for message in messages for word in message.get("words", ())]
    assert {word["speaker"] for word in words} == {"Speaker 1"}


@pytest.mark.parametrize("cut", [1, 1601, 1 << 20])
def test_sound_may_be_cut_anywhere(server: Server, pcm: bytes, cut: int) -> None:
    if cut == 1:
        parts = [pcm[at : at + 1] for at in range(2001)] + [pcm[2001:]]
    else:
        parts = [pcm[at : at + cut] for at in range(0, len(pcm), cut)]
    with connected(server, "/v1/stream?language=en") as socket:
        for part in parts:
            socket.send(part)
        socket.send(b"")
        final = until(socket, lambda message: "is_final" in message)[-1]
    assert BEST in final["text"]


def test_what_is_no_message_is_told_and_does_no_harm(server: Server, pcm: bytes) -> None:
    with connected(server, "/v1/stream") as socket:
        for wrong in ("nonsense", "[]", '{"language": 5}', '{"diarize": "perhaps"}'):
            socket.send(wrong)
            [message] = until(socket, lambda _: True)
            assert message["error"], wrong
        socket.send('{"language": "en"}')
        send(socket, pcm[: len(pcm) // 2])
        for wrong in ("nonsense", '{"action": "go"}', "{}", "\0" * 100_000):
            socket.send(wrong)
        send(socket, pcm[len(pcm) // 2 :])
        socket.send('{"action": "stop"}')
        socket.send(pcm)
        socket.send("after the end")
        messages = until(socket, lambda message: "is_final" in message)
    assert sum("error" in message for message in messages) >= 4
    assert BEST in " ".join(message.get("text", "") for message in messages)


def test_nothing_said_is_nothing_written(server: Server) -> None:
    with connected(server, "/v1/stream?language=en") as socket:
        socket.send(bytes(32_000))
        socket.send(b"")
        final = until(socket, lambda message: "is_final" in message)[-1]
    assert final["text"] == ""


def test_a_session_without_sound_leaves_nothing(server: Server) -> None:
    before = transcripts(server)[:1]
    with connected(server, "/v1/stream?language=en") as socket:
        until(socket, lambda _: True)
        socket.send(b"")
        until(socket, lambda message: "is_final" in message)
    assert transcripts(server)[:1] == before


def test_a_key_in_the_query_and_the_rest_in_a_frame(server: Server) -> None:
    """What a browser does, which cannot send a key in a header."""
    with connected(server, f"/v1/stream?token={server.key}", "") as socket:
        [first] = until(socket, lambda _: True)
        assert (first["status"], first["text"]) == ("ready", "")
        socket.send(json.dumps({"language": "klingon"}))
        [wrong] = until(socket, lambda _: True)
        assert "klingon" in wrong["error"]
        assert wrong["text"] == ""
        socket.send(json.dumps({"language": "de", "cumulative": False}))
        [second] = until(socket, lambda _: True)
        assert second["status"] == "ready"
        socket.send(json.dumps({"action": "stop"}))
        assert until(socket, lambda message: "is_final" in message)[-1]["final"]


@pytest.mark.parametrize("frame", [b"", json.dumps({"action": "stop"})])
def test_a_first_frame_may_be_the_end(server: Server, frame: bytes | str) -> None:
    with connected(server, "/v1/stream") as socket:
        socket.send(frame)
        messages = until(socket, lambda message: "is_final" in message)
        with pytest.raises(ConnectionClosedOK):
            socket.recv(timeout=60)
    assert messages[0]["status"] == "ready"


def test_who_hangs_up_has_his_words_stored(server: Server, pcm: bytes) -> None:
    with connected(server, "/v1/stream?language=en") as socket:
        send(socket, pcm)
        until(socket, lambda message: bool(message.get("partial")))
        socket.socket.shutdown(SHUT_RDWR)
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        newest = transcripts(server)[0]
        detail = httpx.get(
            f"{server.url}/api/v1/transcripts/{newest['slug']}/", headers=server.auth
        ).json()
        if BEST in json.dumps(detail):
            return
        time.sleep(0.2)
    raise AssertionError("what was said is lost")


def test_handshakes_are_refused_as_requests_are(server: Server) -> None:
    wrong = refused(server, "/v1/stream?token=nobody", key="")
    assert wrong.status_code == 401
    assert "key" in wrong.json()["error"]
    for path in ("/v1/stream?language=klingon", "/v1/stream?model=nobody"):
        assert refused(server, path).status_code == 400
    assert refused(server, "/v1/stream?model=medium").status_code == 503


def test_sessions_take_the_places_of_recordings(server: Server) -> None:
    """Two at a time, in the free plan."""
    key = server.cast("live-two", minutes=5)["Authorization"].removeprefix("Bearer ")
    with (
        connected(server, "/v1/stream?language=en", key) as first,
        connected(server, "/v1/stream?language=en", key) as second,
    ):
        until(first, lambda _: True)
        until(second, lambda _: True)
        answer = refused(server, "/v1/stream?language=en", key)
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) > 0
        for socket in (first, second):
            socket.send(b"")
            until(socket, lambda message: "is_final" in message)
    with connected(server, "/v1/stream?language=en", key) as again:
        assert until(again, lambda _: True)[0]["status"] == "ready"


def test_cartesia_manual(server: Server, pcm: bytes) -> None:
    client = Cartesia(api_key=server.key, base_url=server.url)
    with client.stt.manual_finalize.websocket(
        encoding="pcm_s16le", model="ink-whisper", sample_rate=16_000, language="en"
    ) as socket:
        for at in range(0, len(pcm), CHUNK):
            socket.send_raw(pcm[at : at + CHUNK])
        socket.send("finalize")
        found: list[Any] = []
        for message in socket:
            found.append(message)
            if message.type == "flush_done":
                socket.send("close")
    kinds = [message.type for message in found]
    assert kinds[-2:] == ["flush_done", "done"]
    finals = [message for message in found if message.type == "transcript" and message.is_final]
    assert BEST in "".join(message.text for message in finals)
    assert len({message.request_id for message in found}) == 1


def test_cartesia_turns(server: Server, pcm: bytes) -> None:
    client = Cartesia(api_key=server.key, base_url=server.url)
    with client.stt.auto_finalize.websocket(
        encoding="pcm_s16le", model="ink-2", sample_rate=16_000
    ) as socket:
        socket.send({"type": "config", "turn": {"end_timeout_ms": 700}})
        for at in range(0, len(pcm), CHUNK):
            socket.send_raw(pcm[at : at + CHUNK])
        for _ in range(20):  # silence, as fast as it is heard: who answers eagerly has the time
            socket.send_raw(bytes(16_000 // 10))
            time.sleep(0.05)
        socket.send({"type": "close"})
        found = list(socket)
    kinds = [message.type for message in found]
    assert kinds[0] == "connected"
    assert kinds.index("turn.start") < kinds.index("turn.update") < kinds.index("turn.end")
    assert kinds.count("turn.start") == kinds.count("turn.end")
    assert "turn.eager_end" in kinds
    eager = ""
    for message in found:
        if message.type in ("turn.eager_end", "turn.resume"):
            eager = getattr(message, "transcript", "")
        elif message.type == "turn.end" and eager:
            assert message.transcript == eager, "who has answered eagerly would answer again"
            eager = ""
    ends = [message.transcript for message in found if message.type == "turn.end"]
    assert BEST in " ".join(ends)


def test_a_line_that_is_held_up_cuts_no_word(server: Server, pcm: bytes) -> None:
    """Nothing comes for three seconds, within a word; nothing more comes after a pause."""
    half = 14 * CHUNK
    with connected(server, TURNS) as socket:
        send(socket, pcm[:half])
        time.sleep(3)
        send(socket, pcm[half:] + bytes(4 * CHUNK))
        ended = until(socket, lambda message: message["type"] == "turn.end")
    assert BEST in ended[-1]["transcript"]


def test_cartesia_node(node: Script, pcm: bytes, tmp_path: Path) -> None:
    raw = tmp_path / "samples"
    raw.write_bytes(pcm)
    found = node("cartesia_live.cjs", str(raw))
    assert BEST in found["manual"]["text"]
    assert found["manual"]["kinds"][-1] == "done"
    assert BEST in found["turns"]["text"]
    assert found["turns"]["kinds"][-1] == "turn.end"


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("/stt/websocket?model=ink-whisper", "encoding"),
        ("/stt/websocket?encoding=pcm_s16le&sample_rate=16000", "model"),
        (f"{MANUAL}&min_volume=2", "min_volume"),
        (f"{MANUAL}&max_silence_duration_secs=soon", "max_silence_duration_secs"),
        (f"{MANUAL}&cartesia_version=yesterday", "Cartesia-Version"),
        (f"{TURNS}&turn_end_threshold=0.9", "turn_end_threshold"),
        (f"{TURNS}&turn_start_threshold=0.5&turn_eager_end_threshold=0.6", "eager_end_threshold"),
        (f"{TURNS}" + "&keyterm=x" * 101, "keyterm"),
    ],
)
def test_cartesia_refuses_what_it_cannot_serve(server: Server, path: str, wrong: str) -> None:
    answer = refused(server, path)
    assert answer.status_code == 400
    assert wrong in answer.json()["message"]
    assert answer.headers["x-request-id"] == answer.json()["request_id"]


def test_cartesia_needs_a_key(server: Server) -> None:
    assert refused(server, MANUAL, key="").status_code == 401
    assert refused(server, TURNS, key="sk_nobody").status_code == 401


def test_cartesia_takes_its_tokens(server: Server) -> None:
    token = Cartesia(api_key=server.key, base_url=server.url).access_token.create(
        grants={"stt": True}, expires_in=60
    )
    with connected(server, f"{TURNS}&access_token={token.token}", key="") as socket:
        [message] = until(socket, lambda _: True)
    assert message["type"] == "connected"


def test_commands_that_are_none_are_told(server: Server, pcm: bytes) -> None:
    with connected(server, MANUAL) as socket:
        socket.send("nonsense")
        [message] = until(socket, lambda _: True)
        assert (message["type"], message["code"], message["status_code"]) == ("error", 400, 400)
        send(socket, pcm)
        socket.send("done")
        messages = until(socket, lambda message: message["type"] == "done")
    assert BEST in "".join(m["text"] for m in messages if m.get("is_final"))
    with connected(server, TURNS) as socket:
        for wrong in ("close", '{"type": "config", "turn": {"end_threshold": 9}}', '{"type": 5}'):
            socket.send(wrong)
            until(socket, lambda message: message["type"] == "error")


@pytest.mark.parametrize("path", ["/v1/strea", "/stt/websockets", "/api/v1/account/", "/"])
def test_sockets_elsewhere_are_refused(server: Server, path: str) -> None:
    with pytest.raises((InvalidStatus, ConnectionClosed)), connected(server, path):
        pass
