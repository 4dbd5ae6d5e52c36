"""Voices with their real models: noise taken out, texts spoken, references checked; over HTTP with
OpenAI's own SDK."""

from __future__ import annotations

import io
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import av
import httpx
import jiwer
import numpy as np
import openai
import pytest
from numpy.typing import NDArray

from auricle.core.errors import BadRequest
from auricle.core.settings import Settings
from auricle.desk.texts import Texts
from auricle.desk.voice import Voice
from auricle.models import ModelStore
from auricle.models.voice import DENOISER, KOKORO, POCKET
from auricle.voice.deepfilter import SAMPLE_RATE, DeepFilterNet, Denoiser
from auricle.voice.enhance import enhance
from auricle.voice.phonemes import English, Romance
from auricle.voice.requests import Clone
from auricle.work import voice_engine
from conftest import Server
from sounds import read_wav, silence, wav

F32 = NDArray[np.float32]

SAID = {
    "en": "The meeting is moved to Thursday afternoon, because the train from London was late.",
    "es": "La reunión se ha movido al jueves por la tarde, porque el tren llegó con retraso.",
}


@pytest.fixture(scope="module")
def networks(models_dir: Path) -> DeepFilterNet:
    folder = ModelStore(models_dir).path(DENOISER)
    return DeepFilterNet(folder / next(iter(DENOISER.files)), threads=2)


@pytest.fixture(scope="module")
def clean(recording: Path) -> F32:
    """Eight seconds of speech at 48 kHz."""
    samples, rate = read_wav(recording)
    assert rate == SAMPLE_RATE
    return samples[: 8 * rate]


@pytest.fixture(scope="module")
def noise(clean: F32) -> F32:
    """Noise with the spectrum of rooms: 3 dB less for each octave."""
    spectrum = np.fft.rfft(np.random.default_rng(9).standard_normal(len(clean)))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1))
    return np.fft.irfft(spectrum, len(clean)).astype(np.float32)


@pytest.fixture(scope="module")
def ready(server: Server) -> Server:
    """The server, when its text worker answers."""
    until = time.monotonic() + 30
    while _post(server, "/v1/embed", json={"texts": ["ready?"]}).status_code == 503:
        assert time.monotonic() < until, "no text worker came: " + "".join(server.lines)
        time.sleep(0.2)
    return server


def _post(server: Server, path: str, **what: Any) -> httpx.Response:
    return httpx.post(f"{server.url}{path}", headers=server.auth, timeout=120, **what)


def mixed(clean: F32, noise: F32, snr_db: float) -> F32:
    level = np.sqrt((clean @ clean) / (noise @ noise) / 10 ** (snr_db / 10))
    return clean + noise * np.float32(level)


def si_sdr(reference: F32, estimate: F32) -> float:
    """Scale-invariant signal-to-distortion ratio in dB (Le Roux et al., 2019)."""
    target = reference * ((reference @ estimate) / (reference @ reference))
    rest = estimate - target
    return float(10 * np.log10((target @ target) / (rest @ rest)))


def cleaned(networks: DeepFilterNet, samples: F32, size: int = 70_001) -> F32:
    blocks = (samples[at : at + size, None] for at in range(0, len(samples), size))
    return np.concatenate(list(enhance(blocks, networks, 1.0)))[:, 0]


def decoded(data: bytes) -> F32:
    """A file as ``[channels, samples]``."""
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.audio[0]
        frames = [frame.to_ndarray() for frame in container.decode(stream)]
        packed = not stream.format.is_planar
        planes = [f.reshape(-1, stream.channels).T if packed else f for f in frames]
    sound = np.concatenate(planes, axis=1)
    found: F32 = np.asarray(sound, np.float32)
    return found / np.float32(32768) if sound.dtype == np.int16 else found


def test_noisy_speech_gains_at_least_five_decibels(
    networks: DeepFilterNet, clean: F32, noise: F32
) -> None:
    """On the mean of 0, 5 and 10 dB, and never less than three."""
    gains = []
    for snr_db in (0, 5, 10):
        noisy = mixed(clean, noise, snr_db)
        gains.append(si_sdr(clean, cleaned(networks, noisy)) - si_sdr(clean, noisy))
    assert np.mean(gains) >= 5
    assert min(gains) >= 3


@pytest.mark.parametrize("snr_db", [22, 30, 60])
def test_clean_speech_is_left_alone(
    networks: DeepFilterNet, clean: F32, noise: F32, snr_db: int
) -> None:
    """The network alone costs what is clean up to 20 dB."""
    nearly = mixed(clean, noise, snr_db)
    assert si_sdr(clean, cleaned(networks, nearly)) >= si_sdr(clean, nearly) - 0.1


