"""Cloned voices: the engine's own code at random weights, where its package is installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pocket_tts", reason="the extra pocket-tts is not installed")


def test_pocket_tts_is_loaded_from_a_folder_and_speaks_as_it_would(tmp_path: Path) -> None:
    """No weights can be had here, so what it says is noise; shapes, rates and the way are real."""
    from auricle.voice.pocket import PocketTTS
    from random_pocket import CONFIG, make_random_pocket

    make_random_pocket(tmp_path)
    engine = PocketTTS(tmp_path, threads=2, config=CONFIG)
    reference = np.sin(np.arange(4 * 24_000, dtype=np.float32) / 20)
    blocks = list(engine.clone(reference, "", "Good morning."))
    assert engine.sample_rate == 24_000
    assert not engine.needs_words
    spoken = np.concatenate(blocks)
    assert spoken.dtype == np.float32
    assert spoken.ndim == 1
    assert np.isfinite(spoken).all()
    assert len(spoken) > 24_000 // 25  # one frame of 80 ms at the very least
