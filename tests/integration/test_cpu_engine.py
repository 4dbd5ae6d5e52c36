"""The engine for processors against CTranslate2 on the same weights, and against itself."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import jiwer
import numpy as np
import pytest
from numpy.typing import NDArray

import random_whisper
from asking import align, decode, detect, encode
from auricle.core.errors import Unavailable
from auricle.media import MediaPool
from auricle.speech import SpeechOptions
from auricle.speech.engines.cpu import CPUEngine, stepping
from auricle.speech.engines.cpu import engine as cpu_engine
from auricle.speech.engines.cpu.checkpoint import Checkpoint
from auricle.speech.engines.cpu.spectrum import log_mel
from auricle.speech.engines.ctranslate2 import CTranslate2Engine
from auricle.speech.options import GREEDY_FIRST
from auricle.speech.pipeline import EngineAccess, transcribe
from auricle.speech.progress import Checkpoint as Kept
from auricle.speech.progress import Watcher
from auricle.speech.vad import VoiceActivity

F32 = NDArray[np.float32]
RATE = 16_000
ENGLISH = ("en", "transcribe")


@pytest.fixture(scope="module")
def engine(models_dir: Path) -> CPUEngine:
    return CPUEngine("base", models_dir / "base", threads=2)


@pytest.fixture(scope="module")
def sound(media: MediaPool, recording: Path) -> F32:
    with recording.open("rb") as file:
        return np.concatenate(list(media.decode(file, max_seconds=60)))


@pytest.fixture(scope="module")
def windows(sound: F32) -> list[F32]:
    """Short, middling and long, none beginning with another."""
    cuts = [(0, 5), (5, 17), (16, 44), (20, 28), (30, 44), (0, 28), (3, 6)]
    return [sound[a * RATE : b * RATE] for a, b in cuts]


def test_it_hears_what_the_reference_hears(
    engine: CPUEngine, base: CTranslate2Engine, windows: list[F32]
) -> None:
    prompt = engine.tokens.prompt(*ENGLISH)
    ours = decode(engine, encode(engine, windows), prompt, 1, 0.0)
    theirs = base.decode(base.encode(windows), prompt, 1, 0.0)
    said = [" ".join(engine.tokens.decode(each.tokens) for each in all_) for all_ in (ours, theirs)]
    assert jiwer.wer(said[1].lower(), said[0].lower()) < 0.06
    for one, other in zip(ours, theirs, strict=True):
        assert one.logprob == pytest.approx(other.logprob, abs=0.12)


def test_words_begin_when_the_reference_says(
    engine: CPUEngine, base: CTranslate2Engine, windows: list[F32]
) -> None:
    """Also for words that it did not choose itself."""
    start = base.tokens.start_sequence(*ENGLISH)
    heard = base.encode(windows)
    tokens = [each.tokens for each in base.decode(heard, base.tokens.prompt(*ENGLISH), 5, 0.0)]
    seconds = [len(window) / RATE for window in windows]
    theirs = base.align(heard, start, tokens, seconds)
    ours = align(engine, encode(engine, windows), start, tokens, seconds)
    for one, other, said in zip(ours, theirs, tokens, strict=True):
        assert len(one.starts) == len(said) + 1
        apart = np.abs(np.array(one.starts) - np.array(other.starts))
        assert np.median(apart) <= 0.04
        assert np.quantile(apart, 0.9) <= 0.2
        assert np.abs(np.array(one.probabilities) - np.array(other.probabilities)).mean() < 0.05


def test_a_window_says_the_same_alone_and_among_others_cold_and_warm(
    engine: CPUEngine, windows: list[F32]
) -> None:
    prompt = engine.tokens.prompt(*ENGLISH)
    alone = [decode(engine, encode(engine, [window]), prompt, 1, 0.0)[0] for window in windows]
    crowd = decode(engine, encode(engine, windows * 3), prompt, 1, 0.0)
    for place, found in enumerate(crowd):
        assert found.tokens == alone[place % len(windows)].tokens


def test_languages_are_told_apart(
    engine: CPUEngine, base: CTranslate2Engine, windows: list[F32]
) -> None:
    ours = detect(engine, encode(engine, windows[:3]))
    theirs = base.detect_languages(base.encode(windows[:3]))
    for one, other in zip(ours, theirs, strict=True):
        assert sum(one.values()) == pytest.approx(1, abs=1e-3)
        assert one["en"] == pytest.approx(other["en"], abs=0.1)


def test_several_hypotheses_are_as_good_as_the_references(
    engine: CPUEngine, base: CTranslate2Engine, windows: list[F32]
) -> None:
    prompt = engine.tokens.prompt(*ENGLISH)
    heard = encode(engine, windows)
    five = decode(engine, heard, prompt, 5, 0.0)
    theirs = base.decode(base.encode(windows), prompt, 5, 0.0)
    means = [np.mean([each.logprob for each in all_]) for all_ in (five, theirs)]
    assert means[0] > means[1] - 0.05
    said = [" ".join(engine.tokens.decode(each.tokens) for each in all_) for all_ in (five, theirs)]
    assert jiwer.wer(said[1].lower(), said[0].lower()) < 0.06


def test_the_best_hypothesis_has_the_times_that_it_would_have_alone(
    engine: CPUEngine, windows: list[F32]
) -> None:
    """Attention is copied along when a hypothesis follows another."""
    prompt, start = engine.tokens.prompt(*ENGLISH), engine.tokens.start_sequence(*ENGLISH)
    seconds = [len(window) / RATE for window in windows]
    heard = encode(engine, windows)
    tokens = [each.tokens for each in decode(engine, heard, prompt, 5, 0.0)]
    found = align(engine, heard, start, tokens, seconds)
    alone = align(engine, encode(engine, windows), start, tokens, seconds)
    for one, other in zip(found, alone, strict=True):
        np.testing.assert_allclose(one.starts, other.starts, atol=0.021)
        assert np.abs(np.array(one.probabilities) - np.array(other.probabilities)).mean() < 0.03


def test_chance_is_the_references_affair_and_ends_in_time(
    engine: CPUEngine, windows: list[F32]
) -> None:
    prompt = engine.tokens.prompt(*ENGLISH)
    (found,) = decode(engine, encode(engine, windows[:1]), prompt, 1, 1.0)
    assert 0 < len(found.tokens) <= 40 + 25 * 5


def test_an_engine_goes_on_after_a_failure(
    engine: CPUEngine, windows: list[F32], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of a batch that broke off is left for the next."""
    prompt = engine.tokens.prompt(*ENGLISH)
    (before,) = decode(engine, encode(engine, windows[:1]), prompt, 1, 0.0)
    heard = encode(engine, windows)
    with monkeypatch.context() as broken:
        broken.setattr(stepping, "choose", None)
        with pytest.raises(TypeError):
            decode(engine, heard, prompt, 1, 0.0)
    assert decode(engine, encode(engine, windows[:1]), prompt, 1, 0.0) == [before]


