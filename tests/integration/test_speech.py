"""The speech library with the real model on real recordings."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import jiwer
import numpy as np
import pytest
from pytest_audioeval.samples import registry
from recordings import TEXT

from auricle.media import MediaPool
from auricle.speech import SpeechOptions
from auricle.speech.engines.batched import Batched
from auricle.speech.engines.ctranslate2 import CTranslate2Engine
from auricle.speech.pipeline import EngineAccess, transcribe
from auricle.speech.vad import VoiceActivity
from auricle.transcript import Transcript
from sounds import read_wav, tone, wav

SAMPLES = Path(registry.__file__).parent / "audio"


def plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


@pytest.fixture(scope="module")
def hear(media: MediaPool, base: CTranslate2Engine, voice: VoiceActivity, tmp_path_factory):  # type: ignore[no-untyped-def]
    """Transcribe a path or the bytes of a file."""

    def run(source: Path | bytes, **options: object) -> Transcript:
        path = source
        if isinstance(path, bytes):
            path = tmp_path_factory.mktemp("sound") / "sound.wav"
            path.write_bytes(source)
        with path.open("rb") as file:
            blocks = media.decode(file, path.name, max_seconds=3600)
            wanted = SpeechOptions(**options)  # type: ignore[arg-type]
            return transcribe(blocks, EngineAccess(Batched(base, 8)), wanted, voice=voice)

    return run


@pytest.fixture(scope="module")
def dickens(hear, recording: Path) -> Transcript:  # type: ignore[no-untyped-def]
    return hear(recording)  # type: ignore[no-any-return]


def test_dickens_is_transcribed_without_a_mistake_worth_naming(dickens: Transcript) -> None:
    assert dickens.language == "en"
    assert jiwer.wer(plain(TEXT), plain(dickens.text)) < 0.03


def test_every_word_has_a_time_inside_the_file_and_in_order(dickens: Transcript) -> None:
    assert len(dickens.words) > 110
    for left, right in zip(dickens.words, dickens.words[1:], strict=False):
        assert left.end <= right.start
    for word in dickens.words:
        assert 0 <= word.start < word.end <= dickens.duration
        assert 0 <= word.probability <= 1
    assert all(0.5 < segment.confidence <= 1 for segment in dickens.segments)


def test_no_word_lies_in_silence(dickens: Transcript, recording: Path) -> None:
    """Every word has energy under it."""
    samples, rate = read_wav(recording)
    floor = np.quantile(np.abs(samples), 0.3)
    for word in dickens.words:
        under = samples[int(word.start * rate) : int(word.end * rate) + 1]
        assert np.abs(under).max() > 3 * floor, word


def test_segments_are_sentences(dickens: Transcript) -> None:
    assert dickens.segments[0].text.startswith("It was the best of times")
    assert len(dickens.segments) > 5
    assert "".join(w.text for s in dickens.segments for w in s.words) == "".join(
        word.text for word in dickens.words
    )


def test_a_pause_of_a_minute_does_not_shift_what_follows(hear, recording: Path) -> None:  # type: ignore[no-untyped-def]
    """Timestamps that drift after silence are what people complain of most."""
    samples, rate = read_wav(recording)
    sentence = samples[int(0.9 * rate) : int(5.0 * rate)]
    pause = np.zeros(60 * rate, np.float32)
    found = hear(wav(np.concatenate([sentence, pause, sentence]), rate=rate))
    first, second = found.words[: len(found.words) // 2], found.words[len(found.words) // 2 :]
    assert plain("".join(w.text for w in first)) == plain("".join(w.text for w in second))
    shift = len(sentence) / rate + 60
    for a, b in zip(first, second, strict=True):
        assert b.start - a.start == pytest.approx(shift, abs=0.35)


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros(160_000, np.float32),
        tone(10, 50),
        np.random.default_rng(1).normal(0, 0.1, 320_000).astype(np.float32),
        np.random.default_rng(2).normal(0, 0.001, 320_000).astype(np.float32),
        np.where(np.arange(160_000) % 8_000 < 40, 0.9, 0).astype(np.float32),
        np.zeros(800, np.float32),
    ],
    ids=["silence", "hum", "loud noise", "faint noise", "clicks", "0.05 s"],
)
def test_nothing_is_heard_where_nobody_speaks(hear, sound: np.ndarray) -> None:  # type: ignore[no-untyped-def]
    found = hear(wav(sound))
    assert (found.text, found.segments, found.language) == ("", (), "")


@pytest.mark.parametrize("gain_db", [-50, -30, 20])
def test_level_does_not_matter(hear, recording: Path, gain_db: int) -> None:  # type: ignore[no-untyped-def]
    samples, rate = read_wav(recording)
    part = samples[: 13 * rate] / np.abs(samples).max() * 10 ** (gain_db / 20)
    reference = " ".join(plain(TEXT).split()[:36])
    assert jiwer.wer(reference, plain(hear(wav(part, rate=rate), language="en").text)) < 0.1


def test_telephone_sound_keeps_its_words(hear, recording: Path) -> None:  # type: ignore[no-untyped-def]
    samples, rate = read_wav(recording)
    narrow = np.interp(np.arange(0, 13, 1 / 8000), np.arange(len(samples)) / rate, samples)
    reference = " ".join(plain(TEXT).split()[:36])
    assert jiwer.wer(reference, plain(hear(wav(narrow.astype(np.float32), rate=8000)).text)) < 0.1


@pytest.fixture(scope="module")
def clips(media: MediaPool) -> Callable[[str], bytes]:
    """All clips of a language in one file."""

    def joined(language: str) -> bytes:
        blocks: list[np.ndarray] = []
        for path in sorted((SAMPLES / language).glob("*.wav")):
            with path.open("rb") as file:
                blocks += media.decode(file, max_seconds=60)
        return wav(np.concatenate(blocks))

    return joined


@pytest.mark.parametrize("language", ["en", "es", "fr", "hi", "it", "ja", "pt", "zh"])
def test_languages_are_told_apart(hear, clips, language: str) -> None:  # type: ignore[no-untyped-def]
    """Synthetic voices of a few seconds, so only that which base knows well."""
    found = hear(clips(language))
    assert found.language == language
    assert found.language_probability > 0.3
    assert len(found.words) >= 5


def test_a_given_language_is_believed(hear, clips) -> None:  # type: ignore[no-untyped-def]
    found = hear(clips("pl"), language="pl")
    assert (found.language, found.language_probability) == ("pl", 1.0)
    assert len(found.words) >= 10


def test_another_language_is_translated_into_english(hear) -> None:  # type: ignore[no-untyped-def]
    found = hear(SAMPLES / "fr" / "comptage.wav", language="fr", task="translate")
    assert {"one", "two", "three"} & set(plain(found.text).split()) or "1" in found.text


def test_a_prompt_sets_the_spelling(hear, recording: Path) -> None:  # type: ignore[no-untyped-def]
    samples, rate = read_wav(recording)
    part = wav(samples[: 5 * rate], rate=rate)
    shouted = hear(part, language="en", prompt="IT WAS THE AGE OF CAPITAL LETTERS, ALWAYS.")
    assert plain(shouted.text).startswith("it was the best of times")
