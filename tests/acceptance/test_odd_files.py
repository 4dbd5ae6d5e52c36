"""Every container, codec, level and accident of ../shared/speech/odd, through the API."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import jiwer
import pytest

from conftest import Server

ACCIDENTS: dict[str, set[int]] = {
    "dev_raw.ulaw": {400},  # a headerless file needs an encoding, which this API cannot say
    "dev_bitflips.mp3": {200, 400},  # degraded or refused
}


def ask(server: Server, path: Path) -> httpx.Response:
    with path.open("rb") as file:
        return httpx.post(
            f"{server.url}/v1/transcribe",
            files={"file": (path.name, file)},
            headers=server.auth,
            timeout=120,
        )


def plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def allowed(item: dict[str, Any]) -> set[int]:
    """The statuses that a correct system may answer a file with."""
    name, expect = Path(item["path"]).name, item.get("expect") or ""
    if name in ACCIDENTS:
        return ACCIDENTS[name]
    if "or_empty" in expect or "or_short" in expect:
        return {200, 400}
    return {400} if expect.startswith("error") else {200}


def complaint(item: dict[str, Any], answer: httpx.Response) -> str | None:
    """What is wrong with an answer, if anything is."""
    if answer.status_code not in allowed(item):
        return f"answered {answer.status_code}: {answer.text[:200]}"
    if answer.status_code == 400:
        return None if list(answer.json()) == ["error"] else f"a strange error: {answer.text}"
    text, expect = plain(answer.json()["text"]), item.get("expect")
    if expect == "empty_transcript":
        return f"heard {text!r} in silence" if text else None
    if item["text"] and not expect and jiwer.wer(plain(item["text"]), text) > 0.3:
        return f"misheard {text!r}"
    return None


def test_every_odd_file_is_transcribed_or_refused_in_words(
    server: Server, speech_set: Path, manifest: list[dict[str, Any]]
) -> None:
    worker = server.worker_pid()
    odd = [item for item in manifest if item["category"] == "odd"]
    with ThreadPoolExecutor(4) as pool:
        asked = pool.map(lambda item: ask(server, speech_set / item["path"]), odd)
        answers = dict(zip([item["path"] for item in odd], asked, strict=True))
    complaints = {item["path"]: complaint(item, answers[item["path"]]) for item in odd}
    assert {path: words for path, words in complaints.items() if words} == {}
    clear = [item for item in odd if item["text"] and not item.get("expect")]
    clear = [item for item in clear if answers[item["path"]].status_code == 200]
    assert len(clear) > 45
    heard = [plain(answers[item["path"]].json()["text"]) for item in clear]
    assert jiwer.wer([plain(item["text"]) for item in clear], heard) < 0.03
    assert server.worker_pid() == worker, "a file has crashed the worker"
    assert list((server.data / "uploads").iterdir()) == []


def test_noise_has_no_words(
    server: Server, speech_set: Path, manifest: list[dict[str, Any]]
) -> None:
    noises = [item["path"] for item in manifest if item["category"] == "noise"]
    assert len(noises) >= 8
    said = {path: ask(server, speech_set / path).json()["text"] for path in noises}
    assert {path: text for path, text in said.items() if text} == {}


def test_a_changing_language_is_followed(server: Server, speech_set: Path) -> None:
    text = ask(server, speech_set / "odd" / "ms_codeswitch_en-us_zh-cn.wav").json()["text"]
    assert "library" in text
    assert re.search(r"[\u4e00-\u9fff]", text)


@pytest.mark.parametrize("name", ["address.mp3", "lj001_0001-0032.flac"])
def test_long_recordings_keep_their_words(
    server: Server, speech_set: Path, manifest: list[dict[str, Any]], name: str
) -> None:
    (item,) = [i for i in manifest if i["path"] == f"longform/{name}"]
    found = ask(server, speech_set / item["path"]).json()
    measured = jiwer.process_words(plain(item["text"]), plain(found["text"]))
    assert measured.wer < 0.13  # before Whisper's normaliser: numbers and spellings count
    assert measured.deletions < 0.02 * len(item["text"].split())
