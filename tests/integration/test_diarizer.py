"""Who speaks, with the real networks, in conversations of packaged clips."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from auricle.models import SPEAKERS, ModelStore
from auricle.speech.diarization import networks
from auricle.speech.diarization.diarizer import SpeakerDiarizer
from auricle.speech.diarization.live import LiveSpeakers
from auricle.speech.diarization.protocol import Diarization, KnownVoice, Turn
from auricle.speech.diarization.spectrum import spectra
from auricle.speech.engines.cpu.lanes import SUPPORTED
from auricle.transcript import Transcript, Word
from auricle.work.speakers import Asked, Speakers
from conversations import (
    ENGLISH,
    F32,
    FRENCH,
    JAPANESE,
    at_rate,
    clip,
    conversation,
    heard,
    whose,
)
from sounds import RATE, read_wav

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def diarizer(models_dir: Path) -> SpeakerDiarizer:
    return SpeakerDiarizer(ModelStore(models_dir).path(SPEAKERS))


@pytest.fixture(scope="module")
def dickens(recording: Path) -> F32:
    return at_rate(*read_wav(recording))


@pytest.mark.skipif(not SUPPORTED, reason="this processor has no VNNI")
def test_kernels_say_what_the_graphs_say(
    models_dir: Path, dickens: F32, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ModelStore(models_dir).path(SPEAKERS)
    ours = networks.Networks(folder)
    monkeypatch.setattr(networks, "SUPPORTED", False)
    exact = networks.Networks(folder)
    firsts = [0, 150, 300, 450, 600, 750, 900]  # more than a tile, and not two of them
    apart = ours.segment(dickens, firsts) - exact.segment(dickens, firsts)
    assert np.abs(apart).mean() < 0.01
    for frames in (1000, 402):
        heard = spectra(dickens)[:frames]
        frames_ours, frames_exact = ours.voice_frames(heard), exact.voice_frames(heard)
        assert frames_ours.shape == frames_exact.shape == (frames // 2, 512)
        print_ = ours.voice_print(frames_ours)
        assert print_ @ exact.voice_print(frames_exact) > 0.995


def test_three_people_are_told_apart(diarizer: SpeakerDiarizer, dickens: F32) -> None:
    reader = dickens[round(1.2 * RATE) : round(9 * RATE)], dickens[10 * RATE : 18 * RATE]
    parts = [reader[0], clip(FRENCH), clip(JAPANESE), reader[1], clip("fr/comptage")]
    sound, times = conversation(*parts)
    found = heard(diarizer, sound)
    who = [whose(found, *time) for time in times]
    assert who[0] == who[3]
    assert who[1] == who[4]
    assert len(set(who)) == len({turn.speaker for turn in found.turns}) == 3


@pytest.mark.parametrize("name", [FRENCH, JAPANESE, "fr/comptage"])
def test_who_is_never_alone_is_heard_as_well(
    diarizer: SpeakerDiarizer, dickens: F32, name: str
) -> None:
    sound, start, end = dickens[: 18 * RATE].copy(), 6.0, 7.2
    sound[round(start * RATE) : round(end * RATE)] += clip(name)[: round((end - start) * RATE)]
    found = heard(diarizer, sound)
    [other] = [turn for turn in found.turns if turn.speaker != whose(found, 0, 5)]
    assert abs(other.start - start) < 0.3
    assert abs(other.end - end) < 0.3


def test_one_reader_is_one_speaker_however_the_blocks_come(
    diarizer: SpeakerDiarizer, dickens: F32
) -> None:
    found = heard(diarizer, dickens)
    assert {turn.speaker for turn in found.turns} == {0}
    assert heard(diarizer, dickens, block=77_777).turns == found.turns
    assert heard(diarizer, dickens, speakers=4).turns == found.turns


def test_quiet_recordings_are_told_apart_as_well(diarizer: SpeakerDiarizer) -> None:
    sound, times = conversation(clip(ENGLISH), clip(FRENCH), clip("en/counting"))
    found = heard(diarizer, sound * np.float32(0.003))
    who = [whose(found, *time) for time in times]
    assert who[0] == who[2] != who[1]


@pytest.mark.parametrize("seconds", [0, 0.01, 0.6, 11])
def test_silence_and_nothing_have_no_speakers(diarizer: SpeakerDiarizer, seconds: float) -> None:
    assert heard(diarizer, np.zeros(round(seconds * RATE), np.float32)).turns == ()


def test_noise_and_garbage_do_no_harm(diarizer: SpeakerDiarizer) -> None:
    dice = np.random.default_rng(3)
    for sound in (
        dice.normal(0, 0.1, 5 * RATE),
        np.sign(dice.normal(0, 1, 3 * RATE)),
        np.ones(12 * RATE),
    ):
        heard(diarizer, sound.astype(np.float32))


@pytest.mark.parametrize(
    ("known", "names"), [(False, ("Speaker 1", "Speaker 2")), (True, ("Charles", "Speaker 2"))]
)
def test_live_labels_stay_and_know_speakers_again(
    diarizer: SpeakerDiarizer, dickens: F32, known: bool, names: tuple[str, str]
) -> None:
    reader = dickens[round(1.2 * RATE) : 9 * RATE], dickens[10 * RATE : 18 * RATE]
    sound, times = conversation(reader[0], clip(FRENCH), reader[1], clip("fr/comptage"))
    enrolled = {}
    if known:
        prints = heard(diarizer, dickens[20 * RATE : 35 * RATE], 1).prints
        assert prints is not None
        enrolled["Charles"] = prints[0]
    live, labels, done = LiveSpeakers(diarizer, enrolled), [], 0.0
    for first in range(0, len(sound), RATE):
        live.feed(sound[first : first + RATE])
        now = min(first + RATE, len(sound)) / RATE
        # A word every half second in the middle of whoever speaks, one second after it was said.
        middles = [t for t in np.arange(0.25, len(sound) / RATE, 0.5) if done <= t < now - 1]
        done = now - 1
        words = [Word(" a", t, t + 0.2, 1.0) for t in middles]
        labels += [(word.start, word.speaker) for word in live.label(words)]
    wanted = names * 2
    right = [
        label == want
        for at, label in labels
        for (start, end), want in zip(times, wanted, strict=True)
        if start + 0.3 < at < end - 0.5
    ]
    assert {label for _, label in labels} == set(names)
    assert sum(right) >= 0.9 * len(right)


def test_live_words_without_sound_belong_to_one_speaker(diarizer: SpeakerDiarizer) -> None:
    live = LiveSpeakers(diarizer, {})
    assert live.label([]) == ()
    assert [word.speaker for word in live.label([Word(" a", 0, 1, 1.0)])] == ["Speaker 1"]
    live.feed(np.zeros(RATE, np.float32))
    assert [word.speaker for word in live.label([Word(" a", 0, 1, 1.0)])] == ["Speaker 1"]


SAID = Transcript((Word(" a", 0.5, 1.0, 1.0), Word(" b", 5.0, 5.5, 1.0)), "en", 1.0, 7.0, "base")


def told(speakers: Speakers, blocks: Iterable[F32], asked: Asked) -> list[str | None]:
    with speakers.beside(blocks, asked) as listening:
        for _ in listening.blocks:
            pass
        return [word.speaker for word in listening.told(SAID).words]


def blocks_of(sound: F32) -> Iterator[F32]:
    yield from np.array_split(sound, 20)


def test_words_get_names_of_known_voices_and_numbers(models_dir: Path) -> None:
    speakers = Speakers(ModelStore(models_dir))
    english, french = conversation(clip("en/counting"))[0], conversation(clip(FRENCH))[0]
    vector = heard(speakers.ours(), english, 1).prints
    assert vector is not None
    sound, _ = conversation(clip(ENGLISH), french)
    asked = Asked(diarize=True, known=(KnownVoice("Anna", vector[0].tolist()),))
    assert told(speakers, blocks_of(sound), asked) == ["Anna", "Speaker 2"]
    assert told(speakers, blocks_of(sound), Asked()) == [None, None]


def test_without_the_networks_everybody_is_one_speaker(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        found = told(Speakers(ModelStore(tmp_path)), blocks_of(clip(FRENCH)), Asked(diarize=True))
    assert found == ["Speaker 1", "Speaker 1"]
    assert "auricle models pull speakers" in caplog.text


class Broken:
    """A diarizer that fails in the middle."""

    def session(self) -> Broken:
        return self

    def feed(self, block: F32) -> None:
        raise ValueError("broken")

    def finish(self, speakers: int = 0) -> Diarization:
        return Diarization((Turn(0, 1, 0),))


def test_a_diarizer_that_fails_costs_no_words(tmp_path: Path) -> None:
    speakers = Speakers(ModelStore(tmp_path))
    speakers._ours = Broken()  # type: ignore[assignment]
    many = (np.zeros(100, np.float32) for _ in range(1000))
    assert told(speakers, many, Asked(diarize=True)) == ["Speaker 1", "Speaker 1"]


def test_sound_that_is_not_numbers_costs_no_words(models_dir: Path) -> None:
    blocks = blocks_of(np.full(12 * RATE, np.nan, np.float32))
    speakers = Speakers(ModelStore(models_dir))
    assert told(speakers, blocks, Asked(diarize=True)) == ["Speaker 1", "Speaker 1"]


def test_a_cancelled_transcription_lets_the_diarizer_go(models_dir: Path) -> None:
    speakers = Speakers(ModelStore(models_dir))
    with speakers.beside(blocks_of(clip(FRENCH)), Asked(diarize=True)) as listening:
        next(listening.blocks)
    assert listening._thread is not None
    listening._thread.join(60)
    assert not listening._thread.is_alive()
