"""Clustering of voices, assembly of turns, and whose words are whose."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyannote.core import Annotation, Segment

from auricle.core.errors import ModelNotInstalled
from auricle.speech.diarization.assembly import FRAME_S, Window, standing_out, turns
from auricle.speech.diarization.clustering import MOST_AT_ONCE, Prints, speakers_in
from auricle.speech.diarization.networks import FRAME_CENTRE, FRAMES, unit
from auricle.speech.diarization.protocol import (
    MOST_SPEAKERS,
    Diarization,
    KnownVoice,
    Turn,
)
from auricle.speech.diarization.pyannote import PyannoteDiarizer
from auricle.speech.diarization.words import told_apart
from auricle.transcript import Word
from auricle.transcript.segments import split_words
from auricle.work.speakers import recognised


def voices(count: int, each: int, noise: float = 0.5) -> tuple[Prints, np.ndarray]:
    """Prints of some voices, by turns, and who they are."""
    dice = np.random.default_rng(1)
    centres = unit(dice.normal(size=(count, 192)).astype(np.float32))
    who = np.tile(np.arange(count), each)
    vectors = centres[who] + noise * dice.normal(size=(len(who), 192)).astype(np.float32) / 14
    return Prints(unit(vectors.astype(np.float32)), np.ones(len(who), np.float32)), centres


@pytest.mark.parametrize("count", [1, 2, 5, 12])
def test_the_number_of_voices_is_found(count: int) -> None:
    prints, centres = voices(count, 20)
    found = speakers_in(prints)
    assert len(found) == count
    assert ((found @ centres.T).max(axis=0) > 0.9).all()


def test_a_given_number_limits_how_many_there_are() -> None:
    prints, _ = voices(5, 20)
    assert len(speakers_in(prints, 3)) == 3
    assert len(speakers_in(prints, 1)) == 1


def test_more_speakers_than_voices_split_nobody() -> None:
    prints, _ = voices(2, 20, noise=0.2)
    assert len(speakers_in(prints, 6)) == 2


def test_hours_of_prints_are_clustered_with_bounded_comparisons() -> None:
    prints, _ = voices(6, 2 * MOST_AT_ONCE // 3)
    assert len(prints) > 2 * MOST_AT_ONCE
    assert len(speakers_in(prints)) == 6


def test_what_is_heard_for_moments_only_is_nobody() -> None:
    prints, _ = voices(2, 300)
    stray = unit(np.random.default_rng(9).normal(size=(1, 192)).astype(np.float32))
    seconds = np.append(prints.seconds, np.float32(0.5))
    assert len(speakers_in(Prints(np.concatenate([prints.vectors, stray]), seconds))) == 2


def test_a_crowd_is_at_most_twenty() -> None:
    prints, _ = voices(30, 5, noise=0.2)
    assert len(speakers_in(prints)) == MOST_SPEAKERS


def window(first: int, *rows: tuple[int, int, int], prints: dict[int, np.ndarray]) -> Window:
    """A window in which voices speak from one frame up to another."""
    heard = np.zeros((FRAMES, 3), np.uint8)
    for voice, begin, end in rows:
        heard[begin:end, voice] = 255
    return Window(first, heard, prints, dict.fromkeys(prints, 1.0))


LOUD = np.where(np.arange(800) % 50 < 40, -20, -60).astype(np.float32)
ANNA, BEN = np.eye(192, dtype=np.float32)[:2]
BOTH = np.stack([ANNA, BEN])


def spoken(found: tuple[Turn, ...], speaker: int) -> list[tuple[int, int]]:
    offset = FRAME_CENTRE / 16_000 - FRAME_S / 2
    return [
        (round((turn.start - offset) / FRAME_S), round((turn.end - offset) / FRAME_S))
        for turn in found
        if turn.speaker == speaker
    ]


def test_voices_of_windows_become_speakers_whatever_their_numbers_are() -> None:
    loud = np.full(800, -20, np.float32) + np.arange(800) % 2
    windows = [
        window(0, (0, 0, 300), (1, 300, 589), prints={0: ANNA, 1: BEN}),
        window(150, (2, 0, 150), (0, 150, 589), prints={2: ANNA, 0: BEN}),
    ]
    found = turns(windows, loud, BOTH)
    assert spoken(found, 0) == [(0, 300)]
    assert spoken(found, 1) == [(300, 739)]


def test_two_voices_of_a_window_are_never_the_same_speaker() -> None:
    alike = unit(ANNA + 0.1 * BEN)
    windows = [window(0, (0, 0, 200), (1, 200, 500), prints={0: ANNA, 1: alike})]
    found = turns(windows, np.full(589, -20, np.float32), BOTH)
    assert {turn.speaker for turn in found} == {0, 1}


def test_two_speak_at_once() -> None:
    windows = [window(0, (0, 0, 400), (1, 200, 500), prints={0: ANNA, 1: BEN})]
    found = turns(windows, np.full(589, -20, np.float32) + np.arange(589) % 2, BOTH)
    assert spoken(found, 0) == [(0, 400)]
    assert spoken(found, 1) == [(200, 500)]


def test_speech_that_nobody_has_a_print_of_is_one_speakers() -> None:
    windows = [window(0, (0, 0, 60), (1, 100, 150), prints={})]
    found = turns(windows, np.full(589, -20, np.float32) + np.arange(589) % 2, BOTH[:0])
    assert {turn.speaker for turn in found} == {0}


def test_speech_stands_out_of_its_background_at_any_level() -> None:
    for shift in (0, -40):
        share = standing_out(LOUD + shift)
        assert share[20] > 0.9
        assert share[45] < 0.2


def word(start: float, end: float, text: str = " a") -> Word:
    return Word(text, start, end, 1.0)


def labels(words: list[Word], found: list[Turn], **names: str) -> list[str | None]:
    known = {int(number.strip("_")): name for number, name in names.items()}
    return [each.speaker for each in told_apart(words, found, known)]


def test_speakers_are_numbered_by_their_first_words() -> None:
    found = [Turn(0, 2, 7), Turn(2, 4, 3), Turn(4, 6, 7)]
    words = [word(2.1, 2.5), word(3, 3.5), word(4.5, 5)]
    assert labels(words, found) == ["Speaker 1", "Speaker 1", "Speaker 2"]
    assert labels(words, found, _3="Anna") == ["Anna", "Anna", "Speaker 2"]


def test_no_word_falls_between_turns() -> None:
    found = [Turn(0, 1, 0), Turn(5, 6, 1)]
    words = [word(1.2, 1.5), word(4, 4.4), word(5.5, 5.5), word(90, 91)]
    assert labels(words, found) == ["Speaker 1", "Speaker 2", "Speaker 2", "Speaker 2"]


def test_a_word_at_a_border_belongs_to_who_says_most_of_it() -> None:
    found = [Turn(0, 1, 0), Turn(1, 2, 1)]
    assert labels([word(0, 0.5), word(0.8, 1.1)], found) == ["Speaker 1", "Speaker 1"]
    assert labels([word(0, 0.5), word(0.9, 1.3)], found) == ["Speaker 1", "Speaker 2"]


def test_where_two_speak_at_once_the_speaker_stays() -> None:
    found = [Turn(0, 4, 0), Turn(1, 6, 1)]
    words = [word(0, 0.5), word(2, 2.5), word(4.5, 5), word(3, 3.5)]
    assert labels(words, found) == ["Speaker 1", "Speaker 1", "Speaker 2", "Speaker 2"]


def test_without_turns_there_is_one_speaker() -> None:
    assert labels([word(0, 1), word(2, 3)], []) == ["Speaker 1", "Speaker 1"]


def test_a_segment_ends_where_the_speaker_changes() -> None:
    words = told_apart([word(0, 1), word(1, 2), word(2, 3)], [Turn(0, 2, 0), Turn(2, 3, 1)], {})
    assert [len(segment.words) for segment in split_words(words)] == [2, 1]


@given(
    st.lists(st.tuples(st.floats(0, 100), st.floats(0, 5), st.integers(0, 3)), max_size=20),
    st.lists(st.tuples(st.floats(0, 110), st.floats(0, 2)), max_size=30),
)
def test_every_word_gets_the_speaker_of_a_turn_that_no_other_is_nearer_to(
    spans: list[tuple[float, float, int]], said: list[tuple[float, float]]
) -> None:
    found = [Turn(start, start + length, who) for start, length, who in spans]
    words = [word(start, start + length) for start, length in sorted(said)]
    told = told_apart(words, found, {n: f"name {n}" for n in range(4)})
    assert [each.text for each in told] == [each.text for each in words]
    for each in told:
        assert each.speaker is not None
        if found:
            gaps = {
                f"name {turn.speaker}": max(turn.start - each.end, each.start - turn.end, 0)
                for turn in sorted(
                    found, key=lambda t: -max(t.start - each.end, each.start - t.end)
                )
            }
            assert gaps[each.speaker] <= min(gaps.values()) + 1e-3


def test_known_voices_are_named_once_each_and_strangers_never() -> None:
    found = Diarization((), np.stack([ANNA, BEN]))
    close = unit(BEN + 0.5 * ANNA)
    assert recognised(found, [KnownVoice("Ben", close.tolist())]) == {1: "Ben"}
    assert recognised(found, [KnownVoice("Zoe", np.eye(192)[5].tolist())]) == {}
    assert recognised(Diarization(), [KnownVoice("Ben", close.tolist())]) == {}


class Pipeline:
    """A pipeline of pyannote.audio's shape: somebody called "b" speaks first, then "a"."""

    asked: ClassVar[list[tuple[tuple[int, ...], int | None]]] = []
    device = "cpu"

    @classmethod
    def from_pretrained(cls, folder: Path) -> Pipeline:
        assert (folder / "config.yaml").exists()
        return cls()

    def to(self, device: str) -> None:
        Pipeline.device = device

    def __call__(self, file: dict[str, Any], num_speakers: int | None = None) -> SimpleNamespace:
        assert file["sample_rate"] == 16_000
        Pipeline.asked.append((file["waveform"].shape, num_speakers))
        said = Annotation()
        for turn, (start, end, who) in enumerate([(0.5, 2, "b"), (1.5, 3, "a"), (4, 5, "b")]):
            said[Segment(start, end), turn] = who
        return SimpleNamespace(speaker_diarization=said)


