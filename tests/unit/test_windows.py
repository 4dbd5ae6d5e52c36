from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from auricle.speech.vad import FRAME_S
from auricle.speech.windows import LONGEST_S, Window, voiced, windows
from sounds import ScriptedVoice, silence, speech

F32 = NDArray[np.float32]


def cut(parts: Sequence[F32], block: int = 160_000) -> list[Window]:
    whole = np.concatenate(parts)

    def blocks() -> Iterator[F32]:
        for at in range(0, len(whole), block):
            yield whole[at : at + block]

    return list(windows(voiced(blocks(), ScriptedVoice())))


def test_silence_has_no_windows() -> None:
    assert cut([silence(100)]) == []


def test_a_short_recording_is_one_window_with_a_margin() -> None:
    (window,) = cut([silence(2), speech(3), silence(2)])
    assert window.spans[0].start == pytest.approx(2, abs=FRAME_S)
    assert window.spans[0].end == pytest.approx(5, abs=FRAME_S)
    assert window.duration == pytest.approx(3.8, abs=2 * FRAME_S)


def test_long_silence_inside_a_window_is_left_out_and_times_are_kept() -> None:
    (window,) = cut([speech(2), silence(20), speech(2)])
    assert window.duration < 6
    assert window.to_recording(1.0) == pytest.approx(1.0, abs=0.1)
    assert window.to_recording(window.duration - 1.0) == pytest.approx(23.0, abs=0.1)


def test_a_full_window_ends_at_its_longest_pause() -> None:
    parts = [speech(10), silence(0.3), speech(9), silence(0.9), speech(5), silence(0.3), speech(9)]
    first, second = cut(parts)
    assert first.spans[-1].end == pytest.approx(19.3, abs=0.1)
    assert second.spans[0].start == pytest.approx(20.2, abs=0.1)


def test_endless_speech_is_cut_without_losing_a_sample() -> None:
    found = cut([speech(100)])
    assert all(window.duration <= 30 for window in found)
    assert sum(window.voiced for window in found) == pytest.approx(100, abs=0.2)


def test_blocks_of_any_size_give_the_same_windows() -> None:
    parts = [speech(12), silence(1), speech(20), silence(0.5), speech(8)]
    reference = cut(parts)
    for block in (512, 1000, 16_000, 1_000_000):
        found = cut(parts, block)
        assert [w.spans for w in found] == [w.spans for w in reference]
        assert [len(w.samples) for w in found] == [len(w.samples) for w in reference]


STRETCHES = st.lists(st.tuples(st.booleans(), st.floats(0.05, 40)), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@example([(True, 1.0), (False, 0.125), (True, 1.0)], 7_000)
@given(STRETCHES, st.sampled_from([7_000, 160_000]))
def test_windows_hold_all_speech_once_in_order(
    stretches: list[tuple[bool, float]], block: int
) -> None:
    parts = [speech(s) if loud else silence(s) for loud, s in stretches]
    found = cut(parts, block)
    spans = [span for window in found for span in window.spans]
    assert all(a.end <= b.start + 1e-6 for a, b in zip(spans, spans[1:], strict=False))
    for window in found:
        assert window.duration <= LONGEST_S + 1
        times = [window.to_recording(t) for t in np.linspace(0, window.duration, 50)]
        assert times == sorted(times)
        assert sum(piece.duration for piece in window.pieces) == pytest.approx(window.duration)
    heard = sum(float(window.samples.sum()) for window in found)
    assert heard == pytest.approx(sum(float(part.sum()) for part in parts)), (
        "every loud sample, once"
    )


def test_a_part_of_a_window_keeps_the_clock() -> None:
    (window,) = cut([speech(2), silence(5), speech(3), silence(4), speech(1)])
    part = window.part(1, 2)
    assert part.spans == window.spans[1:2]
    assert part.to_recording(0.0) == pytest.approx(6.6, abs=0.1)
    assert part.samples.sum() / 16_000 == pytest.approx(3, abs=0.1)


def test_memory_does_not_grow_with_silence() -> None:
    import tracemalloc

    def blocks() -> Iterator[F32]:
        for _ in range(200):
            yield silence(10)

    tracemalloc.start()
    assert list(windows(voiced(blocks(), ScriptedVoice()))) == []
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6  # 2,000 s of samples are 128 MB
