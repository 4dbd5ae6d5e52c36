import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from auricle.media.mixdown import Mixer
from sounds import tone

SPEECH = tone(0.1)
SILENCE = np.zeros_like(SPEECH)


def power(samples: np.ndarray) -> float:
    return float((samples**2).mean())


def test_a_silent_channel_does_not_make_the_other_quieter() -> None:
    mixed = Mixer().mix(np.stack([SILENCE, SPEECH]))
    np.testing.assert_allclose(mixed, SPEECH, atol=1e-6)


def test_opposed_channels_do_not_cancel() -> None:
    mixed = Mixer().mix(np.stack([SPEECH, -SPEECH]))
    assert power(mixed) > 0.9 * power(SPEECH)


def test_two_people_on_two_channels_are_both_heard() -> None:
    other = tone(0.1, hertz=700)
    mixed = Mixer().mix(np.stack([SPEECH, other]))
    np.testing.assert_allclose(mixed, (SPEECH + other) / 2, atol=1e-5)


def test_a_channel_that_falls_silent_does_not_change_the_level_of_the_other() -> None:
    mixer = Mixer()
    mixer.mix(np.stack([SPEECH, tone(0.1, hertz=700)]))
    for _ in range(100):
        mixed = mixer.mix(np.stack([SPEECH, SILENCE]))
    np.testing.assert_allclose(mixed, SPEECH / 2, atol=1e-5)


def test_somebody_who_speaks_late_and_softly_is_heard_from_the_first_word() -> None:
    mixer = Mixer()
    for _ in range(500):
        mixer.mix(np.stack([SPEECH, SILENCE]))
    mixed = mixer.mix(np.stack([SILENCE, SPEECH / 10]))
    assert power(mixed) > 0.2 * power(SPEECH / 10)


@given(arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 50)),
              elements=st.floats(width=32)))  # fmt: skip
def test_whatever_comes_in_comes_out_finite_and_bounded(planes: np.ndarray) -> None:
    mixed = Mixer().mix(planes)
    assert mixed.shape == (planes.shape[1],)
    assert np.isfinite(mixed).all()
    assert np.abs(mixed).max() <= 1
