"""The recordings, the models and the word error rate that all benches share."""

from __future__ import annotations

import json
import os
import wave
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
from numpy.typing import NDArray
from whisper_normalizer.basic import BasicTextNormalizer
from whisper_normalizer.english import EnglishTextNormalizer

from auricle.core.ids import new_id
from auricle.media import SAMPLE_RATE, MediaPool
from auricle.models import ModelStore
from auricle.speech import SpeechOptions
from auricle.speech.engines import Engine
from auricle.speech.engines.batched import Batched
from auricle.speech.engines.cpu import CPUEngine
from auricle.speech.engines.ctranslate2 import CTranslate2Engine
from auricle.speech.pipeline import EngineAccess, transcribe
from auricle.speech.vad import VoiceActivity
from auricle.transcript import Transcript
from auricle.transcript.languages import UNSPACED
from auricle.work.cores import available_cores
from auricle.work.memory import keep_memory
from auricle.work.speakers import Asked, Speakers
from auricle.work.transcriber import BATCH, decoding_for

ROOT = Path(__file__).parent.parent
SPEECH = ROOT.parent / "shared" / "speech"
MODEL = Path(os.environ.get("AURICLE_DATA", ROOT / "data")) / "models" / "base"
THREADS = available_cores()

Item = dict[str, Any]
Samples = NDArray[np.float32]
Change = Callable[[Samples], tuple[Samples, int]]


def manifest(*categories: str) -> list[Item]:
    """The recordings of some categories that have a reference text."""
    if not SPEECH.exists():
        raise SystemExit(f"the benches need the recordings, which are not at {SPEECH}")
    items = [json.loads(line) for line in (SPEECH / "manifest.jsonl").open()]
    return [item for item in items if item["category"] in categories and item["text"]]


def language(item: Item) -> str:
    """Whisper's code of a recording's language."""
    return str(item["language"] or "en").partition("-")[0]


def decoded(path: str | Path) -> Samples:
    """A recording's samples, by its path or its place in the corpus."""
    with MediaPool() as media, (SPEECH / path).open("rb") as file:
        return np.concatenate(list(media.decode(file, max_seconds=1e6)))


def variant(item: Item, name: str, change: Change, folder: Path) -> Item:
    """The same recording, changed, as a 16-bit WAV file in a folder; its category is ``name``."""
    changed, rate = change(decoded(item["path"]))
    return item | {"path": str(write_wav(changed, rate, folder)), "category": name}


def write_wav(samples: Samples, rate: int, folder: Path) -> Path:
    """Write a 16-bit WAV file into a folder; returns its path."""
    path = folder / f"{new_id()}.wav"
    with wave.open(str(path), "wb") as output:
        output.setnchannels(1)
        output.setsampwidth(2)
        output.setframerate(rate)
        output.writeframes((samples.clip(-1, 1) * 32767).round().astype("<i2").tobytes())
    return path


def quieter(samples: Samples) -> tuple[Samples, int]:
    """Peaks at -45 dBFS."""
    return samples * np.float32(10 ** (-45 / 20) / max(1e-6, np.abs(samples).max())), SAMPLE_RATE


def narrower(samples: Samples) -> tuple[Samples, int]:
    """300-3400 Hz at 8 kHz in 8-bit μ-law steps, as a telephone network passes it."""
    spectrum = np.fft.rfft(samples)
    hertz = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    spectrum[(hertz < 300) | (hertz > 3400)] = 0
    narrow = np.fft.irfft(spectrum, len(samples))[::2].clip(-1, 1)
    companded = np.sign(narrow) * np.log1p(255 * np.abs(narrow)) / np.log(256)
    steps = np.round(companded * 127) / 127
    expanded = np.sign(steps) * (256 ** np.abs(steps) - 1) / 255
    return expanded.astype(np.float32), SAMPLE_RATE // 2


def access() -> EngineAccess:
    """The default engine of processors, or CTranslate2's if AURICLE_ENGINE says so."""
    engine: Engine = (
        Batched(CTranslate2Engine("base", MODEL, THREADS), BATCH)
        if os.environ.get("AURICLE_ENGINE") == "ctranslate2"
        else CPUEngine("base", MODEL, THREADS)
    )
    return EngineAccess(engine, decoding=decoding_for(engine))


