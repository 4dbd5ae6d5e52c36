import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor

from auricle.speech.mel import log_mel


@pytest.mark.parametrize("n_mels", [80, 128])
@pytest.mark.parametrize("seconds", [0.1, 7.3, 30])
def test_the_spectrogram_equals_the_reference(n_mels: int, seconds: float) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, int(seconds * 16_000)).astype(np.float32)
    reference = FeatureExtractor(feature_size=n_mels)(noise, padding=480_000)[:, :3000]
    ours = log_mel(noise, n_mels)
    assert ours.shape == (n_mels, 3000)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, reference, atol=1e-4)
