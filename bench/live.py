"""Live sessions through the real server: how soon words come, how right they are, how many
sessions this machine holds."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from websockets.sync.client import ClientConnection, connect

from auricle.media import SAMPLE_RATE, MediaPool
from bench.clips import serving
from bench.corpus import (
    NONE,
    ROOT,
    SPEECH,
    Item,
    Samples,
    compare,
    language,
    manifest,
    report,
    write_wav,
)

sys.path[:0] = [str(ROOT / "tests")]

from installation import Running  # noqa: E402

STEP_S = 0.1
CLIPS = 24
"""Clips of read speech, joined with a second of silence between them."""

MOST_S = 240.0
"""Seconds of each stream."""

TOGETHER = (2, 4, 6, 8)
"""Sessions at a time that are tried, as long as words come soon enough."""

SOON_S = 3.0
"""Latency (95 of 100 words) up to which a machine is said to hold so many."""

IDLE = 50


@dataclass
class Heard:
    """What became of one stream."""

    text: str = ""
    committed: list[float] = field(default_factory=list)
    """Seconds from the end of each word in the sound to its commit."""
    shown: list[float] = field(default_factory=list)
    """The same to its first appearance in a partial."""
    retractions: int = 0
    """Messages whose committed words do not begin with those of the one before."""


def run() -> None:
    """Two streams at a time for latency and errors, then more and more of them."""
    with MediaPool() as media:
        streams = [*_long(media), _read(media)]
    with serving() as server:
        url = server.url.replace("http", "ws", 1) + "/v1/stream?language=en&token=" + server.key
        pairs = [streams[at : at + 2] for at in range(0, len(streams), 2)]
        heard = [one for pair in pairs for one in _together(url, [sound for _, sound in pair])]
        whole = [_whole(server, sound) for _, sound in streams]
        held = _held(url, streams[0][1])
        idle = _idle(url)
    live = file = NONE
    for (item, _), one, text in zip(streams, heard, whole, strict=True):
        live, file = live + compare(item, one.text), file + compare(item, text)
    committed = [seconds for one in heard for seconds in one.committed]
    shown = [seconds for one in heard for seconds in one.shown]
    report(
        "live",
        seconds=round(sum(len(sound) for _, sound in streams) / SAMPLE_RATE),
        commit_p50_s=round(statistics.median(committed), 2),
        commit_p95_s=round(float(np.quantile(committed, 0.95)), 2),
        partial_p50_s=round(statistics.median(shown), 2),
        partial_p95_s=round(float(np.quantile(shown, 0.95)), 2),
        retractions=sum(one.retractions for one in heard),
        wer_live=round(live.wer, 2),
        wer_whole=round(file.wer, 2),
        sessions=held,
        idle_session_kb=round(idle / 1000),
    )


def _long(media: MediaPool) -> list[tuple[Item, Samples]]:
    """Recordings short enough to be streamed to their end."""
    items = [item for item in manifest("longform") if item["seconds"] <= MOST_S]
    return [(item, _samples(media, item)) for item in items]


def _read(media: MediaPool) -> tuple[Item, Samples]:
    """Clips of read speech as one stream."""
    items = manifest("en_read")
    items = items[:: max(1, len(items) // CLIPS)][:CLIPS]
    silence = np.zeros(SAMPLE_RATE, np.float32)
    parts = [part for item in items for part in (_samples(media, item), silence)]
    joined = dict(items[0]) | {"text": " ".join(item["text"] for item in items), "path": "en_read"}
    return joined, np.concatenate(parts)


def _samples(media: MediaPool, item: Item) -> Samples:
    assert language(item) == "en"
    with (SPEECH / item["path"]).open("rb") as file:
        return np.concatenate(list(media.decode(file, item["path"], max_seconds=1e6)))


def _together(url: str, sounds: list[Samples]) -> list[Heard]:
    with ThreadPoolExecutor(len(sounds)) as pool:
        return list(pool.map(lambda sound: _stream(url, sound), sounds))


def _stream(url: str, sound: Samples) -> Heard:
    """Send sound as fast as it was spoken."""
    heard = Heard()
    with connect(url) as socket:
        json.loads(socket.recv())
        began = time.monotonic()
        sending = threading.Thread(target=send, args=(socket, sound, began))
        sending.start()
        words: list[dict[str, Any]] = []
        waiting: dict[str, float] = {}
        while True:
            message = json.loads(socket.recv(timeout=60))
            now = time.monotonic() - began
            for position, word in enumerate(message["partial"].split(), len(words)):
                waiting.setdefault(f"{position} {word.strip('.,?!').lower()}", now)
            for word in message.get("words", ()):
                heard.committed.append(now - word["end"])
                key = f"{len(words)} {word['word'].strip('.,?!').lower()}"
                heard.shown.append(waiting.get(key, now) - word["end"])
                words.append(word)
            said = " ".join(word["word"] for word in words)
            if not message["text"].startswith(said):
                heard.retractions += 1
            if message.get("final"):
                break
        sending.join()
        heard.text = message["text"]
    return heard


def send(socket: ClientConnection, sound: Samples, began: float) -> None:
    """Send sound as fast as it was spoken, from a moment on; then say that it was all."""
    step = round(STEP_S * SAMPLE_RATE)
    pcm = (sound * 32767).astype("<i2")
    for at in range(0, len(pcm), step):
        part = pcm[at : at + step]
        time.sleep(max(0.0, began + (at + len(part)) / SAMPLE_RATE - time.monotonic()))
        socket.send(part.tobytes())
    socket.send(b"")


def _held(url: str, sound: Samples) -> int:
    """Sessions at a time at which words still come soon."""
    held = 0
    for count in TOGETHER:
        part = sound[: 60 * SAMPLE_RATE]
        late = [seconds for one in _together(url, [part] * count) for seconds in one.committed]
        p95 = float(np.quantile(late, 0.95))
        print(f"{count} sessions: p50 {statistics.median(late):.2f} s, p95 {p95:.2f} s")
        if p95 > SOON_S:
            break
        held = count
    return held


def _idle(url: str) -> float:
    """Bytes that a session without speech takes in the worker and the server."""
    own = [
        process
        for process in psutil.process_iter(["cmdline"])
        if "auricle.cli" in (process.info["cmdline"] or ())
    ]
    quiet = bytes(2 * SAMPLE_RATE)

    def memory() -> int:
        return sum(process.memory_info().rss for process in own)

    sockets = [connect(url)]
    sockets[0].send(quiet)
    time.sleep(3)
    before = memory()
    for _ in range(IDLE):
        sockets.append(connect(url))
        sockets[-1].send(quiet)
    time.sleep(5)
    after = memory()
    for socket in sockets:
        socket.close()
    return (after - before) / IDLE


def _whole(server: Running, sound: Samples) -> str:
    """The same sound, sent as a file."""
    with tempfile.TemporaryDirectory() as folder, server.client() as client:
        path = write_wav(sound, SAMPLE_RATE, Path(folder))
        with path.open("rb") as file:
            data = {"language": "en", "diarize": "false"}
            answer = client.post("/v1/transcribe", files={"file": file}, data=data, timeout=600)
    answer.raise_for_status()
    return str(answer.json()["text"])
