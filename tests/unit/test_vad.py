from pathlib import Path

import numpy as np
import pytest
from faster_whisper.vad import get_vad_model

from auricle.speech.engines.cpu import SUPPORTED
from auricle.speech.vad import LOUD, VoiceActivity, VoiceStream, by_graph, by_kernels
from sounds import read_wav, tone


def heard(voice: VoiceActivity, samples: np.ndarray, block: int) -> np.ndarray:
    stream = voice.stream()
    found = [stream.feed(samples[at : at + block]) for at in range(0, len(samples), block)]
    return np.concatenate([*found, stream.feed(samples[:0], last=True)])


def speech(recording: Path) -> np.ndarray:
    samples, rate = read_wav(recording)
    times = np.arange(0, 12, 1 / 16_000)
    picked: np.ndarray = np.interp(times, np.arange(len(samples)) / rate, samples)
    return picked.astype(np.float32)


def test_a_stream_hears_what_the_whole_would(voice: VoiceActivity, recording: Path) -> None:
    samples = 2 * speech(recording)
    assert np.quantile(np.abs(samples[:1_000_000]), 0.999) > LOUD
    padded = np.pad(samples, (0, 512 - len(samples) % 512))
    reference = get_vad_model()(padded)[: -(-len(samples) // 512)].reshape(-1)
    for block in (200_000, 96_000):  # blocks that are loud enough not to be raised
        np.testing.assert_allclose(heard(voice, samples, block), reference, atol=1e-4)


@pytest.mark.skipif(not SUPPORTED, reason="this processor has no VNNI")
@pytest.mark.parametrize("count", [1, 7, 32])
def test_kernels_say_what_the_graph_says(count: int, recording: Path) -> None:
    ours, exact = VoiceStream(by_kernels()), VoiceStream(by_graph())
    samples = speech(recording)
    for first in range(0, 3 * count * 512, count * 512):  # what one call leaves goes into the next
        part = samples[first : first + count * 512]
        np.testing.assert_allclose(ours.feed(part), exact.feed(part), atol=1e-4)


def test_whispering_at_minus_50_db_is_heard(voice: VoiceActivity, recording: Path) -> None:
    samples = speech(recording)
    quiet = samples / np.abs(samples).max() * 10 ** (-50 / 20)
    loud_share = (heard(voice, samples, 160_000) > 0.5).mean()
    quiet_share = (heard(voice, quiet, 160_000) > 0.5).mean()
    assert quiet_share > 0.9 * loud_share


def test_silence_hum_and_noise_are_not_speech(voice: VoiceActivity) -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, 160_000).astype(np.float32)
    for samples in (np.zeros(160_000, np.float32), tone(10, 50), noise, noise / 1000):
        assert (heard(voice, samples, 160_000) > 0.5).mean() < 0.02
