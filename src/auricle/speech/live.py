"""Speech that is still being spoken: words while they come, each said once.

The open utterance is decoded again and again as it grows, each time after the words that are
committed already, which the decoder is made to begin with: so none is said twice or taken back.
A further word is committed when two hypotheses agree on it, or when enough has been said after it;
the rest of the hypothesis is the partial. When the speaker pauses, all of it is committed.

Agreement of successive hypotheses: Liu et al. 2020, "Low-Latency Sequence-to-Sequence Speech
Recognition and Translation by Partial Hypothesis Selection" (LocalAgreement-2).
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from auricle.speech.align import to_words
from auricle.speech.engines import Align, Ask, Decode, Detect, Encode, Encoded, Tokens
from auricle.speech.guards import nobody_spoke, repeats
from auricle.speech.language import SURE
from auricle.speech.loops import without_loops
from auricle.speech.options import DecodeOptions, LiveOptions
from auricle.speech.vad import FRAME_S, FRAME_SAMPLES, Voice
from auricle.speech.windows import OFFSET, SAMPLE_RATE, Piece, Span, Window
from auricle.transcript import Word

STEP_S = 0.6
"""Seconds of new sound after which the utterance is decoded again."""

PAD_S = 0.3
"""Sound before and after speech that is decoded with it."""

SHORTEST_S = 0.1
"""Seconds of voice under which it is a click."""

AGREED_S = 0.5
"""The same for words on which two hypotheses agree."""

SETTLED_S = 1.5
"""Seconds before the end of the sound after which a word is committed though only one hypothesis
has it: later sound does not change what was said so long ago."""

UNHEARD_S = 0.2
"""Seconds at the end of the sound in which no word is believed to begin."""

CROWDED_S = 0.03
"""Seconds that a word takes at most which has no sound of its own (see
:mod:`auricle.speech.align`)."""

LONG_S = 10.0
"""Seconds of an utterance from which its beginning is let go, once it is committed."""

LONGEST_S = 24.0
"""Seconds after which it is let go whatever is committed."""

KEPT_WORDS = 3
"""Committed words that stay in what is decoded, so that the next ones have something before them.
"""

FIRST_S = 1.0
"""Seconds of speech before the language is looked for."""

MOST_UNSURE_S = 8.0
"""Seconds of speech after which the most probable language is taken, however unsure."""

F32 = NDArray[np.float32]

State = Literal["silent", "speaking", "pausing"]


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What one look has heard."""

    window: Window
    tokens: tuple[int, ...] = ()
    """What comes after the committed words."""
    words: tuple[Word, ...] = ()
    sizes: tuple[int, ...] = ()
    """Tokens of each word."""
    languages: tuple[tuple[str, float], ...] = ()
    """The most probable language, where it was asked for."""


@dataclass(frozen=True, slots=True)
class Update:
    """What is new."""

    committed: tuple[Word, ...]
    """Words that are said for good, on the session's clock."""
    partial: str
    """What comes after them as far as can be told."""
    state: State


