"""The command line, as a person runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sounds import read_wav, wav


@pytest.fixture(scope="module")
def auricle(models_dir: Path, tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    data = tmp_path_factory.mktemp("cli")

    def run(*words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        extra = {f"AURICLE_{name.upper()}": value for name, value in settings.items()}
        return subprocess.run(
            [sys.executable, "-m", "auricle.cli", *words],
            capture_output=True,
            text=True,
            env=os.environ
            | {"AURICLE_DATA": str(data), "AURICLE_MODELS": str(models_dir), "COLUMNS": "200"}
            | extra,
        )

    return run


def test_files_are_transcribed_without_a_server(auricle, recording: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    samples, rate = read_wav(recording)
    short = tmp_path / "short.wav"
    short.write_bytes(wav(samples[: 5 * rate], rate=rate))
    done = auricle("transcribe", str(short))
    assert done.returncode == 0
    assert done.stdout.startswith("It was the best of times")
    done = auricle("transcribe", str(short), "-f", "json")
    assert json.loads(done.stdout)["segments"][0]["words"][0]["word"] == "It"


def test_several_files_are_written_beside_them(auricle, recording: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    samples, rate = read_wav(recording)
    files = [tmp_path / name for name in ("one.wav", "no sound.wav", "two.wav", "three.wav")]
    for file in files:
        file.write_bytes(wav(samples[: 3 * rate], rate=rate))
    files[1].write_text("no sound " * 100)
    (tmp_path / "three.srt").write_text("mine")
    done = auricle("transcribe", *map(str, files), "-f", "srt", "-l", "en")
    assert done.returncode == 1
    assert done.stdout.split() == [str(tmp_path / "one.srt"), str(tmp_path / "two.srt")]
    assert "best of times" in (tmp_path / "two.srt").read_text().replace("\n", " ")
    assert "no sound.wav: The file is not a recording" in done.stderr
    assert (tmp_path / "three.srt").read_text() == "mine"


def test_a_terminal_is_not_sent_a_pdf(models_dir: Path, recording: Path, tmp_path: Path) -> None:
    samples, rate = read_wav(recording)
    short = tmp_path / "short.wav"
    short.write_bytes(wav(samples[: 3 * rate], rate=rate))
    terminal, shown = os.openpty()
    command = [sys.executable, "-m", "auricle.cli", "transcribe", str(short), "-f", "pdf"]
    settings = os.environ | {"AURICLE_DATA": str(tmp_path), "AURICLE_MODELS": str(models_dir)}
    subprocess.run(command, stdout=shown, stderr=subprocess.PIPE, env=settings, check=True)
    assert os.read(terminal, 999).decode().strip() == str(tmp_path / "short.pdf")
    assert (tmp_path / "short.pdf").read_bytes().startswith(b"%PDF")
    piped = subprocess.run(command, capture_output=True, env=settings, check=True)
    assert piped.stdout.startswith(b"%PDF")


def test_mistakes_are_told_in_a_sentence(auricle, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    text = tmp_path / "notes.mp3"
    text.write_text("no sound " * 100)
    for words, said in [
        (["transcribe", str(text)], "not a recording"),
        (["transcribe", str(text), "-m", "gpt-9"], "Unknown model"),
        (["transcribe", str(text), "-m", "medium"], "auricle models pull medium"),
        (["transcribe", str(text), "-f", "doc"], "Unknown format"),
        (["models", "pull", "base", "--source", "/nowhere"], "is installed"),
        (["models", "pull", "small", "--source", "/nowhere"], "could not be installed"),
    ]:
        done = auricle(*words)
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_an_error_that_nobody_expected_ends_the_process() -> None:
    """A worker that met two errors, each the other's context, drew their traceback for ever."""
    program = (
        "from auricle.cli import app\n"
        "@app.command()\n"
        "def fail() -> None:\n"
        "    one, other = ValueError('one'), KeyError('other')\n"
        "    one.__context__, other.__context__ = other, one\n"
        "    raise one\n"
        "app(['fail'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 1
    assert "ValueError: one" in done.stderr


def test_settings_that_make_no_sense_are_named(auricle) -> None:  # type: ignore[no-untyped-def]
    done = auricle("doctor", max_audio_hours="huge")
    assert done.returncode == 2
    assert "AURICLE_MAX_AUDIO_HOURS" in done.stderr


def test_models_are_listed_and_verified(auricle) -> None:  # type: ignore[no-untyped-def]
    listed = auricle("models", "list").stdout
    assert "large-v3-turbo" in listed
    assert "base" in listed
    assert "base: ok" in auricle("models", "verify").stdout


def test_the_doctor_finds_this_machine_sound(auricle) -> None:  # type: ignore[no-untyped-def]
    done = auricle("doctor")
    assert done.returncode == 0, done.stdout
    assert "recordings are decoded without" in done.stdout


def test_the_doctor_says_what_is_missing(auricle, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    done = auricle("doctor", models=str(tmp_path / "empty"))
    assert done.returncode == 1
    assert "auricle models pull base" in done.stdout


def test_a_taken_port_is_said_to_be_taken(auricle) -> None:  # type: ignore[no-untyped-def]
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = auricle("serve", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 1
    assert "Choose another --port" in done.stderr