def test_as_many_samples_come_out_as_went_in_wherever_they_are_cut(
    networks: DeepFilterNet, clean: F32
) -> None:
    for length in (1, 479, 480, 481, 100_003):
        whole = Denoiser(networks)
        expected = np.concatenate([*whole.push(clean[:length]), *whole.finish()])
        assert len(expected) == length
    pieces = Denoiser(networks)
    found: list[F32] = []
    at = 0
    for size in (0, 1, 300, 5_000, 94_702):
        found.extend(pieces.push(clean[at : at + size]))
        at += size
    joined = np.concatenate([*found, *pieces.finish()])
    np.testing.assert_allclose(joined, expected, atol=1e-5)


def test_nothing_is_heard_where_one_stretch_meets_the_next(
    networks: DeepFilterNet, recording: Path
) -> None:
    """Each stretch begins with memories that are warmed up on what lies before it."""
    samples = read_wav(recording)[0][: 24 * SAMPLE_RATE]
    stream = Denoiser(networks)
    joined = np.concatenate([*stream.push(samples), *stream.finish()])
    late = Denoiser(networks)
    start = 5 * SAMPLE_RATE  # puts the seams elsewhere
    other = np.concatenate([*late.push(samples[start:]), *late.finish()])
    compared = slice(9 * SAMPLE_RATE, 23 * SAMPLE_RATE)
    ours, theirs = joined[compared], other[compared.start - start : compared.stop - start]
    assert si_sdr(ours, theirs) > 25


def test_a_recording_is_enhanced_in_stereo_and_in_its_length(
    ready: Server, clean: F32, noise: F32
) -> None:
    left, right = mixed(clean, noise, 5), mixed(clean, noise[::-1], 5)
    files = {"file": ("a b.wav", wav(left, right, rate=SAMPLE_RATE))}
    for name, kind in (("wav", "audio/wav"), ("opus", "audio/ogg")):
        answer = _post(ready, "/v1/enhance-audio", files=files, data={"format": name})
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == kind
        assert float(answer.headers["x-duration"]) == pytest.approx(8.0)
        assert float(answer.headers["x-generation-time"]) > 0
        sound = decoded(answer.content)
        assert sound.shape == (2, len(clean))
        assert si_sdr(clean, sound[0]) > si_sdr(clean, left) + 5
        assert not np.allclose(sound[0], sound[1])


def test_strength_says_how_much_is_taken_away(ready: Server, clean: F32, noise: F32) -> None:
    noisy = mixed(clean, noise, 5)[: 4 * SAMPLE_RATE]
    found = {}
    for strength in ("0", "0.5", "1"):
        files = {"file": wav(noisy, rate=SAMPLE_RATE)}
        answer = _post(ready, "/v1/enhance-audio", files=files, data={"strength": strength})
        found[strength] = si_sdr(clean[: len(noisy)], decoded(answer.content)[0])
    assert found["0"] == pytest.approx(5, abs=0.5)
    assert found["0"] + 2 < found["0.5"] < found["1"]


@pytest.mark.parametrize(
    ("files", "data", "said"),
    [
        ({}, {"format": "wav"}, "'file'"),
        ({"file": b"no sound at all"}, {}, "not a recording"),
        ({"file": b""}, {}, "is empty"),
        ({"file": b"RIFF"}, {"format": "wma"}, "flac"),
        ({"file": b"RIFF"}, {"strength": "nan"}, "from 0 to 1"),
        ({"file": b"RIFF"}, {"strength": "2"}, "from 0 to 1"),
    ],
)
def test_what_cannot_be_enhanced_is_told(
    ready: Server, files: Any, data: dict[str, str], said: str
) -> None:
    files = files or {"elsewhere": b"x"}
    answer = _post(ready, "/v1/enhance-audio", files=files, data=data)
    assert answer.status_code == 400
    assert said in answer.json()["error"]


def test_silence_stays_silence(ready: Server) -> None:
    answer = _post(ready, "/v1/enhance-audio", files={"file": wav(silence(1))})
    assert answer.status_code == 200
    assert np.abs(decoded(answer.content)).max() < 1e-3


@pytest.mark.parametrize("path", ["/v1/enhance-audio", "/v1/tts", "/v1/audio/speech"])
def test_nobody_without_a_key_is_let_in(ready: Server, path: str) -> None:
    assert httpx.post(f"{ready.url}{path}", files={"file": b"x"}).status_code == 401


@pytest.fixture(scope="module")
def client(ready: Server) -> openai.OpenAI:
    return openai.OpenAI(api_key=ready.key, base_url=f"{ready.url}/v1", max_retries=0, timeout=120)


