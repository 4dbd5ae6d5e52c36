"""Load and kills: clients that send until they are answered, while everything is killed.

Used by the tests (a dozen kills) and by the bench (a thousand).
"""

from __future__ import annotations

import itertools
import math
import random
import re
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil

from processes import Installation, auricle, environment, eventually, kept
from sounds import RATE, read_wav, wav

CLIENTS = 6
LENGTHS = (1, 2, 4)
"""How often a talk repeats the recording: two windows each time."""

LANGUAGES = ("en", "de", "fr", "auto")
GRANTED = 1_000_000
PATIENCE_S = 900.0
"""Seconds that a client tries in all. How many of them go by while everything starts again, only to
be killed again, depends on the machine."""

PAUSE_S = 0.3
"""Seconds that a client waits before it tries again."""

KINDS = ("web", "worker", "postmaster", "backend")
"""What is killed: the server, its worker, its database, one of its database's processes."""

READY_FIRST = 0.7
"""Share of the kills that wait until the server answers again."""

FORSAKEN = 7
"""Every so many clients give up at once, and never come back for their answer."""

Span = tuple[float, float]


@dataclass(frozen=True)
class Talk:
    """A recording to be sent, unlike all others."""

    number: int
    repeats: int
    language: str
    content: bytes

    @property
    def name(self) -> str:
        return f"talk-{self.number}"


class Talks:
    """Makes recordings: real speech, each with its number in its first samples."""

    def __init__(self, recording: Path, seed: int) -> None:
        samples, rate = read_wav(recording)
        times = np.arange(0, len(samples) / rate, 1 / RATE)
        self._samples = np.interp(times, np.arange(len(samples)) / rate, samples)
        self._dice = random.Random(seed)
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def next(self, repeats: int | None = None) -> Talk:
        """Another one."""
        with self._lock:
            number = next(self._numbers)
            repeats = repeats or self._dice.choice(LENGTHS)
            language = self._dice.choice(LANGUAGES)
        samples = np.tile(self._samples, repeats).astype(np.float32)
        bits = [number >> place & 1 for place in range(32)]
        samples[:32] = np.array(bits, np.float32) / 1000
        return Talk(number, repeats, language, wav(samples))