@pytest.mark.parametrize(
    ("setting", "features", "expected"),
    [
        ("auto", None, "cpu False"),
        ("auto", "+avx2,+fma", "ctranslate2 True"),
        ("ctranslate2", None, "ctranslate2 False"),
    ],
)
def test_processors_without_the_instructions_fall_back(
    setting: str, features: str | None, expected: str, models_dir: Path
) -> None:
    program = (
        "import logging; logging.basicConfig()\n"
        "from auricle.core.settings import Settings\n"
        "from auricle.models import ModelStore\n"
        "from auricle.work.transcriber import Transcriber, engine_for\n"
        "settings = Settings(_env_file=None)\n"
        "made = Transcriber(settings, ModelStore(settings.models_dir), None)\n"
        "made.warm_up('base')\n"
        "print(engine_for(settings), made.fell_back)\n"
    )
    environment = os.environ | {"AURICLE_ENGINE": setting, "AURICLE_DATA": str(models_dir.parent)}
    if features:
        environment |= {"NUMBA_CPU_NAME": "x86-64-v3", "NUMBA_CPU_FEATURES": features}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == expected, done.stderr
    assert ("CTranslate2 does the work" in done.stderr) == expected.endswith("True")


def test_a_whole_recording_has_its_words_and_times(
    engine: CPUEngine, voice: VoiceActivity, media: MediaPool, recording: Path
) -> None:
    with recording.open("rb") as file:
        blocks = media.decode(file, max_seconds=60)
        access = EngineAccess(engine, decoding=GREEDY_FIRST)
        found = transcribe(blocks, access, SpeechOptions(), voice=voice)
    assert found.language == "en"
    assert found.text.startswith("It was the best of times")
    assert found.text.endswith("degree of comparison only.")
    times = [time for word in found.words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert times[-1] <= found.duration


def test_the_first_words_of_a_long_recording_do_not_wait_for_its_rest(
    engine: CPUEngine, sound: F32, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each window that begins before makes them wait."""
    encoded = 0

    class Enough(Exception):
        """The first words are there."""

    class First(Watcher):
        def checkpoint(self, checkpoint: Kept) -> None:
            assert checkpoint.words
            raise Enough

    def note(samples: F32, mels: int) -> F32:
        nonlocal encoded
        encoded += 1
        return log_mel(samples, mels)

    monkeypatch.setattr(cpu_engine, "log_mel", note)
    blocks = [np.roll(sound, 1000 * number) for number in range(15)]
    access = EngineAccess(engine, decoding=GREEDY_FIRST)
    with pytest.raises(Enough):
        transcribe(blocks, access, SpeechOptions("en"), voice=VoiceActivity(), watcher=First())
    assert 1 <= encoded < 20


@pytest.mark.parametrize(("width", "mels"), [(384, 80), (768, 80), (1280, 128)])
def test_models_of_all_sizes(
    width: int, mels: int, models_dir: Path, tmp_path: Path, windows: list[F32]
) -> None:
    """From tiny to large-v3, but for their weights, and with two layers of each kind."""
    folder = tmp_path / "model"
    random_whisper.write(folder, models_dir / "base", width=width, mels=mels, layers=2)
    ours, theirs = CPUEngine("random", folder, 2), CTranslate2Engine("random", folder, 2)
    one, other = encode(ours, windows[2:3]), theirs.encode(windows[2:3])
    states, expected = one[0].window.states, np.array(other.storage)[0]
    cosine = (states * expected).sum() / np.linalg.norm(states) / np.linalg.norm(expected)
    assert cosine > 0.999
    (found,), (reference,) = detect(ours, one), theirs.detect_languages(other)
    apart = [abs(found[code] - reference[code]) for code in found]
    assert max(apart) < 0.1 * max(reference.values())
    short = encode(ours, windows[6:7])
    (said,) = decode(ours, short, ours.tokens.prompt(*ENGLISH), 2, 0.0)
    assert align(ours, short, ours.tokens.start_sequence(*ENGLISH), [said.tokens], [3.0])


@pytest.mark.parametrize("cut", [10, 1000, 100_000])
def test_a_checkpoint_that_is_cut_off_is_refused(
    models_dir: Path, tmp_path: Path, cut: int
) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.bin").write_bytes((models_dir / "base" / "model.bin").read_bytes()[:cut])
    with pytest.raises(Unavailable, match="auricle models pull"):
        Checkpoint.read(tmp_path)


def test_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    name = b"TransformerSpec\0"
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.bin").write_bytes(struct.pack("<IH", 6, len(name)) + name + bytes(8))
    with pytest.raises(Unavailable, match="not a Whisper model"):
        Checkpoint.read(tmp_path)