class LiveSession:
    """One stream of sound, in turns: :meth:`feed` it, run what :meth:`look` gives in an engine,
    :meth:`take` what that has found. Not thread-safe; it may be fed while a look runs."""

    def __init__(
        self, tokens: Tokens, voice: Voice, decoding: DecodeOptions, options: LiveOptions
    ) -> None:
        self._tokens = tokens
        self._decoding = decoding
        self._options = options
        self.timing = options.timing
        self._voice = voice.stream()
        self.language = options.language or ""
        """Whisper's code; empty until it is settled."""
        self.probability = 1.0 if options.language else 0.0
        """Of the language."""
        self.voiced = 0.0
        """Seconds of speech so far."""
        self.state: State = "silent"
        self.partial = ""
        """What comes after the committed words as far as can be told."""
        self._fresh: list[F32] = []
        self._samples: F32 = np.zeros(0, np.float32)
        self._first = 0
        self._received = 0
        self._frames = 0
        self._levels = _Levels()
        self._spans: list[Span] = []
        self._speaking = False
        self._looked = 0.0
        self._kept: list[tuple[Word, tuple[int, ...]]] = []
        self._draft: Hypothesis | None = None
        self._last = 0.0
        self._over = False

    @property
    def end(self) -> float:
        """Seconds of sound that have come."""
        return self._received / SAMPLE_RATE

    @property
    def waiting(self) -> float:
        """Seconds of sound that nobody has looked at; none while nobody speaks."""
        return self.end - max(self._looked, self._spans[0].start) if self._spans else 0.0

    def feed(self, samples: F32, *, last: bool = False) -> None:
        """Hear the next samples: mono, float32, 16 kHz; ``last`` says that no more come."""
        self._fresh.append(samples)
        self._received += len(samples)
        levels = self._levels.feed(samples, last=last)
        probabilities = self._voice.feed(samples, last=last)
        for probability, level in zip(probabilities.tolist(), levels.tolist(), strict=True):
            self._hear(probability if level >= self._options.quiet else 0.0)
        self._over = self._over or last
        self._note_state()

    def flush(self) -> None:
        """End the utterance here, though the speaker has not paused; the session goes on."""
        self._over = True

    def look(self) -> Coroutine[Ask, Any, Hypothesis] | None:
        """What is to be asked of the engine now, if anything."""
        if not self._spans:
            self._let_go()
            return None
        ended, drafted = self._ended, self.drafting
        grown = self.state == "speaking" and self.end - self._looked >= STEP_S
        if ended and self._covered:
            assert self._draft is not None
            return _already(self._draft)
        if not (self._enough and (ended or drafted or grown)):
            return None
        self._looked = self.end
        return self._look(self._window(), ended=ended or drafted)

    def take(self, found: Hypothesis) -> Update:
        """Commit what can be committed of what a look has found."""
        for language, probability in found.languages:
            self._settle(language, probability)
        ended = self._ended and self._reaches(found, self._spans[-1].end)
        count = len(found.words) if ended else self._agreed(found)
        committed = tuple(self._placed(word) for word in found.words[:count])
        at = 0
        for word, size in zip(committed, found.sizes, strict=False):
            self._kept.append((word, found.tokens[at : at + size]))
            at += size
        rest = replace(
            found, tokens=found.tokens[at:], words=found.words[count:], sizes=found.sizes[count:]
        )
        self._draft = rest
        if ended:
            self._close(_reach(found.window))
        else:
            self._shorten()
        self.partial = "" if ended else "".join(word.text for word in rest.words)
        self._note_state()
        return Update(committed, self.partial, self.state)

    @property
    def drafting(self) -> bool:
        """Whether the speaker has paused, and :meth:`look` is about to hear how it sounds whole."""
        paused = bool(self._spans) and self._silence >= self.timing.eager
        return paused and self._enough and not self._covered

    @property
    def _enough(self) -> bool:
        """Whether there is enough to look at: the language has to be found, too."""
        return bool(self.language) or self._ended or self._heard() >= FIRST_S

    @property
    def _silence(self) -> float:
        """Seconds since the last voice."""
        return self._frames * FRAME_S - self._spans[-1].end

    @property
    def _tail(self) -> float:
        """Where the sound ends that belongs to what is spoken."""
        return self._spans[-1].end + max(PAD_S, self.timing.eager)

    @property
    def _ended(self) -> bool:
        return self._over or self._silence >= self.timing.pause

    @property
    def _covered(self) -> bool:
        """Whether all that was spoken has been looked at, to its end."""
        return self._draft is not None and self._reaches(self._draft, self._tail)

    def _reaches(self, found: Hypothesis, time: float) -> bool:
        """Whether a look has heard all there is before a time, give or take half a frame: the
        last frame of all is filled up."""
        return _reach(found.window) > min(self.end, time) - FRAME_S / 2

    def _note_state(self) -> None:
        if not self._spans or self._heard() < SHORTEST_S:
            self.state = "silent"
        else:
            self.state = "pausing" if self._silence >= self.timing.eager else "speaking"

    def _hear(self, probability: float) -> None:
        """Follow the voice: hysteresis, as in :mod:`auricle.speech.windows`."""
        start = self._frames * FRAME_S
        self._frames += 1
        goes_on = self._speaking
        self._speaking = probability >= (OFFSET if goes_on else self.timing.onset)
        if not self._speaking:
            return
        self.voiced += FRAME_S
        if goes_on and self._spans:
            span = self._spans[-1]
            self._spans[-1] = Span(span.start, start + FRAME_S, max(span.voice, probability))
        else:
            self._spans.append(Span(start, start + FRAME_S, probability))

    def _heard(self) -> float:
        return sum(span.end - span.start for span in self._spans)

    def _window(self) -> Window:
        """The open utterance."""
        self._join()
        start = max(self._first / SAMPLE_RATE, self._spans[0].start - PAD_S)
        end = min(self.end, self._tail)
        first = round(start * SAMPLE_RATE) - self._first
        samples = self._samples[first : round(end * SAMPLE_RATE) - self._first]
        piece = Piece(start, 0.0, len(samples) / SAMPLE_RATE)
        return Window(samples, (piece,), tuple(self._spans))

    async def _look(self, window: Window, *, ended: bool) -> Hypothesis:
        encoded = await Encode(window.samples)
        languages: tuple[tuple[str, float], ...] = ()
        if not self.language:
            found = await Detect(encoded)
            languages = (max(found.items(), key=lambda item: item[1]),)
        language = self.language or languages[0][0]
        prefix = tuple(token for _, tokens in self._kept for token in tokens)
        tokens = await self._decode(encoded, window, language, prefix, ended=ended)
        fresh = tokens[len(prefix) :]
        if not fresh:
            return Hypothesis(window, languages=languages)
        start = self._tokens.start_sequence(language, "transcribe")
        aligned = await Align(encoded, start, tokens, window.duration)
        whole = to_words(window, aligned, tokens, self._tokens, language)
        words, sizes = self._after(prefix, tokens, whole, language)
        said = heard(words, _reach(window), ended=ended)
        return Hypothesis(window, fresh, said, sizes[: len(said)], languages)

    def _after(
        self, prefix: Sequence[int], tokens: Sequence[int], whole: Sequence[Word], language: str
    ) -> tuple[list[Word], tuple[int, ...]]:
        """The words after the prefix, and how many tokens each takes.

        What goes on with the prefix's last word is a word by itself, without a blank before it; but
        a mark that now stands behind that word is left out, because it is said already.
        """
        words: list[Word] = []
        sizes: list[int] = []
        timed, at, before = iter(whole), 0, 0
        for text, count in self._tokens.split_words(tokens, language):
            word = next(timed) if text.strip() else None
            fresh = min(count, max(0, at + count - len(prefix)))
            at += count
            if not fresh:
                continue
            before += fresh
            if fresh < count and word is not None:
                rest = self._tokens.decode(tokens[at - fresh : at])
                word = replace(word, text=rest) if any(map(str.isalnum, rest)) else None
            if word is not None:
                words.append(word)
                sizes.append(before)
                before = 0
        return words, tuple(sizes)

    async def _decode(
        self,
        encoded: Encoded,
        window: Window,
        language: str,
        prefix: tuple[int, ...],
        *,
        ended: bool,
    ) -> tuple[int, ...]:
        """What is said, beginning with the prefix; what goes round in circles is not said."""
        prompt = self._tokens.prompt(language, "transcribe", self._options.prompt)
        said = await Decode(encoded, prompt, 1, 0.0, prefix)
        if nobody_spoke(said, window, self._decoding):
            return prefix
        if repeats(self._tokens, said, window, self._decoding):
            return (*prefix, *without_loops(said.tokens[len(prefix) :])) if ended else prefix
        return said.tokens

    def _settle(self, language: str, probability: float) -> None:
        if not self.language and (probability >= SURE or self.voiced >= MOST_UNSURE_S):
            self.language, self.probability = language, probability

    def _placed(self, word: Word) -> Word:
        """A word after all that are committed."""
        start = max(word.start, self._last)
        self._last = max(word.end, start)
        return Word(word.text, start, self._last, word.probability)

    def _agreed(self, found: Hypothesis) -> int:
        """How many words can be committed; never the last one, which may go on."""
        same = 0
        before = self._draft.words if self._draft else ()
        reach = _reach(found.window)
        for word, other in zip(found.words, before, strict=False):
            if plain(word.text) != plain(other.text) or word.end > reach - AGREED_S:
                break
            same += 1
        settled = sum(word.end <= reach - SETTLED_S for word in found.words)
        return min(max(same, settled), max(0, len(found.words) - 1))

    def _shorten(self) -> None:
        """Let go of the beginning of a long utterance."""
        length = self.end - max(self._first / SAMPLE_RATE, self._spans[0].start)
        if length < LONG_S:
            return
        words = [word for word, _ in self._kept]
        last = len(words) - KEPT_WORDS
        if last < 1:
            if length >= LONGEST_S:
                self._forget(self.end - LONG_S)
                self._kept = []
            return
        gaps = [b.start - a.end for a, b in pairwise(words[: last + 1])]
        near = range(max(0, len(gaps) - KEPT_WORDS), len(gaps))
        cut = 1 + max(near, key=gaps.__getitem__)
        self._forget((words[cut - 1].end + words[cut].start) / 2)
        self._kept = self._kept[cut:]

    def _close(self, until: float) -> None:
        """The utterance is over; what was heard since then is the beginning of the next."""
        self._kept, self._draft, self._over = [], None, False
        self._spans = [span for span in self._spans if span.start >= until]
        self._forget(until)

    def _let_go(self) -> None:
        """Of silence, but for what may be the beginning of a word."""
        self._over = False
        if self._received - self._first > 4 * PAD_S * SAMPLE_RATE:
            self._join()
            self._forget(self.end - 2 * PAD_S)

    def _join(self) -> None:
        self._samples = np.concatenate([self._samples, *self._fresh])
        self._fresh = []

    def _forget(self, before: float) -> None:
        """Let go of the sound before a time."""
        self._join()
        drop = min(len(self._samples), round(before * SAMPLE_RATE) - self._first)
        if drop > 0:
            self._samples = self._samples[drop:].copy()
            self._first += drop
        start = self._first / SAMPLE_RATE
        self._spans = [
            replace(span, start=max(span.start, start)) for span in self._spans if span.end > start
        ]


