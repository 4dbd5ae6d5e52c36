"""Whatever a client writes into its fields, a dialect reads it or refuses it in words."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.core.errors import BadRequest, NotFound, Unavailable, from_code
from auricle.desk import Report, Ticket
from auricle.dialects.cartesia import translate as to_cartesia
from auricle.dialects.multipart import Form
from auricle.dialects.openai import translate as to_openai
from auricle.dialects.sttai import translate as to_sttai
from auricle.dialects.sttcn import translate as to_sttcn
from auricle.transcript import Transcript, Word

NAMES = st.sampled_from(
    ["model", "language", "diarize", "speakers", "response_format", "temperature", "stream",
     "prompt", "timestamp_granularities[]", "timestamp_granularities", "encoding", "sample_rate",
     "known_speaker_names[]", "known_speaker_references[]", "languages[]", "keywords[]"]
)  # fmt: skip
USUAL = st.sampled_from(
    ["", "base", "whisper-1", "en", "auto", "true", "0", "2", "word", "json", "srt", "-1", "1e9",
     "diarized_json", "data:audio/wav;base64,UklG",
     "nan", "٣", "pcm_s16le", "16000"]
)  # fmt: skip
FORMS = st.lists(st.tuples(NAMES, st.one_of(USUAL, st.text())), max_size=8).map(Form)
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=5,
)


def read(function: Callable[..., Any], *arguments: Any, **words: Any) -> Any:
    """What a function makes of it; None when it refuses in words."""
    with suppress(BadRequest, NotFound):
        return function(*arguments, **words)
    return None


@given(FORMS)
def test_forms(form: Form) -> None:
    if found := read(to_sttai.to_wanted, form):
        assert found.fmt in ("json", "txt", "srt", "vtt")
        assert 0 <= found.recording.speakers <= 20
    if found := read(to_cartesia.to_wanted, form, raw=None):
        assert found.recording.model
    for task in ("transcribe", "translate"):
        if found := read(to_openai.to_wanted, form, task=task):
            assert found.fmt in to_openai.RESPONSE_FORMATS
            assert len(found.recording.known) <= to_openai.MOST_KNOWN


@given(st.dictionaries(NAMES, st.one_of(USUAL, st.text())))
def test_queries(query: dict[str, str]) -> None:
    if found := read(to_cartesia.to_raw, query):
        assert found.sample_rate in to_cartesia.SAMPLE_RATES
    read(to_cartesia.check_version, {}, {"cartesia_version": query.get("model", "")})


@given(st.text())
def test_task_ids(task_id: str) -> None:
    assert read(to_sttcn.to_task, task_id) is None or UUID(task_id)


@given(
    st.dictionaries(st.sampled_from(["expires_in", "grants", "url", "other"]), ANYTHING),
    st.dictionaries(st.sampled_from(["stt", "tts", "agent"]), st.booleans()),
)
def test_json_bodies(body: dict[str, Any], grants: dict[str, bool]) -> None:
    read(to_sttcn.to_url, body)
    if found := read(to_cartesia.to_grants, body):
        assert 0 < found[0] <= 3600
    _, given_ = to_cartesia.to_grants({"grants": grants})
    assert given_ == [name for name, wanted in grants.items() if wanted]


CODES = [
    ("unauthorized", 1002, 401), ("forbidden", 1003, 403), ("not_found", 1004, 404),
    ("too_many", 429, 429), ("no_credits", 1006, 402), ("bad_request", 1001, 400),
    ("bad_media", 1001, 400), ("unreachable", 1001, 400), ("too_large", 1001, 400),
    ("too_long", 1001, 400), ("internal", 1005, 500), ("unavailable", 1005, 503),
    ("model_not_installed", 1005, 503),
]  # fmt: skip


@pytest.mark.parametrize(("code", "number", "status"), CODES)
def test_every_error_has_a_number_of_speech_to_text_cn(code: str, number: int, status: int) -> None:
    assert to_sttcn.code_of(from_code(code, "because")) == (number, status)


def test_times_are_written_as_documented() -> None:
    moment = datetime(2025, 3, 16, 10, 30, 45, 123_999, UTC)
    ticket = Ticket(1, "slug", UUID(int=1), moment, kept=True)
    report = Report(ticket, "RUNNING", None, 0.0, "", 0, None)
    data = to_sttcn.found(report, 0.0564)
    assert data["submit_time"] == "2025-03-16 10:30:45.123"
    assert data["task_status"] == data["message"] == "PENDING"
    assert data["consumed_time"] == 0.056


def test_errors_say_in_openais_words_what_they_are_about() -> None:
    found = to_openai.error_view(Unavailable("Nobody is here."))["error"]
    assert (found["type"], found["param"], found["code"]) == ("server_error", None, None)


@pytest.mark.parametrize(("number", "letters"), [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ")])
def test_speakers_are_called_by_letters(number: int, letters: str) -> None:
    assert to_openai._letters(number) == letters


def test_speakers_with_a_name_keep_it_beside_the_letters() -> None:
    labels = ("Marie", "Speaker 2", "Speaker 3", "Marie")
    words = tuple(Word(" a", n, n + 1, 1.0, label) for n, label in enumerate(labels))
    said = to_openai._said(Transcript(words, "en", 1.0, 4.0, "base"))
    assert [segment["speaker"] for segment in said] == ["Marie", "A", "B", "Marie"]