@pytest.mark.parametrize("gpu", [False, True])
def test_a_pipeline_of_pyannote_is_a_diarizer(
    gpu: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = SimpleNamespace(
        from_numpy=lambda samples: samples,
        cuda=SimpleNamespace(is_available=lambda: gpu),
        device=lambda name: name,
    )
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "pyannote.audio", SimpleNamespace(Pipeline=Pipeline))
    monkeypatch.setattr(Pipeline, "asked", [])
    (tmp_path / "config.yaml").write_text("pipeline: {}")
    diarizer = PyannoteDiarizer(tmp_path)
    for told in (0, 3):
        session = diarizer.session()
        session.feed(np.zeros(10, np.float32))
        session.feed(np.zeros(6, np.float32))
        assert session.finish(told).turns == (Turn(0.5, 2, 0), Turn(1.5, 3, 1), Turn(4, 5, 0))
    assert Pipeline.asked == [((1, 16), None), ((1, 16), 3)]
    assert Pipeline.device == ("cuda" if gpu else "cpu")


def test_a_pipeline_that_cannot_be_had_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelNotInstalled, match=re.escape("no config.yaml")):
        PyannoteDiarizer(tmp_path)
    (tmp_path / "config.yaml").write_text("pipeline: {}")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ModelNotInstalled, match="pip install"):
        PyannoteDiarizer(tmp_path)
