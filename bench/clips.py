"""Short clips through HTTP, by several clients at once; and a clip behind an hour's recording."""

from __future__ import annotations

import itertools
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np

from auricle.media import SAMPLE_RATE, MediaPool
from bench.corpus import (
    MODEL,
    ROOT,
    SPEECH,
    Item,
    decoded,
    language,
    manifest,
    report,
    write_wav,
)

sys.path[:0] = [str(ROOT / "tests")]

from installation import Installation, Running  # noqa: E402
from processes import free_port  # noqa: E402

CLIPS = 64
CLIENTS = (1, 4, 16)
ROUNDS = 3
ASKED = 7
"""Times that the clip is sent alone, and times behind the hour."""

_number = itertools.count()


def run() -> None:
    """Measure both servers with the same clips, one after the other."""
    clips = [item for item in manifest("en_read") if 1 < item["seconds"] < 12][:CLIPS]
    with tempfile.TemporaryDirectory() as folder, serving() as server:
        ours = {clients: _rate(server, clips, clients) for clients in CLIENTS}
        long = _rate(server, manifest("longform"), 1)
        hour = _hour(Path(folder))
        alone, behind = _behind(server, hour, Path(folder))
        first = _first(server, hour)
    with _peer() as server:
        theirs = {clients: _rate(server, clips, clients) for clients in CLIENTS}
    for clients in CLIENTS:
        print(f"{clients:2} clients: {ours[clients]:5.1f} x, peer {theirs[clients]:5.1f} x")
    print(
        f"long recordings: {long:.1f} x; a 3 s clip alone {alone:.2f} s, behind 1 h {behind:.2f} s"
    )
    report(
        "clips",
        clips=len(clips),
        seconds=round(sum(item["seconds"] for item in clips)),
        times_real_time={str(n): round(rate, 1) for n, rate in ours.items()},
        peer={str(n): round(rate, 1) for n, rate in theirs.items()},
        long=round(long, 1),
        share_of_long=round(ours[max(CLIENTS)] / long, 2),
        clip_alone_s=round(alone, 2),
        clip_behind_an_hour_s=round(behind, 2),
        first_words_of_an_hour_s=round(first, 2),
    )


@contextmanager
def serving() -> Iterator[Running]:
    """Our server, with an installation of its own."""
    settings = {"engine": "auto", "models": str(MODEL.parent)}
    with (
        tempfile.TemporaryDirectory() as folder,
        Installation(Path(folder) / "data", settings).serving() as server,
    ):
        yield server


def _rate(server: Running, items: list[Item], clients: int) -> float:
    """Times real time at which the recordings are answered; the median of a few rounds."""
    seconds = sum(item["seconds"] for item in items)
    with server.client() as client, ThreadPoolExecutor(clients) as pool:

        def send(item: Item) -> float:
            return _took(client, SPEECH / item["path"], language(item))

        send(items[0])
        rates: list[float] = []
        for _ in range(ROUNDS):
            began = time.monotonic()
            list(pool.map(send, items))
            rates.append(seconds / (time.monotonic() - began))
    print(
        f"{len(items)} recordings, {clients} clients: {statistics.median(rates):.1f} x", flush=True
    )
    return statistics.median(rates)


def _hour(folder: Path) -> Path:
    """An hour's recording, of shorter ones."""
    sound = decoded(manifest("longform")[0]["path"])
    return write_wav(np.resize(sound, 3600 * SAMPLE_RATE), SAMPLE_RATE, folder)


def _behind(server: Running, hour: Path, folder: Path) -> tuple[float, float]:
    """Seconds for a clip of 3 s alone, and while an hour is being transcribed."""
    with MediaPool() as media, hour.open("rb") as file:
        sound = next(media.decode(file, max_seconds=1e6))
    clip = write_wav(sound[SAMPLE_RATE : 4 * SAMPLE_RATE], SAMPLE_RATE, folder)
    with server.client() as client, server.client() as other:
        alone = [_took(client, clip, "en") for _ in range(ASKED)]
        thread = threading.Thread(target=_took, args=(other, hour, "en"))
        thread.start()
        time.sleep(8)
        behind = [_took(client, clip, "en") for _ in range(ASKED)]
        if not thread.is_alive():
            raise SystemExit("the hour was done before the clips were")
        thread.join()
    print(f"a clip of 3 s alone: {statistics.median(alone):.2f} s; behind an hour: {behind}")
    return statistics.median(alone), max(behind)


def _first(server: Running, hour: Path) -> float:
    """Seconds until the first words of an hour's recording are there, sent as events."""
    data = {"model": "base", "language": "en", "stream": "true", "prompt": " " * next(_number)}
    began = time.monotonic()
    with (
        server.client() as client,
        hour.open("rb") as file,
        client.stream(
            "POST", "/v1/audio/transcriptions", data=data, files={"file": file}, timeout=600
        ) as answer,
    ):
        answer.raise_for_status()
        next(line for line in answer.iter_lines() if "transcript.text.delta" in line)
        took = time.monotonic() - began
    print(f"first words of an hour: {took:.2f} s")
    return took


def _took(client: httpx.Client, path: Path, spoken: str) -> float:
    """Seconds until a recording is answered, with its words' times."""
    # Another prompt each time, though an empty one: what is sent again is not transcribed again.
    data = {"model": "base", "language": spoken, "prompt": " " * next(_number)}
    asked = {"response_format": "verbose_json", "timestamp_granularities[]": "word"}
    began = time.monotonic()
    with path.open("rb") as file:
        answer = client.post(
            "/v1/audio/transcriptions", data=data | asked, files={"file": file}, timeout=600
        )
    answer.raise_for_status()
    return time.monotonic() - began


@contextmanager
def _peer() -> Iterator[Running]:
    """faster-whisper behind HTTP as it is usually put there: one request at a time."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "bench.peer", str(port)], cwd=ROOT)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                httpx.get(url)
                break
            except httpx.TransportError:
                time.sleep(0.2)
        yield Running(url, "none")
    finally:
        process.terminate()
        process.wait(20)
