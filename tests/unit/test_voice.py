"""Voices without their models: joining, loudness, formats, texts in words, references."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from auricle.core.errors import BadMedia, BadRequest, Cancelled
from auricle.models.wheels import fetch_tarball
from auricle.speech.diarization.protocol import Diarization, Turn
from auricle.voice import encode, enhance, loudness, prepare, voices
from auricle.voice.deepfilter import BINS, NARROWEST, band_widths
from auricle.voice.formats import ENHANCED
from auricle.voice.prepare import Piece
from auricle.voice.speak import speak, trimmed
from auricle.work import reference
from sounds import ScriptedVoice, silence, speech, tone

RATE = 48_000
F32 = NDArray[np.float32]


def wave(seconds: float, level: float = 0.3, channels: int = 1) -> F32:
    at = np.arange(round(seconds * RATE)) / RATE
    return np.stack([level * np.sin(2 * np.pi * 997 * at)] * channels, axis=1).astype(np.float32)


def in_blocks(samples: F32, size: int) -> Iterator[F32]:
    for at in range(0, len(samples), size):
        yield samples[at : at + size]


def test_bands_take_every_bin_and_none_is_too_narrow() -> None:
    widths = band_widths()
    assert widths.sum() == BINS
    assert widths.min() >= NARROWEST
    assert list(widths[:3]) == [2, 2, 2]
    assert (np.diff(widths[8:]) >= 0).all()


@pytest.mark.parametrize("level", [0.01, 0.3, 0.9])
def test_a_recording_comes_out_as_loud_as_ebu_r128_says(level: float) -> None:
    meter, after = loudness.Meter(2, RATE), loudness.Meter(2, RATE)
    sound = wave(4, level, channels=2)
    meter.add(sound)
    for block in loudness.limited(in_blocks(sound, 10_000), meter.gain, RATE):
        after.add(block)
    assert after.lufs == pytest.approx(loudness.TARGET_LUFS, abs=0.2)


def test_silence_is_not_made_louder() -> None:
    meter = loudness.Meter(1, RATE)
    meter.add(np.zeros((RATE, 1), np.float32))
    assert meter.gain == 1.0


@pytest.mark.parametrize("size", [1_000, 7_777, 1_000_000])
def test_peaks_stay_under_the_limit_wherever_blocks_are_cut(size: int) -> None:
    sound = wave(2, 0.2)
    sound[30_000:30_050] *= 4.9
    held = np.concatenate(list(loudness.limited(in_blocks(sound, size), 1.5, RATE)))
    whole = np.concatenate(list(loudness.limited([sound], 1.5, RATE)))
    meter = loudness.Meter(1, RATE)
    meter.add(held)
    assert len(held) == len(sound)
    assert 20 * np.log10(meter.peak) <= loudness.PEAK_DB + 0.1
    np.testing.assert_allclose(held, whole, atol=1e-6)
    np.testing.assert_allclose(held[:20_000], 1.5 * sound[:20_000], rtol=1e-5)


@pytest.mark.parametrize("name", ENHANCED)
@pytest.mark.parametrize("channels", [1, 2])
def test_files_are_as_long_as_what_went_in_and_nothing_moves(name: str, channels: int) -> None:
    sound = np.zeros((100_001, channels), np.float32)
    sound[50_000:50_480] = 0.5 * np.sin(np.arange(480) / 6)[:, None]
    file = io.BytesIO()
    assert encode.write(file, name, in_blocks(sound, 9_999), RATE) == len(sound)
    file.seek(0)
    with av.open(file, "r") as container:
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
        assert container.streams.audio[0].channels == channels
        packed = not container.streams.audio[0].format.is_planar
    planes = [f.reshape(-1, channels).T if packed else f for f in frames]
    heard = np.concatenate(planes, axis=1)[0].astype(np.float64)
    assert len(heard) == len(sound)
    assert abs(int(np.abs(heard).argmax()) - int(np.abs(sound[:, 0]).argmax())) < 480


def test_a_file_says_that_it_is_synthetic() -> None:
    for name in ("wav", "flac", "mp3", "opus"):
        data = b"".join(encode.stream(name, [wave(0.5)], RATE, {"comment": "Synthetic speech"}))
        with av.open(io.BytesIO(data), "r") as container:
            told = container.metadata | container.streams.audio[0].metadata
        assert "Synthetic speech" in str(told), name


def test_noise_is_estimated_from_what_is_gone_and_from_the_pauses() -> None:
    noisy = np.tile([2.0, 1.0, 1.0], (100, 1))
    assert enhance.speech_to_noise(noisy) == pytest.approx(0.0, abs=1.0)
    clean = np.tile([1.0, 1.0, 0.001], (100, 1))
    assert enhance.speech_to_noise(clean) > enhance.CLEAN_DB
    # The network takes speech away, but the pauses say that there was no noise.
    taken = clean.copy()
    taken[:, 1:] = 0.5
    taken[:20, 0] = 1e-5
    assert enhance.speech_to_noise(taken) > enhance.CLEAN_DB
    assert enhance.speech_to_noise(np.zeros((10, 3))) == np.inf


@pytest.mark.parametrize(
    ("language", "written", "spoken"),
    [
        ("en-us", "Dr. Smith paid $12.50 on 3/4/2024.", "Doctor Smith paid twelve dollars"),
        ("es", "El 14/05/2026 pagó 12,50 €.", "catorce de mayo de dos mil veintiséis"),
        ("fr", "Il y a 12 345 maisons.", "douze mille trois cent quarante-cinq maisons"),
        ("it", "Nel 1999 il Sig. Rossi", "Signor Rossi"),
        ("pt-br", "São 18:20.", "dezoito"),
    ],
)
def test_numbers_dates_and_abbreviations_are_words(
    language: str, written: str, spoken: str
) -> None:
    assert spoken in prepare.in_words(written, language)


def test_a_text_is_cut_at_sentences_and_long_ones_at_clauses() -> None:
    found = list(prepare.pieces("One here. Two there!\n\nThree, at last.", "en-us"))
    assert [piece.text for piece in found] == ["One here.", "Two there!", "Three, at last."]
    assert [piece.pause_s for piece in found] == [0.3, 0.6, 0.6]
    long = ", and then ".join(["it went on and on"] * 60) + "."
    parts = list(prepare.pieces(long, "en-us"))
    assert len(parts[0].text) <= prepare.FIRST  # the first sound comes soon
    assert max(len(piece.text) for piece in parts) <= prepare.LONGEST
    assert len(parts) < 2 + 2 * len(long) / prepare.LONGEST
    assert " ".join(piece.text for piece in parts).split() == long.split()
    assert max(len(p.text) for p in prepare.pieces("x" * 2_000, "en-us")) <= prepare.LONGEST
    assert list(prepare.pieces(" \n\n ", "en-us")) == []


def test_pieces_are_joined_without_clicks_and_with_their_pauses() -> None:
    def say(text: str) -> F32:
        return np.concatenate((silence(0.5), tone(len(text) / 10), silence(0.5)))

    made = speak([Piece("a" * 10, 0.3), Piece("b" * 5, 0.6)], say, 16_000, lambda: None)
    heard = np.concatenate(list(made))
    expected = (1.0 + 0.3 + 0.5) * 16_000
    assert len(heard) == pytest.approx(expected, abs=0.15 * 16_000)
    steps = np.abs(np.diff(heard))
    assert steps.max() <= np.abs(np.diff(tone(1))).max() * 1.05
    assert heard[0] == heard[-1] == 0


def test_who_goes_away_stops_the_speaking() -> None:
    said: list[str] = []

    def say(text: str) -> F32:
        said.append(text)
        return tone(0.1)

    def tick() -> None:
        if len(said) > 3:
            raise Cancelled("gone")

    with pytest.raises(Cancelled):
        for _ in speak([Piece(str(n), 0.1) for n in range(100)], say, 16_000, tick):
            pass
    assert len(said) < 10


def test_silence_has_nothing_to_be_joined() -> None:
    assert not len(trimmed(np.zeros(1_000, np.float32), 16_000))


def test_a_voice_of_openai_speaks_the_language_of_the_text() -> None:
    assert voices.choose("alloy", "") == ("af_alloy", "en-us")
    assert voices.choose("alloy", "fr") == ("ff_siwis", "fr")
    assert voices.choose("onyx", "it") == ("im_nicola", "it")
    assert voices.choose("if_sara", "") == ("if_sara", "it")
    assert voices.choose("if_sara", "en-us") == ("if_sara", "en-us")
    for name in (*voices.OPENAI, *voices.VOICES):
        for language in ("", *voices.LANGUAGES.values()):
            assert voices.choose(voices.known(name), language)[0] in voices.VOICES
    with pytest.raises(BadRequest, match="alloy"):
        voices.known("morgan freeman")
    with pytest.raises(BadRequest, match="pt-br"):
        voices.spoken("tlh")


class OneVoice:
    """A diarizer that hears what it is told to."""

    def __init__(self, *turns: Turn) -> None:
        self._turns = turns

    def session(self) -> OneVoice:
        return self

    def feed(self, block: F32) -> None:
        pass

    def finish(self, speakers: int = 0) -> Diarization:
        return Diarization(self._turns)


@pytest.mark.parametrize(
    ("samples", "turns", "said"),
    [
        (speech(2.5), [], "lasts 2.5 seconds"),
        (silence(5), [], "is silent"),
        (np.concatenate((silence(4), speech(1))), [], "Hardly anybody speaks"),
        (0.4 * speech(5), [], "Hardly anybody speaks"),
        (speech(6), [Turn(0, 4, 0), Turn(4, 6, 1)], "Two voices"),
    ],
)
def test_a_reference_that_cannot_lend_its_voice_is_refused(
    samples: F32, turns: list[Turn], said: str
) -> None:
    with pytest.raises(BadMedia, match=said):
        reference.check(samples, ScriptedVoice(), OneVoice(*turns))


def test_a_good_reference_passes() -> None:
    reference.check(speech(6), ScriptedVoice(), OneVoice(Turn(0, 5.8, 0), Turn(5.8, 6, 1)))
    reference.check(speech(6), ScriptedVoice(), None)


def test_a_package_of_npm_needs_npm(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ValueError, match=r"npm, which comes with Node\.js"):
        fetch_tarball("nothing@1.0.0", "0" * 64, tmp_path)


def test_a_package_of_npm_with_another_hash_is_refused(tmp_path: Path, monkeypatch: Any) -> None:
    npm = tmp_path / "npm"
    npm.write_text('#!/bin/sh\necho something > "$4/nothing-1.0.0.tgz"\n')
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(ValueError, match="the catalog says"):
        fetch_tarball("nothing@1.0.0", "0" * 64, tmp_path)
