"""Noise taken out of recordings, and texts spoken: what listeners and the transcription say of it.

Kokoro's own network runs at the speed of whatever else the machine is doing: read its figures
beside the load.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from auricle.media import SAMPLE_RATE as HEARD
from auricle.media import MediaPool
from auricle.models import ModelStore
from auricle.models.voice import KOKORO
from auricle.voice import kokoro
from auricle.voice.deepfilter import SAMPLE_RATE, DeepFilterNet
from auricle.voice.enhance import enhance
from auricle.voice.prepare import pieces
from auricle.voice.speak import speak
from bench.corpus import MODEL, SPEECH, THREADS, Auricle, Item, manifest, normalized, report
from bench.voice_memory import networks

F32 = NDArray[np.float32]

RATIOS = (0, 5, 10, 15, 20, 25)
"""Speech to noise, in dB, of mixes of clean readings with every noise there is."""

CLIPS = 8
SPOKEN = {"en": "af_heart", "es": "ef_dora", "fr": "ff_siwis", "it": "if_sara", "pt": "pf_dora"}
SENTENCES = 8
"""Of each language: texts of real clips, spoken and transcribed beside those."""

STORE = ModelStore(MODEL.parent)


def run() -> None:
    """Measure all of it."""
    with MediaPool() as media:
        figures = {"enhance": _enhance(media), "memory_mb": _memory(), "speak": _speak(media)}
    report("voice", **figures)


def cleaned(loaded: DeepFilterNet, samples: F32) -> F32:
    """Without its noise, in blocks of a second."""
    blocks = (samples[at : at + SAMPLE_RATE, None] for at in range(0, len(samples), SAMPLE_RATE))
    return np.concatenate(list(enhance(blocks, loaded, 1.0)))[:, 0]


def si_sdr(reference: F32, estimate: F32) -> float:
    """Scale-invariant signal-to-distortion ratio in dB (Le Roux et al., 2019)."""
    target = reference * ((reference @ estimate) / (reference @ reference))
    rest = estimate - target
    return float(10 * np.log10((target @ target) / (rest @ rest)))


def _load(media: MediaPool, path: str) -> F32:
    with (SPEECH / path).open("rb") as file:
        blocks = list(media.sound(file, path, rate=SAMPLE_RATE, max_seconds=1e6))
    mono: F32 = np.concatenate(blocks).mean(axis=1)
    return mono


def _mixes(media: MediaPool) -> Iterator[tuple[int, F32, F32]]:
    """Ratio, noisy and clean: the set's own mixes, and those made here."""
    for item in manifest("noisy"):
        noisy, clean = _load(media, item["path"]), _load(media, item["clean"])
        count = min(len(noisy), len(clean))
        yield item["snr_db"], noisy[:count], clean[:count]
    noises = [_load(media, str(path)) for path in sorted((SPEECH / "noise").glob("*.flac"))]
    read = [each for each in manifest("en_read") if "ljspeech" in each["path"]]
    clips = [each for each in read if 3 < each["seconds"] < 6][:CLIPS]
    for number, item in enumerate(clips):
        clean = _load(media, item["path"])
        noise = np.resize(noises[number % len(noises)], len(clean))
        for ratio in RATIOS:
            level = np.float32(((clean @ clean) / (noise @ noise) / 10 ** (ratio / 10)) ** 0.5)
            noisy = np.asarray(clean + level * noise, np.float32)
            yield ratio, noisy, clean


def _enhance(media: MediaPool) -> dict[str, Any]:
    from pesq import NoUtterancesError, pesq
    from pystoi import stoi

    loaded = networks()
    found: dict[int, list[list[float]]] = defaultdict(list)
    seconds = took = 0.0
    for ratio, noisy, clean in _mixes(media):
        began = time.monotonic()
        ours = cleaned(loaded, noisy)
        took, seconds = took + time.monotonic() - began, seconds + len(noisy) / SAMPLE_RATE
        row = [si_sdr(clean, ours) - si_sdr(clean, noisy)]
        before, after, real = (resample_poly(each, 1, 3) for each in (noisy, ours, clean))
        row += [float(stoi(real, each, HEARD)) for each in (before, after)]
        try:
            row += [float(pesq(HEARD, real, each, "wb")) for each in (before, after)]
        except NoUtterancesError:
            row += [np.nan, np.nan]
        found[ratio].append(row)
    print("ratio   SI-SDR   STOI            PESQ")
    table = {}
    for ratio, rows in sorted(found.items()):
        gain, stoi_b, stoi_a, pesq_b, pesq_a = np.nanmean(rows, axis=0)
        worst = min(row[0] for row in rows)
        print(
            f"{ratio:3} dB {gain:+6.1f} dB  {stoi_b:.2f} -> {stoi_a:.2f}  "
            f"{pesq_b:.2f} -> {pesq_a:.2f}   (worst {worst:+.1f} dB)"
        )
        table[str(ratio)] = [round(float(each), 2) for each in (gain, worst, pesq_a - pesq_b)]
    print(f"{seconds / took:.0f} x real time")
    return {"sdr_worst_pesq": table, "times_real_time": round(seconds / took, 1)}


