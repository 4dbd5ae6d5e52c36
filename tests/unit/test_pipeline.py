from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from auricle.core.errors import Cancelled
from auricle.speech import SpeechOptions
from auricle.speech.engines import Aligned, Decoded
from auricle.speech.engines.batched import Batched
from auricle.speech.engines.fake import FakeEngine
from auricle.speech.language import MOST_WINDOWS, settle
from auricle.speech.pipeline import EngineAccess, transcribe
from auricle.speech.progress import NOTHING_DONE, Checkpoint, Progress, Watcher
from auricle.speech.skipped import parts_around_holes, token_density
from auricle.speech.windows import Piece, Span, Window
from auricle.transcript import Transcript
from sounds import ScriptedVoice, silence, speech

F32 = NDArray[np.float32]
VOICE = ScriptedVoice()


def access(engine: FakeEngine | None = None) -> EngineAccess:
    """A new engine that does one window after the other."""
    return EngineAccess(Batched(engine or FakeEngine(), 1))


def test_windows_become_words_in_order() -> None:
    found = transcribe(
        iter([speech(25), silence(2), speech(25)]),
        access(),
        SpeechOptions(language="en"),
        voice=VOICE,
    )
    assert found.text == "Window number 0. Window number 1."
    starts = [word.start for word in found.words]
    assert starts == sorted(starts)
    assert found.duration == pytest.approx(52, abs=0.1)
    assert found.model == "fake"


def test_silence_is_an_empty_transcript_in_no_language() -> None:
    found = transcribe(iter([silence(30)]), access(), SpeechOptions(), voice=VOICE)
    assert (found.text, found.language, found.words, found.segments) == ("", "", (), ())
    assert found.duration == pytest.approx(30, abs=0.1)


def test_progress_is_reported_and_can_stop_the_work() -> None:
    seen: list[float] = []

    class Impatient(Watcher):
        def progress(self, progress: Progress) -> None:
            seen.append(progress.done)
            if len(seen) == 2:
                raise Cancelled("enough")

    def endless() -> Iterator[F32]:
        while True:
            yield speech(20)
            yield silence(1)

    with pytest.raises(Cancelled):
        transcribe(endless(), access(), SpeechOptions(), voice=VOICE, watcher=Impatient())
    assert seen == sorted(seen)


class Breaking(Watcher):
    """Keeps checkpoints, and breaks off after some windows."""

    def __init__(self, after: int = 99) -> None:
        self.kept: list[Checkpoint] = []
        self._after = after

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        self.kept.append(checkpoint)
        if checkpoint.windows >= self._after:
            raise Cancelled("killed")


def numbered(engine: FakeEngine, watcher: Watcher, resume: Checkpoint = NOTHING_DONE) -> Transcript:
    """A recording of five windows, each of which says where it begins."""
    return transcribe(
        iter([part for length in (25, 20, 24, 22, 26) for part in (speech(length), silence(2))]),
        access(engine),
        SpeechOptions(),
        voice=VOICE,
        watcher=watcher,
        resume=resume,
    )


@pytest.mark.parametrize("after", [1, 2, 3])
def test_work_that_broke_off_goes_on_from_its_last_checkpoint(after: int) -> None:
    whole = numbered(FakeEngine(), Watcher())
    first = Breaking(after)
    with pytest.raises(Cancelled):
        numbered(FakeEngine(languages=[{"de": 0.98}], seconds=0.1), first)
    done = first.kept[-1].windows
    resume = replace(first.kept[-1], words=tuple(w for kept in first.kept for w in kept.words))
    second, engine = Breaking(), FakeEngine(languages=[{"fr": 0.99}])
    rest = numbered(engine, second, resume)
    assert [(w.start, w.end) for w in rest.words] == [(w.start, w.end) for w in whole.words]
    assert done < 5
    assert len(engine.decode_calls) == 5 - done, "only what was left is decoded"
    assert (rest.language, rest.duration) == ("de", whole.duration)
    assert all(done < kept.windows < 5 for kept in second.kept), "the last need not be kept"


def test_work_that_broke_off_after_its_last_window_only_ends() -> None:
    """With silence behind it, which was not listened to yet."""
    whole = numbered(FakeEngine(), Watcher())
    done = Checkpoint(125.0, 5, whole.words, whole.language, whole.language_probability)
    engine = FakeEngine()
    assert numbered(engine, Watcher(), done) == whole
    assert engine.decode_calls == []