@pytest.mark.parametrize(
    ("language", "voice"), [("en", "alloy"), ("es", "alloy"), ("en", "bm_george")]
)
def test_what_is_spoken_is_heard_as_it_was_written(
    client: openai.OpenAI, language: str, voice: str
) -> None:
    """Spoken, then transcribed again by the same server: characters that differ."""
    made = client.audio.speech.create(
        model="tts-1", voice=voice, input=SAID[language], response_format="wav"
    )
    assert made.response.headers["x-voice"][0] == {"alloy": {"en": "a", "es": "e"}[language]}.get(
        voice, "b"
    )
    heard = client.audio.transcriptions.create(
        file=("spoken.wav", made.content), model="base", language=language
    )
    assert jiwer.cer(plain(SAID[language]), plain(heard.text)) < 0.05


def plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w\s]", " ", text.lower()).split())


@pytest.mark.parametrize("name", ["mp3", "opus", "aac", "flac", "wav", "pcm"])
def test_every_format_of_openai_can_be_read(client: openai.OpenAI, name: Any) -> None:
    made = client.audio.speech.create(
        model="tts-1", voice="nova", input="Good.", response_format=name, speed=1.5
    ).content
    seconds = (
        len(made) / 2 / 24_000
        if name == "pcm"
        else decoded(made).shape[1] / (48_000 if name == "opus" else 24_000)
    )
    assert 0.2 < seconds < 2


def test_the_first_sentence_comes_before_the_last_is_made(client: openai.OpenAI) -> None:
    text = "One sentence is here. " * 4

    def early() -> bool:
        began = time.monotonic()
        with client.audio.speech.with_streaming_response.create(
            model="kokoro-82m", voice="am_adam", input=text, response_format="pcm"
        ) as stream:
            times = [time.monotonic() - began for piece in stream.iter_bytes() if piece]
        return times[0] < 0.75 * times[-1]

    assert any(early() for _ in range(3)), "a machine that stands still makes them come together"


def test_events_carry_the_sound(client: openai.OpenAI) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="echo", input="Good.", stream_format="sse"
    ) as stream:
        lines = [line for line in stream.iter_lines() if line]
    assert '"speech.audio.delta"' in lines[0]
    assert '"speech.audio.done"' in lines[-1]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"voice": "nobody"}, "alloy"),
        ({"input": " "}, "input"),
        ({"input": "?!"}, "nothing in the text"),
        ({"model": "tts-9"}, "tts-1"),
        ({"speed": 9}, "0.25"),
        ({"response_format": "ogg"}, "opus"),
        ({"language": "tlh"}, "pt-br"),
        ({"stream_format": "x"}, "sse"),
        ({"input": "x" * 50_001}, "50,000"),
    ],
)
def test_what_cannot_be_spoken_is_told(ready: Server, body: dict[str, Any], said: str) -> None:
    asked = {"model": "tts-1", "voice": "alloy", "input": "Hello.", **body}
    answer = _post(ready, "/v1/audio/speech", json=asked)
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]


def reference(clean: F32, seconds: float) -> dict[str, Any]:
    return {"reference": ("me.wav", wav(clean[: round(seconds * SAMPLE_RATE)], rate=SAMPLE_RATE))}


def test_a_cloned_voice_without_weights_names_the_command(ready: Server, clean: F32) -> None:
    answer = _post(ready, "/v1/tts", files=reference(clean, 5), data={"text": "Hello."})
    assert answer.status_code == 503
    assert "auricle models pull pocket-tts" in answer.json()["error"]
    asked = {"text": "Hello.", "model": "f5-tts"}
    answer = _post(ready, "/v1/tts", files=reference(clean, 5), data=asked)
    assert "auricle models pull f5-tts" in answer.json()["error"]


def test_references_that_no_voice_can_be_learned_from(
    ready: Server, clean: F32, noise: F32
) -> None:
    music = np.sin(np.arange(5 * SAMPLE_RATE) / 20).astype(np.float32) * 0.3
    long = np.tile(clean, 2)
    told = {
        "lasts 2.0 seconds": reference(clean, 2),
        "longer than 10": reference(long, 12),
        "silent": reference(np.zeros_like(clean), 5),
        "Hardly anybody": reference(music, 5),
        "'reference'": {"file": b"x"},
        "not a recording": {"reference": b"no sound at all"},
    }
    for said, files in told.items():
        answer = _post(ready, "/v1/tts", files=files, data={"text": "Hello."})
        assert answer.status_code == 400, said
        assert said in answer.json()["error"]
    answer = _post(ready, "/v1/tts", files=reference(clean, 5))
    assert answer.status_code == 400
    assert "'text'" in answer.json()["error"]


def test_two_voices_in_a_reference_are_noticed(ready: Server, client: openai.OpenAI) -> None:
    def say(voice: str) -> bytes:
        return client.audio.speech.create(
            model="tts-1",
            voice=voice,
            input="This is what I think of it all.",
            response_format="wav",
        ).content

    both = np.concatenate([decoded(say(voice))[0] for voice in ("am_adam", "af_bella")])
    files = {"reference": wav(both, rate=24_000)}
    answer = _post(ready, "/v1/tts", files=files, data={"text": "Hello."})
    assert answer.status_code == 400
    assert "Two voices" in answer.json()["error"]