class Auricle:
    """This project's pipeline, as the worker runs it with the same AURICLE_ENGINE."""

    def __init__(self) -> None:
        keep_memory()
        self._media = MediaPool()
        self._voice = VoiceActivity()
        self._access = access()
        self._speakers = Speakers(ModelStore(MODEL.parent))

    def transcribe(self, item: Item) -> Transcript:
        """Transcribe one recording in its language."""
        with (SPEECH / item["path"]).open("rb") as file:
            blocks = self._media.decode(file, item["path"], max_seconds=1e6)
            options = SpeechOptions(language=language(item))
            return transcribe(blocks, self._access, options, voice=self._voice)

    def text(self, item: Item) -> str:
        """What was said."""
        return self.transcribe(item).text

    def told_apart(self, item: Item) -> Transcript:
        """The same with speakers, as requests get it that say nothing about them."""
        with (SPEECH / item["path"]).open("rb") as file:
            blocks = self._media.decode(file, item["path"], max_seconds=1e6)
            options = SpeechOptions(language=language(item))
            with self._speakers.beside(blocks, Asked(diarize=True)) as listening:
                found = transcribe(listening.blocks, self._access, options, voice=self._voice)
                return listening.told(found)


class FasterWhisper:
    """faster-whisper's batched pipeline with the same weights and threads; without batches, the
    sequential one."""

    def __init__(self, *, word_times: bool, batch_size: int = 8, beam_size: int = 5) -> None:
        from faster_whisper import BatchedInferencePipeline, WhisperModel

        model = WhisperModel(str(MODEL), device="cpu", compute_type="int8", cpu_threads=THREADS)
        self._transcribe = model.transcribe
        self._options: dict[str, Any] = {"beam_size": beam_size, "word_timestamps": word_times}
        if batch_size:
            self._transcribe = BatchedInferencePipeline(model).transcribe
            self._options["batch_size"] = batch_size

    def text(self, item: Item) -> str:
        """What was said."""
        path = str(SPEECH / item["path"])
        segments, _ = self._transcribe(path, language=language(item), **self._options)
        return "".join(segment.text for segment in segments)


@cache
def _normalizer(code: str) -> Any:
    if code == "en":
        return EnglishTextNormalizer()
    return BasicTextNormalizer(split_letters=code in UNSPACED or code == "ko")


def normalized(text: str, code: str) -> str:
    """A text as Whisper's paper compares it; languages without blanks by the character."""
    return str(_normalizer(code)(text))


@dataclass(frozen=True, slots=True)
class Errors:
    """Counted words of one recording, or of many."""

    words: int
    substitutions: int
    deletions: int
    insertions: int

    def __add__(self, other: Errors) -> Errors:
        return Errors(
            self.words + other.words,
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
        )

    @property
    def wer(self) -> float:
        """Word error rate in percent."""
        wrong = self.substitutions + self.deletions + self.insertions
        return 100 * wrong / max(1, self.words)

    @property
    def deleted(self) -> float:
        """Share of the words that are missing, in percent."""
        return 100 * self.deletions / max(1, self.words)


NONE = Errors(0, 0, 0, 0)


def compare(item: Item, text: str) -> Errors:
    """Count the errors of one transcript."""
    code = language(item)
    reference = normalized(item["text"], code)
    if not reference.strip():
        return NONE
    found = jiwer.process_words(reference, normalized(text, code))
    words = found.hits + found.substitutions + found.deletions
    return Errors(words, found.substitutions, found.deletions, found.insertions)


def bootstrap(
    ours: Sequence[Errors], theirs: Sequence[Errors], rounds: int = 2000
) -> tuple[float, float]:
    """95 % interval of the difference of two word error rates, by resampling recordings."""
    dice = np.random.default_rng(0)

    def columns(rows: Sequence[Errors]) -> Iterator[np.ndarray[Any, Any]]:
        yield np.array([r.substitutions + r.deletions + r.insertions for r in rows], float)
        yield np.array([r.words for r in rows], float)

    (our_wrong, words), (their_wrong, _) = columns(ours), columns(theirs)
    picks = dice.integers(0, len(words), (rounds, len(words)))
    differences = 100 * (our_wrong - their_wrong)[picks].sum(1) / words[picks].sum(1)
    low, high = np.quantile(differences, [0.025, 0.975])
    return float(low), float(high)


def report(name: str, **figures: Any) -> None:
    """The line that other programs read."""
    print(json.dumps({"bench": name, **figures}, ensure_ascii=False), flush=True)