def window(start: float, end: float) -> Window:
    return Window(
        np.zeros(16_000, np.float32), (Piece(start, 0, end - start),), (Span(start, end, 0.9),)
    )


def test_one_unsure_window_does_not_decide_the_language() -> None:
    """A first window taken at p = 0.29 once turned whole files into Welsh."""
    unsure = (window(0, 2), {"cy": 0.29, "en": 0.2})
    sure = (window(2, 30), {"en": 0.98})
    assert settle([unsure], last=False) is None
    language, _ = settle([unsure, sure], last=False) or ("", 0.0)
    assert language == "en"


def test_after_enough_windows_the_most_probable_language_is_taken() -> None:
    vague = (window(0, 10), {"no": 0.3, "da": 0.25})
    assert settle([vague] * (MOST_WINDOWS - 1), last=False) is None
    for heard, last in (([vague] * MOST_WINDOWS, False), ([vague], True)):
        language, sure = settle(heard, last=last) or ("", 0.0)
        assert language == "no"
        assert sure == pytest.approx(0.3)


def test_the_language_is_found_among_those_that_it_can_be() -> None:
    heard = [(window(0, 10), {"no": 0.6, "da": 0.3, "sv": 0.1})]
    language, sure = settle(heard, ["sv", "da"], last=False) or ("", 0.0)
    assert language == "da"
    assert sure == pytest.approx(0.75)
    language, _ = settle(heard, ["yue"], last=False) or ("", 0.0)
    assert language == "no", "the model does not know any of them"
    assert settle([(window(0, 10), {"no": 1.0, "da": 0.0})], ["da"], last=True) == ("da", 0.0)


def test_the_language_is_found_from_several_windows() -> None:
    engine = FakeEngine(languages=[{"cy": 0.29, "en": 0.28}, {"en": 0.99}, {"en": 0.99}])
    parts = [speech(20), silence(2), speech(25), silence(2), speech(25)]
    found = transcribe(iter(parts), access(engine), SpeechOptions(), voice=VOICE)
    assert found.language == "en"
    assert found.language_probability > 0.5


def aligned(*times: float) -> Aligned:
    return Aligned(times, (0.9,) * (len(times) - 1))


SPANS = Window(
    np.zeros(30 * 16_000, np.float32),
    (Piece(0, 0, 30),),
    (Span(0, 4, 0.99), Span(5, 9, 0.99), Span(10, 14, 0.99)),
)


def test_a_sentence_that_was_stepped_over_shows_as_a_hole() -> None:
    times = [*np.arange(0, 4, 0.4), 4.0, *np.arange(10, 14, 0.4), 14.0]
    density = token_density(SPANS, aligned(*times))
    assert density[1] < 0.3
    assert min(density[0], density[2]) > 2
    parts = parts_around_holes(SPANS, aligned(*times))
    assert [part.spans for part in parts] == [SPANS.spans[:1], SPANS.spans[1:2], SPANS.spans[2:]]


def test_evenly_spoken_windows_are_left_alone() -> None:
    assert parts_around_holes(SPANS, aligned(*np.arange(0, 14, 0.4), 14.0)) == []


def test_skipped_speech_is_decoded_again_and_kept_only_if_more_is_said() -> None:
    class Skipping(FakeEngine):
        """Puts all words of the first window into its last second."""

        def align(self, encoded, start, tokens, durations):  # type: ignore[no-untyped-def]
            found = super().align(encoded, start, tokens, durations)
            if 0 in encoded.numbers:
                row = tokens[0]
                times = tuple(np.linspace(durations[0] - 1, durations[0], len(row) + 1).tolist())
                found[0] = Aligned(times, found[0].probabilities)
            return found

    def say(number: int, _: float) -> Decoded | str:
        return " short." if number == 0 else f" part {number} with many words."

    parts = [speech(4), silence(1), speech(4), silence(1), speech(4)]
    found = transcribe(iter(parts), access(Skipping(say)), SpeechOptions("en"), voice=VOICE)
    assert found.text == "part 1 with many words. part 2 with many words."

    quiet = Skipping(lambda number, _: " the whole sentence." if number == 0 else " x")
    found = transcribe(iter(parts), access(quiet), SpeechOptions("en"), voice=VOICE)
    assert found.text == "the whole sentence."
