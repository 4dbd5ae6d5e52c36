from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asking import together
from auricle.speech.engines import Decoded, Encode
from auricle.speech.engines.batched import Batched
from auricle.speech.engines.fake import FakeEngine
from auricle.speech.guards import compression_ratio, decode_guarded
from auricle.speech.loops import without_loops
from auricle.speech.options import DecodeOptions
from auricle.speech.windows import Piece, Span, Window

OPTIONS = DecodeOptions()
LOOP = " thank you very much" * 40


def window(voice: float = 0.99, seconds: float = 20.0) -> Window:
    samples = np.zeros(int(seconds * 16_000), np.float32)
    return Window(samples, (Piece(0, 0, seconds),), (Span(0, seconds, voice),))


def decoded(text: str, logprob: float = -0.2, no_speech: float = 0.01) -> Decoded:
    return Decoded(tuple(text.encode()), logprob, no_speech)


def run(engine: FakeEngine, *windows: Window) -> list[str]:
    async def hear(each: Window) -> Decoded:
        encoded = await Encode(each.samples)
        return await decode_guarded(engine.tokens, encoded, each, [0], OPTIONS)

    found = together(Batched(engine, 8), *map(hear, windows))
    return [engine.tokens.decode(d.tokens) for d in found]


def test_only_the_failed_window_climbs_the_ladder() -> None:
    def say(number: int, temperature: float) -> Decoded | str:
        return LOOP if number == 1 and temperature < 0.4 else f" fine {number} at {temperature}"

    engine = FakeEngine(say)
    assert run(engine, window(), window(), window())[1] == " fine 1 at 0.4"
    assert engine.decode_calls == [((0, 1, 2), 0.0), ((1,), 0.2), ((1,), 0.4)]


def test_an_improbable_text_is_tried_again_and_the_best_is_kept() -> None:
    scores = {0.0: -1.5, 0.2: -1.2, 0.4: -1.4, 0.6: -2.0, 0.8: -3.0, 1.0: -4.0}
    engine = FakeEngine(lambda _, t: decoded(f" heard at {t}", scores[t]))
    assert run(engine, window()) == [" heard at 0.2"]


def test_a_text_heard_twice_the_same_is_believed_though_it_repeats() -> None:
    """The opening of A Tale of Two Cities repeats itself, and climbed the whole ladder once."""
    text = " it was the age of this, it was the age of that, it was the age of others, it was" * 2
    assert compression_ratio(text) > OPTIONS.max_compression_ratio
    engine = FakeEngine(lambda _n, _t: text)
    assert run(engine, window()) == [text]
    assert len(engine.decode_calls) == 2


@pytest.mark.parametrize("text", [" No, no, no, no, no, no, no, no, no, no, no, no, no.",
                                  " We shall fight on, we shall fight on, we shall fight on, we"
                                  " shall fight on, we shall never surrender."])  # fmt: skip
def test_people_do_repeat_themselves(text: str) -> None:
    engine = FakeEngine(lambda _n, _t: text)
    assert run(engine, window()) == [text]


def test_silence_is_dropped_only_when_both_agree() -> None:
    for voice, no_speech, kept in [(0.6, 0.9, False), (0.6, 0.1, True), (0.99, 0.9, True)]:
        said = decoded(" hello", no_speech=no_speech)
        engine = FakeEngine(partial(lambda found, _n, _t: found, said))
        assert run(engine, window(voice)) == [" hello" if kept else ""]


def test_a_loop_that_no_temperature_breaks_is_kept_once() -> None:
    engine = FakeEngine(lambda _n, t: decoded(LOOP + str(t)))
    (text,) = run(engine, window())
    assert text.startswith(" thank you very much")
    assert text.count("thank") == 1


def test_more_text_than_anybody_can_say_is_a_failure() -> None:
    engine = FakeEngine(
        lambda _, t: decoded("".join(map(chr, range(32, 127))) if t == 0 else " ok")
    )
    assert run(engine, window(seconds=1.0)) == [" ok"]


@pytest.mark.parametrize(
    ("tokens", "kept"),
    [
        ((1, 2, 3), (1, 2, 3)),
        ((7,) * 12, (7,)),
        ((7,) * 3, (7,) * 3),  # "no, no, no" is said by people
        ((5, *(1, 2, 3) * 4, 9), (5, 1, 2, 3, 9)),
    ],
)
def test_loops_are_cut_to_one_round(tokens: tuple[int, ...], kept: tuple[int, ...]) -> None:
    assert without_loops(tokens) == kept


@given(st.lists(st.integers(0, 3), max_size=60))
def test_cutting_loops_only_ever_shortens_and_is_stable(tokens: list[int]) -> None:
    once = without_loops(tuple(tokens))
    assert len(once) <= len(tokens)
    assert set(once) == set(tokens)