MINUTES = (1, 180)


def _memory() -> dict[str, int]:
    """Peak of a process that does nothing but enhance."""
    grown = {}
    for minutes in MINUTES:
        command = [sys.executable, "-m", "bench.voice_memory", str(minutes)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        grown[str(minutes)] = round(float(done.stdout))
        print(f"{minutes:4} min: {grown[str(minutes)]} MB at the most, in all", flush=True)
    return grown


def _speak(media: MediaPool) -> dict[str, Any]:
    engine = kokoro.Kokoro(STORE.path(KOKORO), THREADS)
    engine.speak(engine.phonemes("Warm up.", "en-us"), "af_heart", 1.0)
    ears = Auricle()
    rates: list[float] = []
    firsts: list[float] = []
    errors: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for language, voice in SPOKEN.items():
            real, ours = [], []
            for number, item in enumerate(_sentences(language)):
                code = {"en": "en-us", "pt": "pt-br"}.get(language, language)
                began = time.monotonic()
                blocks: list[F32] = []
                for block in _say(engine, item["text"], voice, code):
                    if not blocks:
                        firsts.append(time.monotonic() - began)
                    blocks.append(block)
                sound = np.concatenate(blocks)
                rates.append(len(sound) / kokoro.SAMPLE_RATE / (time.monotonic() - began))
                path = Path(folder) / f"{language}{number}.wav"
                _write(path, sound)
                spoken = item | {"path": os.path.relpath(path, SPEECH)}
                ours.append(_characters(item, ears.text(spoken)))
                real.append(_characters(item, ears.text(item)))
            errors[language] = [_rate(ours), _rate(real)]
            print(
                f"{language}: {errors[language][0]:.1f} % of characters wrong in what was spoken, "
                f"{errors[language][1]:.1f} % in real clips of the same texts",
                flush=True,
            )
    load = os.getloadavg()[0]
    print(
        f"spoken at {statistics.median(rates):.2f} x real time, first sound after "
        f"{statistics.median(firsts):.1f} s (load {load:.1f} on {THREADS} cores)"
    )
    return {
        "character_errors_spoken_real": {k: [round(e, 1) for e in v] for k, v in errors.items()},
        "times_real_time": round(statistics.median(rates), 2),
        "first_sound_s": round(statistics.median(firsts), 2),
        "load": round(load, 1),
    }


def _sentences(language: str) -> list[Item]:
    if language == "en":
        found = [each for each in manifest("en_read") if "ljspeech" in each["path"]]
    else:
        found = [each for each in manifest("multilingual") if each["language"] == language]
    good = [each for each in found if each["text"] and not any(c.isdigit() for c in each["text"])]
    return [each for each in good if each["seconds"] < 10][:SENTENCES]


def _say(engine: kokoro.Kokoro, text: str, voice: str, language: str) -> Iterator[F32]:
    def say(part: str) -> F32:
        return engine.speak(engine.phonemes(part, language), voice, 1.0)

    return speak(pieces(text, language), say, kokoro.SAMPLE_RATE, lambda: None)


def _write(path: Path, samples: F32) -> None:
    from auricle.voice.encode import write

    with path.open("wb") as file:
        write(file, "wav", [samples[:, None]], kokoro.SAMPLE_RATE)


def _characters(item: Item, heard: str) -> tuple[int, int]:
    """Wrong characters and all of them, spaces and accents apart."""
    import jiwer

    language = item["language"]
    said = normalized(item["text"], language).replace(" ", "")
    told = normalized(heard, language).replace(" ", "")
    found = jiwer.process_characters(said, told)
    return found.substitutions + found.deletions + found.insertions, len(said)


def _rate(counts: list[tuple[int, int]]) -> float:
    return 100 * sum(wrong for wrong, _ in counts) / max(1, sum(total for _, total in counts))
