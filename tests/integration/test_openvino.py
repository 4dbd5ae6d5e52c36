"""The OpenVINO engine against CTranslate2 on the same weights, and against itself."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import jiwer
import numpy as np
import pytest
from numpy.typing import NDArray

from auricle.core.errors import Unavailable
from auricle.media import MediaPool
from auricle.speech import SpeechOptions
from auricle.speech.engines.ctranslate2 import CTranslate2Engine
from auricle.speech.engines.openvino import OpenVINOEngine
from auricle.speech.engines.openvino.checkpoint import Checkpoint
from auricle.speech.options import GREEDY_FIRST
from auricle.speech.pipeline import transcribe
from auricle.speech.vad import VoiceActivity

F32 = NDArray[np.float32]
RATE = 16_000
ENGLISH = ("en", "transcribe")


@pytest.fixture(scope="module")
def engine(models_dir: Path) -> OpenVINOEngine:
    return OpenVINOEngine("base", models_dir / "base", threads=2)


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
    engine: OpenVINOEngine, base: CTranslate2Engine, windows: list[F32]
) -> None:
    prompt = engine.tokens.prompt(*ENGLISH)
    ours = engine.decode(engine.encode(windows), prompt, 1, 0.0)
    theirs = base.decode(base.encode(windows), prompt, 1, 0.0)
    said = [" ".join(engine.tokens.decode(each.tokens) for each in all_) for all_ in (ours, theirs)]
    assert jiwer.wer(said[1].lower(), said[0].lower()) < 0.06
    for one, other in zip(ours, theirs, strict=True):
        assert one.logprob == pytest.approx(other.logprob, abs=0.12)


def test_words_begin_when_the_reference_says(
    engine: OpenVINOEngine, base: CTranslate2Engine, windows: list[F32]
) -> None:
    """Also for words that it did not choose itself."""
    start = base.tokens.start_sequence(*ENGLISH)
    heard = base.encode(windows)
    tokens = [each.tokens for each in base.decode(heard, base.tokens.prompt(*ENGLISH), 5, 0.0)]
    seconds = [len(window) / RATE for window in windows]
    theirs = base.align(heard, start, tokens, seconds)
    ours = engine.align(engine.encode(windows), start, tokens, seconds)
    for one, other, said in zip(ours, theirs, tokens, strict=True):
        assert len(one.starts) == len(said) + 1
        apart = np.abs(np.array(one.starts) - np.array(other.starts))
        assert np.median(apart) <= 0.04
        assert np.quantile(apart, 0.9) <= 0.2
        assert np.abs(np.array(one.probabilities) - np.array(other.probabilities)).mean() < 0.05


def test_a_window_says_the_same_alone_and_among_others_cold_and_warm(
    engine: OpenVINOEngine, windows: list[F32]
) -> None:
    prompt = engine.tokens.prompt(*ENGLISH)
    alone = [engine.decode(engine.encode([window]), prompt, 1, 0.0)[0] for window in windows]
    crowd = engine.decode(engine.encode(windows * 3), prompt, 1, 0.0)
    for place, found in enumerate(crowd):
        assert found.tokens == alone[place % len(windows)].tokens


def test_languages_are_told_apart(
    engine: OpenVINOEngine, base: CTranslate2Engine, windows: list[F32]
) -> None:
    ours = engine.detect_languages(engine.encode(windows[:3]))
    theirs = base.detect_languages(base.encode(windows[:3]))
    for one, other in zip(ours, theirs, strict=True):
        assert sum(one.values()) == pytest.approx(1, abs=1e-3)
        assert one["en"] == pytest.approx(other["en"], abs=0.1)


def test_several_hypotheses_are_the_references_affair(
    engine: OpenVINOEngine, base: CTranslate2Engine, windows: list[F32]
) -> None:
    prompt = engine.tokens.prompt(*ENGLISH)
    ours = engine.decode(engine.encode(windows[:2]), prompt, 5, 0.0)
    theirs = base.decode(base.encode(windows[:2]), prompt, 5, 0.0)
    assert [each.tokens for each in ours] == [each.tokens for each in theirs]


def test_a_whole_recording_has_its_words_and_times(
    engine: OpenVINOEngine, voice: VoiceActivity, media: MediaPool, recording: Path
) -> None:
    with recording.open("rb") as file:
        blocks = media.decode(file, max_seconds=60)
        found = transcribe(blocks, engine, SpeechOptions(), voice=voice, decoding=GREEDY_FIRST)
    assert found.language == "en"
    assert found.text.startswith("It was the best of times")
    assert found.text.endswith("degree of comparison only.")
    times = [time for word in found.words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert times[-1] <= found.duration


def test_nobody_is_told_that_it_is_used() -> None:
    """OpenVINO reports to its maker when it is imported, from a process of its own."""
    program = (
        "import multiprocessing.process as p, sys\n"
        "p.BaseProcess.start = lambda self: sys.exit('a process was started')\n"
        "import auricle.speech.engines.openvino\n"
        "import openvino; openvino.Core()\n"
        "assert [m for m in sys.modules if m.startswith('openvino_telemetry.')] == []\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


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
