import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from auricle.speech.align import SHORTEST_S, fit, speech_intervals, to_words
from auricle.speech.engines import Aligned
from auricle.speech.engines.fake import FakeTokens
from auricle.speech.windows import Piece, Span, Window
from auricle.transcript import Word

TOKENS = FakeTokens()


def window(*spans: tuple[float, float]) -> Window:
    end = spans[-1][1] + 1
    return Window(
        np.zeros(int(end * 16_000), np.float32),
        (Piece(0, 0, end),),
        tuple(Span(a, b, 0.99) for a, b in spans),
    )


def timed(text: str, times: list[float]) -> Aligned:
    """Times of the words; each byte of a word gets the word's start."""
    starts: list[float] = []
    for word, start in zip(text.split(), times, strict=False):
        starts += [start] * len(f" {word}".encode())
    return Aligned((*starts, times[-1]), (0.9,) * len(starts))


def words_of(text: str, times: list[float], *spans: tuple[float, float]) -> list[Word]:
    return to_words(window(*spans), timed(text, times), list(f" {text}".encode()), TOKENS, "en")


def test_words_keep_their_times_inside_speech() -> None:
    found = words_of("good morning", [1.0, 1.5, 2.0], (0.9, 2.1))
    assert [(w.text, w.start, w.end) for w in found] == [
        (" good", 1.0, 1.5),
        (" morning", 1.5, 2.0),
    ]


def test_a_word_that_swallowed_a_pause_is_cut_back_to_where_it_was_heard() -> None:
    first, second = words_of("one two", [1.0, 9.0, 9.5], (1.0, 1.5), (9.0, 9.5))
    assert first.end < 1.7
    assert second.start == 9.0


def test_a_word_in_silence_moves_to_the_nearest_speech() -> None:
    (word,) = words_of("well", [3.0, 3.2], (4.0, 5.0))
    assert 3.8 <= word.start < word.end <= 5.2


def test_words_never_come_before_the_window_before() -> None:
    (word,) = to_words(
        window((1.0, 2.0)), timed("so", [0.9, 1.4]), list(b" so"), TOKENS, "en", not_before=1.2
    )
    assert word.start >= 1.2


TIMES = st.lists(st.floats(0, 60), min_size=1, max_size=30)
SPANS = st.lists(st.tuples(st.floats(0.1, 5), st.floats(0.2, 8)), min_size=1, max_size=6)


@given(TIMES, SPANS, st.floats(0, 2))
def test_times_rise_and_stay_inside_speech(
    times: list[float], gaps: list[tuple[float, float]], not_before: float
) -> None:
    spans, clock = [], 0.0
    for silence, speech in gaps:
        spans.append((clock + silence, clock + silence + speech))
        clock = spans[-1][1]
    ordered = sorted(times)
    text = " ".join("w" * (n % 3 + 1) for n in range(len(ordered)))
    place = window(*spans)
    found = to_words(
        place, timed(text, [*ordered, 60.0]), list(f" {text}".encode()), TOKENS, "en", not_before
    )
    assert [word.bare for word in found] == text.split()
    intervals = speech_intervals(place.spans, not_before, place.pieces[-1].duration)
    for word in found:
        assert word.start <= word.end
        assert any(a - 1e-3 <= word.start and word.end <= b + 1e-3 for a, b in intervals)
    for left, right in zip(found, found[1:], strict=False):
        assert left.end <= right.start + 1e-9


def test_no_word_ends_after_the_recording() -> None:
    """Voice activity rounds up to whole frames, and the last one is padded."""
    samples = np.zeros(3 * 16_000, np.float32)
    place = Window(samples, (Piece(0, 0, 3.0),), (Span(1.0, 3.008, 0.99),))
    found = to_words(place, timed("a b c", [2.9, 3.0, 3.0, 3.0]), list(b" a b c"), TOKENS, "en")
    assert found[-1].end <= 3.0


def test_crowded_words_share_the_room_there_is() -> None:
    words = [Word(f" {n}", 5.0, 5.0, 1) for n in range(10)]
    placed = fit(words, (0.0, 5.0))
    assert all(word.end - word.start >= SHORTEST_S - 2e-3 for word in placed)
    assert placed[-1].end == 5.0