class _Levels:
    """Levels of the frames that voice activity is told of."""

    def __init__(self) -> None:
        self._pending: F32 = np.zeros(0, np.float32)

    def feed(self, samples: F32, *, last: bool = False) -> F32:
        """Root mean square of each frame that is complete; ``last`` completes the rest."""
        pending = np.concatenate([self._pending, samples])
        if last and (rest := len(pending) % FRAME_SAMPLES):
            pending = np.pad(pending, (0, FRAME_SAMPLES - rest))
        count = len(pending) // FRAME_SAMPLES
        frames = pending[: count * FRAME_SAMPLES].reshape(count, FRAME_SAMPLES)
        self._pending = pending[count * FRAME_SAMPLES :]
        levels: F32 = np.sqrt(np.mean(frames**2, axis=1))
        return levels


async def _already(found: Hypothesis) -> Hypothesis:
    """What a look at the same sound has found before."""
    return found


def _reach(window: Window) -> float:
    """Where a window's sound ends, on the session's clock."""
    return window.pieces[-1].start + window.duration


def heard(words: Sequence[Word], until: float, *, ended: bool) -> tuple[Word, ...]:
    """The words without those at the end that were guessed: the decoder likes to finish a phrase
    of which it has heard the beginning. Guessed words have no sound of their own: they crowd at the
    end of it. While the speaker goes on, the last sound is not enough for a word either."""
    count = len(words)
    if ended:
        while count and words[count - 1].end - words[count - 1].start <= CROWDED_S:
            count -= 1
        return tuple(words if count == len(words) - 1 else words[:count])
    while count and words[count - 1].start > until - UNHEARD_S:
        count -= 1
    return tuple(words[:count])


def plain(text: str) -> str:
    """A word without what may still change about it: its case and the marks around it."""
    bare = "".join(character for character in text.casefold() if character.isalnum())
    return bare or text.strip()