@dataclass
class Load:
    """Clients, and what became of their talks."""

    installation: Installation
    key: str
    talks: Talks
    ending: threading.Event = field(default_factory=threading.Event)
    answered: dict[str, tuple[Talk, dict[str, Any]]] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def running(self, timeout_s: float) -> Iterator[None]:
        """Send as long as the block lasts; then wait until every client has its answer."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            clients = [pool.submit(self._client) for _ in range(CLIENTS)]
            try:
                yield
            finally:
                self.ending.set()
            deadline = time.monotonic() + timeout_s
            for client in clients:
                client.result(deadline - time.monotonic())

    def _client(self) -> None:
        while not self.ending.is_set():
            talk = self.talks.next()
            if talk.number % FORSAKEN:
                self.send(talk)
            else:
                with suppress(httpx.TransportError):
                    self._post(talk, timeout_s=1)

    def send(self, talk: Talk) -> dict[str, Any]:
        """Send a talk until it is answered, as the SDKs do."""

        def answer() -> dict[str, Any] | None:
            try:
                found = self._post(talk, timeout_s=60)
            except httpx.TransportError as error:
                self.statuses[type(error).__name__] += 1
            else:
                self.statuses[str(found.status_code)] += 1
                assert found.status_code in (200, 429, 503), found.text
                if found.status_code == 200:
                    body: dict[str, Any] = found.json()
                    self.answered[talk.name] = talk, body
                    return body
            threading.Event().wait(PAUSE_S)
            return None

        return eventually(answer, f"the transcript of {talk.name}", PATIENCE_S)

    def _post(self, talk: Talk, timeout_s: float) -> httpx.Response:
        return httpx.post(
            f"{self.installation.url}/v1/transcribe",
            files={"file": (f"{talk.name}.wav", talk.content)},
            data={"language": talk.language, "diarize": "false"},
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=timeout_s,
        )


class Killer:
    """Kills what an installation consists of, one after the other at random."""

    def __init__(self, installation: Installation, seed: int) -> None:
        self._installation = installation
        self._dice = random.Random(seed)
        self.killed: Counter[str] = Counter()

    def kill(self, times: int) -> None:
        """So many kills, of everything about as often, each at a random moment.

        Most wait until the server has come back, because only then there is a load; the others
        meet it on its way.
        """
        kinds = [KINDS[number % len(KINDS)] for number in range(times)]
        self._dice.shuffle(kinds)
        for kind in kinds:
            if self._dice.random() < READY_FIRST:
                self._installation.wait_healthy()
            threading.Event().wait(self._dice.uniform(0, 2))
            eventually(lambda kind=kind: self._hit(kind), f"a {kind} to kill", 90)  # type: ignore[misc]
            self.killed[kind] += 1

    def _hit(self, kind: str) -> bool:
        """Kill one of a kind; False when there is none now."""
        with suppress(psutil.NoSuchProcess):
            victims = [process for process in self._find(kind) if process]
            if victims:
                self._dice.choice(victims).kill()
                return True
        return False

    def _find(self, kind: str) -> list[psutil.Process | None]:
        match kind:
            case "web":
                return [psutil.Process(self._installation.process.pid)]
            case "worker":
                return [self._installation.worker()]
            case "postmaster":
                return [self._installation.postmaster()]
        return [*self._installation.backends()]


@dataclass(frozen=True)
class Findings:
    """What was left when the smoke had cleared."""

    kills: dict[str, int]
    statuses: dict[str, int]
    rows: int
    answered: int
    taken_over: int
    """Transcriptions that more than one worker, or more than one life of it, has worked on."""
    complaints: list[str]


def drill(data: Path, models: Path, recording: Path, kills: int, seed: int) -> Findings:
    """Kill an installation under load so many times, and look at what it has made of its work."""
    settings = {"engine": "fake:0.2", "worker_timeout_s": "2", "log_format": "text"}
    ours = Installation(environment(data, models, **settings), data.parent / "log")
    with kept(ours):
        ours.wait_ready()
        load = Load(ours, _customer(ours), Talks(recording, seed))
        undisturbed = {n: spans(load.send(load.talks.next(n))) for n in LENGTHS}
        killer = Killer(ours, seed)
        with load.running(timeout_s=600):
            killer.kill(kills)
        uploads = ours.data / "uploads"
        eventually(
            lambda: not _unfinished(ours) and not any(uploads.iterdir()),
            "the last transcription to end",
            300,
        )
        complaints = [*audit(ours, load, undisturbed)]
        [(rows, taken_over)] = ours.query(
            "SELECT count(*), count(*) FILTER (WHERE attempt > 1) FROM library_transcript"
        )
        return Findings(
            dict(killer.killed),
            dict(load.statuses),
            rows,
            len(load.answered),
            taken_over,
            complaints,
        )


def _customer(ours: Installation) -> str:
    """Somebody who pays, for as many transcriptions at a time as they like."""
    ours.query("UPDATE accounts_plan SET concurrent = 1000 WHERE id = 'paid'")
    order = ("keys", "create", "--email", "kim@example.com", "--plan", "paid")
    return auricle(ours.environment, *order, "--credits", str(GRANTED))


def _unfinished(ours: Installation) -> int:
    sql = "SELECT count(*) FROM library_transcript WHERE status NOT IN ('SUCCEEDED', 'FAILED')"
    return int(ours.query(sql)[0][0])


def words_of(body: dict[str, Any]) -> list[tuple[str, float, float]]:
    """Text, start and end of each word of an answer."""
    words = [word for segment in body["segments"] for word in segment["words"]]
    return [(word["word"].strip(), word["start"], word["end"]) for word in words]


def spans(body: dict[str, Any]) -> list[Span]:
    """Start and end of each window: the engine answers it with three words."""
    words = words_of(body)
    windows = [words[at : at + 3] for at in range(0, len(words), 3)]
    for window in windows:
        text = " ".join(word[0] for word in window)
        assert re.fullmatch(r"Window number \d+\.", text), f"{text!r} in {words}"
    return [(window[0][1], window[-1][2]) for window in windows]


def gaps(found: list[Span]) -> list[float]:
    """Seconds between windows."""
    return [after[0] - before[1] for before, after in itertools.pairwise(found)]


def audit(ours: Installation, load: Load, undisturbed: dict[int, list[Span]]) -> Iterator[str]:
    """Everything that is not as it should be, in words."""
    yield from _audit_rows(ours, load)
    yield from _audit_ledger(ours)
    yield from _audit_segments(ours, load)
    for talk, body in load.answered.values():
        yield from _audit_answer(talk, body, undisturbed[talk.repeats])
    for file in (ours.data / "uploads").iterdir():
        yield f"the upload {file.name} was left behind"


def _audit_rows(ours: Installation, load: Load) -> Iterator[str]:
    rows = ours.query("SELECT title, status, reason, message, options FROM library_transcript")
    known = Counter(row[0] for row in rows)
    for name in load.answered.keys() - known.keys():
        yield f"{name} was answered and is lost"
    for title, status, reason, message, options in rows:
        if status != "SUCCEEDED":
            yield f"{title} ended as {status}: {reason}: {message}"
        if known[title] != 1:
            yield f"{title} is there {known[title]} times"
        if title in load.answered:
            asked = load.answered[title][0].language
            if (options["language"] or "auto") != asked or options["diarize"]:
                yield f"{title} was asked for in {asked}, and its options are {options}"
    if left := ours.query("SELECT count(*) FROM library_batch")[0][0]:
        yield f"{left} batches of words were left behind"


def _audit_segments(ours: Installation, load: Load) -> Iterator[str]:
    rows = ours.query(
        "SELECT t.title, s.words FROM library_segment s JOIN library_transcript t"
        " ON t.id = s.transcript_id ORDER BY t.id, s.order"
    )
    stored: dict[str, list[tuple[str, float, float]]] = defaultdict(list)
    for title, words in rows:
        stored[title] += [(word[0].strip(), word[1], word[2]) for word in words]
    for name, (_, body) in load.answered.items():
        if stored[name] != words_of(body):
            yield f"{name} was answered with {words_of(body)}, and the library has {stored[name]}"


def _audit_ledger(ours: Installation) -> Iterator[str]:
    rows = ours.query(
        "SELECT t.title, t.status, t.duration, coalesce(sum(e.amount), 0) FROM library_transcript t"
        " LEFT JOIN credits_entry e ON e.job = t.id GROUP BY t.id"
    )
    for title, status, duration, amount in rows:
        due = math.ceil(duration / 60) if status == "SUCCEEDED" else 0
        if amount != -due:
            yield f"{title} cost {-amount} credits instead of {due}"
    spent = sum(-row[3] for row in rows)
    [(balance, entries)] = ours.query(
        "SELECT w.balance, (SELECT sum(amount) FROM credits_entry e"
        " WHERE e.account_id = w.account_id) FROM credits_wallet w"
    )
    if not balance == entries == GRANTED - spent:
        yield f"the wallet has {balance}; the entries say {entries}, the work {GRANTED - spent}"


def _audit_answer(talk: Talk, body: dict[str, Any], expected: list[Span]) -> Iterator[str]:
    asked = "en" if talk.language == "auto" else talk.language
    if body["language"] != asked:
        yield f"{talk.name} was asked for in {asked} and answered in {body['language']}"
    words = [word for segment in body["segments"] for word in segment["words"]]
    times = [time for word in words for time in (word["start"], word["end"])]
    if times != sorted(times):
        yield f"the words of {talk.name} go back in time: {times}"
    found = spans(body)
    # Where windows end depends on where an attempt begins, but all of the speech is in some window.
    edges = abs(found[0][0] - expected[0][0]), abs(found[-1][1] - expected[-1][1])
    if max(edges) > 1 or max(gaps(found)) > max(gaps(expected)) + 1:
        yield f"{talk.name} has {found}, and undisturbed {expected}"
    if any(start >= end for start, end in found):
        yield f"{talk.name} has an empty window in {found}"