@pytest.mark.parametrize(
    ("language", "text", "sounds"),
    [
        ("en-us", "Kubernetes, thoroughly.", "ˈkubəɹnɛtiz, θˈɜɹəli."),
        ("en-gb", "The schedule.", "ðə ʃˈɛdjuːl."),
        ("fr", "L'agent d'accueil y va.", "laʒɑ̃ dakœj i va."),
        ("it", "Va dell'arte.", "va delːarte."),
        ("pt-br", "Os diamantes.", "ʊs djamɐ̃ʧis."),
        ("es", "El perro.", "el pero."),
    ],
)
def test_words_have_the_sounds_of_their_language(
    models_dir: Path, language: str, text: str, sounds: str
) -> None:
    """The reader alone: the network would take seconds to load for each."""
    folder = ModelStore(models_dir).path(KOKORO) / "words"
    reader: English | Romance
    if language.startswith("en"):
        tagger = folder.parent / "english"
        reader = English(tagger, folder / "en.g2p.xz", british=language == "en-gb")
    else:
        reader = Romance(folder / f"{language[:2]}.g2p.xz", language[:2])
    assert reader.phonemes(text) == sounds


class Parrot:
    """An engine of the same shape as those that clone: it says its reference again, backwards."""

    needs_words = True
    sample_rate = 24_000
    heard: ClassVar[list[tuple[str, str]]] = []

    def __init__(self, folder: Path, threads: int) -> None:
        assert (folder / "model.safetensors").exists()

    def clone(self, reference: F32, words: str, text: str) -> Iterator[F32]:
        self.heard.append((words, text))
        yield reference[::-1]


def test_a_cloned_voice_is_told_what_was_said_and_says_that_it_is_synthetic(
    models_dir: Path,
    recording: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """All but the network: checks, words of the reference, sentences, file, log."""
    (tmp_path / "uploads").mkdir()
    models = tmp_path / "models"
    for name in ("base", "speakers"):
        (models / name).parent.mkdir(exist_ok=True)
        (models / name).symlink_to(models_dir / name)
    (models / "pocket-tts").mkdir()
    for name in POCKET.files:
        (models / "pocket-tts" / name).touch()
    monkeypatch.setitem(voice_engine._ENGINES, "pocket-tts", ("parrot", "Parrot"))
    monkeypatch.setitem(sys.modules, "parrot", SimpleNamespace(Parrot=Parrot))
    samples, rate = read_wav(recording)
    upload = tmp_path / "reference.wav"
    upload.write_bytes(wav(samples[: 6 * rate], rate=rate))
    asked = Clone(str(upload), "me.wav", "One. Two.", "", "wav", "account 7", consent=True)
    with caplog.at_level("INFO"):
        engine = voice_engine.VoiceEngine(Settings(data=tmp_path, models=models))
        made = engine.run(asked, lambda _: None, lambda: None)
    assert made is not None
    begun = made.begun
    with made.file as file:
        file.seek(0)
        data = file.read()
    assert begun.model == "pocket-tts"
    assert begun.bytes == len(data)
    assert begun.seconds is not None
    assert begun.took_s is not None
    assert begun.seconds == pytest.approx(decoded(data).shape[1] / 24_000)
    assert begun.seconds > 11
    assert begun.took_s > 0
    assert b"Synthetic speech" in data
    assert [text for _, text in Parrot.heard] == ["One.", "Two."]
    assert "best of times" in Parrot.heard[0][0]
    assert "a voice is cloned for account 7: pocket-tts, 9 characters" in caplog.text


def test_an_operator_may_demand_consent() -> None:
    strict = Settings(clone_consent=True)
    voice = Voice(strict, Texts(strict))
    voice.refuse_without_consent(agreed=True)
    with pytest.raises(BadRequest, match="consent=true"):
        voice.refuse_without_consent(agreed=False)
    Voice(Settings(), Texts(Settings())).refuse_without_consent(agreed=False)


def test_the_voices_are_installed(models_dir: Path) -> None:
    assert ModelStore(models_dir).has(KOKORO), "run `make setup-dev`: it installs the voices"


def test_a_noisy_recording_is_heard_with_its_noise_taken_out(
    ready: Server, clean: F32, noise: F32
) -> None:
    files = {"file": wav(mixed(clean, noise, 3), rate=SAMPLE_RATE)}
    asked = {"enhance": "true", "diarize": "false", "model": "base"}
    answer = _post(ready, "/v1/transcribe", files=files, data=asked)
    assert answer.status_code == 200, answer.text
    assert "best of times" in answer.json()["text"]
    assert answer.json()["duration"] == pytest.approx(8.0, abs=0.05)
