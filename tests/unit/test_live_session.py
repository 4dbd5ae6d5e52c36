"""A live session against an engine that hears numbered words: each is said once, in order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from auricle.speech import LiveOptions, Timing
from auricle.speech.engines.batched import Batched
from auricle.speech.engines.fake import FakeTokens
from auricle.speech.engines.protocol import Aligned, Decoded
from auricle.speech.live import LONGEST_S, STEP_S, LiveSession, Update, heard
from auricle.speech.options import DEFAULT_DECODING
from auricle.speech.scheduler import Scheduler
from auricle.speech.vad import FRAME_SAMPLES
from auricle.transcript import Word

F32 = NDArray[np.float32]

RATE = 16_000
WORD_S = 0.4
"""Every word lasts so long; a sample is the number of its word, silence is 0."""


def speech(first: int, count: int) -> F32:
    """Words with these numbers."""
    numbers = np.arange(first, first + count, dtype=np.float32)
    return np.repeat(numbers, round(WORD_S * RATE))


def silence(seconds: float) -> F32:
    return np.zeros(round(seconds * RATE), np.float32)


class NumberVoice:
    """Hears speech in every frame that is not silent."""

    def stream(self) -> NumberVoice:
        return NumberVoice()

    def __init__(self) -> None:
        self._pending = np.zeros(0, np.float32)

    def feed(self, samples: F32, *, last: bool = False) -> F32:
        pending = np.concatenate([self._pending, samples])
        if last and (rest := len(pending) % FRAME_SAMPLES):
            pending = np.pad(pending, (0, FRAME_SAMPLES - rest))
        count = len(pending) // FRAME_SAMPLES
        frames = pending[: count * FRAME_SAMPLES].reshape(count, FRAME_SAMPLES)
        self._pending = pending[count * FRAME_SAMPLES :]
        found: F32 = (frames.max(axis=1, initial=0) > 0).astype(np.float32)
        return found


@dataclass
class Sound:
    """What the engine makes of windows."""

    windows: Sequence[F32]

    def __len__(self) -> int:
        return len(self.windows)

    def select(self, rows: Sequence[int]) -> Sound:
        return Sound([self.windows[row] for row in rows])


class NumberEngine:
    """Writes each word down by its number. Of a word that is cut off at the end, it makes another
    one; it may guess a word that nobody has said, and put a mark behind the last one."""

    def __init__(self, *, guesses: bool = False, marks: bool = False, language: str = "en") -> None:
        self.model = "numbers"
        self.tokens = FakeTokens()
        self.longest = 0.0
        self._guesses, self._marks, self._language = guesses, marks, language

    def encode(self, windows: Sequence[F32]) -> Sound:
        self.longest = max(self.longest, *(len(window) / RATE for window in windows))
        return Sound(windows)

    def detect_languages(self, encoded: Sound) -> list[dict[str, float]]:
        return [{self._language: 0.9} for _ in encoded.windows]

    def decode(
        self, encoded: Sound, prompt: Sequence[int], beam_size: int, temperature: float
    ) -> list[Decoded]:
        known = re.findall(r"w(\d+)", self.tokens.decode(prompt))
        after = int(known[-1]) if known else 0
        return [self._write(window, after) for window in encoded.windows]

    def _write(self, window: F32, after: int) -> Decoded:
        words = [f" w{number}" for number in self._numbers(window) if number > after]
        if len(window) and window[-1] and np.sum(window == window[-1]) < 0.6 * WORD_S * RATE:
            words[-1:] = [" garble"]
        if self._marks and words:
            words[-1] += "."
        if self._guesses and window[-1]:
            words.append(" guess")
        return Decoded(tuple(self.tokens.encode("".join(words))), logprob=-0.1, no_speech=0.0)

    def align(
        self,
        encoded: Sound,
        start: Sequence[int],
        tokens: Sequence[Sequence[int]],
        durations: Sequence[float],
    ) -> list[Aligned]:
        return [self._times(*each) for each in zip(encoded.windows, tokens, durations, strict=True)]

    def _times(self, window: F32, tokens: Sequence[int], duration: float) -> Aligned:
        starts: list[float] = []
        for text, count in self.tokens.split_words(tokens, "en"):
            found = re.search(r"w(\d+)", text)
            places = np.flatnonzero(window == int(found[1])) if found else np.zeros(0)
            at = places[0] / RATE if len(places) else duration
            starts += [at] * count
        return Aligned((*starts, duration), (0.9,) * len(tokens))

    @staticmethod
    def _numbers(window: F32) -> list[int]:
        return sorted({int(number) for number in np.unique(window) if number})


class Listener:
    """A session that is fed as a client would feed it."""

    def __init__(self, engine: NumberEngine, options: LiveOptions) -> None:
        self.engine = engine
        self.session = LiveSession(engine.tokens, NumberVoice(), DEFAULT_DECODING, options)
        self.updates: list[Update] = []
        self._batched = Batched(engine, 4)
        self._scheduler = Scheduler()

    def hear(self, sound: F32, step: float = 0.1, *, last: bool = False) -> Listener:
        """Feed sound a step at a time, looking whenever there is something to look at."""
        size = round(step * RATE)
        parts = [sound[at : at + size] for at in range(0, len(sound), size)] or [sound]
        for number, part in enumerate(parts, 1):
            self.session.feed(part, last=last and number == len(parts))
            self.look()
        return self

    def look(self) -> None:
        """Look until there is nothing to look at."""
        for _ in range(5):
            steps = self.session.look()
            if steps is None:
                return
            found = self._scheduler.submit(self._batched, steps).result(10)
            self.updates.append(self.session.take(found))
        raise AssertionError("it looks at the same sound for ever")

    @property
    def words(self) -> list[Word]:
        return [word for update in self.updates for word in update.committed]

    @property
    def text(self) -> str:
        return "".join(word.text for word in self.words)


@pytest.fixture(params=[{}, {"guesses": True}, {"marks": True}, {"guesses": True, "marks": True}])
def listener(request: pytest.FixtureRequest) -> Listener:
    return Listener(NumberEngine(**request.param), LiveOptions(language="en"))


def numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"w(\d+)", text)]


@pytest.mark.parametrize("step", [0.02, 0.1, 0.37, 1.5, 8.0])
def test_every_word_is_said_once_and_in_order(listener: Listener, step: float) -> None:
    sound = np.concatenate([silence(1), speech(1, 12), silence(1.5), speech(13, 40), silence(1)])
    listener.hear(sound, step, last=True)
    assert numbers(listener.text) == list(range(1, 53))
    assert "garble" not in listener.text
    assert "guess" not in listener.text


def test_words_have_times_on_the_sessions_clock(listener: Listener) -> None:
    listener.hear(np.concatenate([silence(2), speech(1, 10), silence(1)]), last=True)
    for number, word in enumerate(listener.words):
        assert word.start == pytest.approx(2 + number * WORD_S, abs=0.15)
    ends = [word.end for word in listener.words]
    assert ends == sorted(ends)


def test_words_come_while_the_speaker_goes_on(listener: Listener) -> None:
    listener.hear(speech(1, 20))
    assert len(numbers(listener.text)) >= 20 - (STEP_S + 1.6) / WORD_S
    assert listener.session.state == "speaking"


def test_a_pause_ends_an_utterance() -> None:
    listener = Listener(NumberEngine(), LiveOptions(language="en", timing=Timing(pause=0.7)))
    listener.hear(np.concatenate([speech(1, 4), silence(0.4)]))
    states = [listener.session.state]
    assert "w4" in listener.text + listener.session.partial
    listener.hear(silence(0.4))
    assert [*states, listener.session.state] == ["pausing", "silent"]
    assert numbers(listener.text) == [1, 2, 3, 4]
    assert listener.session.partial == ""


def test_a_flush_commits_what_was_said_and_the_session_goes_on(listener: Listener) -> None:
    listener.hear(speech(1, 5))
    listener.session.flush()
    listener.look()
    assert numbers(listener.text) == [1, 2, 3, 4, 5]
    listener.hear(np.concatenate([speech(6, 5), silence(1)]))
    assert numbers(listener.text) == list(range(1, 11))


def test_a_flush_in_silence_does_nothing(listener: Listener) -> None:
    listener.hear(silence(1))
    listener.session.flush()
    listener.look()
    listener.hear(speech(1, 2))
    assert listener.session.state == "speaking"


def test_twenty_minutes_of_silence_are_nothing() -> None:
    listener = Listener(NumberEngine(), LiveOptions())
    for _ in range(20):
        listener.hear(silence(60), 1.0)
        assert len(listener.session._samples) < 5 * RATE
    listener.hear(speech(1, 3), last=True)
    assert numbers(listener.text) == [1, 2, 3]
    assert listener.words[0].start == pytest.approx(1200, abs=0.2)


def test_speech_without_a_pause_stays_within_bounds() -> None:
    listener = Listener(NumberEngine(), LiveOptions(language="en"))
    listener.hear(speech(1, 300), 0.2, last=True)
    assert numbers(listener.text) == list(range(1, 301))
    assert listener.engine.longest < LONGEST_S + 2


def test_a_language_is_found_and_stays() -> None:
    listener = Listener(NumberEngine(language="de"), LiveOptions())
    listener.hear(speech(1, 2))
    assert listener.session.language == ""
    listener.hear(speech(3, 6))
    assert (listener.session.language, listener.session.probability) == ("de", 0.9)


def test_quiet_sound_is_silence_where_that_is_wanted() -> None:
    listener = Listener(NumberEngine(), LiveOptions(language="en", quiet=2.5))
    listener.hear(np.concatenate([speech(1, 2), silence(1), speech(3, 3), silence(1)]))
    assert numbers(listener.text) == [3, 4, 5]


def test_a_click_is_no_speech() -> None:
    listener = Listener(NumberEngine(), LiveOptions(language="en"))
    listener.hear(np.concatenate([silence(1), speech(1, 1)[: round(0.05 * RATE)]]))
    assert listener.session.state == "silent"


@pytest.mark.parametrize(
    ("starts", "ended", "kept"),
    [
        ([0.0, 1.0, 2.0], False, 3),
        ([0.0, 1.0, 2.9], False, 2),
        ([0.0, 2.9, 2.95], False, 1),
        ([0.0, 1.0, 2.95], True, 3),
    ],
)
def test_words_at_the_very_end_are_not_believed(
    starts: list[float], ended: bool, kept: int
) -> None:
    words = [Word(f" {at}", at, at + 0.05, 0.9) for at in starts]
    assert len(heard(words, 3.0, ended=ended)) == kept


def test_crowded_words_after_the_last_sound_are_guesses() -> None:
    words = [Word(" a", 0.0, 0.5, 0.9), *(Word(" b", 0.5, 0.52, 0.9) for _ in range(3))]
    assert [word.text for word in heard(words, 3.0, ended=True)] == [" a"]
