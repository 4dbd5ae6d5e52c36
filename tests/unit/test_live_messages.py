"""What is spoken, as each dialect's messages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.datastructures import QueryParams

from auricle.core.errors import BadRequest
from auricle.dialects.cartesia.live import (
    Texts,
    Turns,
    TurnSettings,
    to_manual,
    to_turn_settings,
    to_turns,
)
from auricle.dialects.sttai.stream import Messages, to_config
from auricle.speech.messages import Spoken


def spoken(text: str = "", partial: str = "", state: str = "speaking", **more: Any) -> Spoken:
    """An update whose words are those of a text."""
    words = tuple((f" {word}", 0.0, 0.5, 0.9, None) for word in text.split())
    return Spoken(words, partial, state, **more)


def kinds(messages: list[dict[str, Any]]) -> list[str]:
    return [message["type"] for message in messages]


def test_segments_are_said_once_when_they_end() -> None:
    messages = Messages(cumulative=False)
    assert messages.of(spoken(partial=" It was")) == [{"type": "partial", "partial": "It was"}]
    assert messages.of(spoken("It was", " the")) == [{"type": "partial", "partial": "It was the"}]
    [final, partial] = messages.of(spoken("the best. Then", " more"))
    assert (final["text"], partial["partial"]) == ("It was the best.", "Then more")
    [final, partial] = messages.of(spoken("more", state="silent"))
    assert (final["text"], partial["partial"]) == ("Then more", "")
    assert [word["word"] for word in final["words"]] == ["Then", "more"]
    assert "text" not in messages.final(), "it is said already"


def test_what_is_open_at_the_end_is_in_the_final_message() -> None:
    messages = Messages(cumulative=False)
    messages.of(spoken("and then"))
    assert messages.final()["text"] == "and then"


def test_nothing_new_is_no_message() -> None:
    for cumulative in (True, False):
        messages = Messages(cumulative=cumulative, always=cumulative)
        assert messages.of(spoken(partial=" a"))
        assert messages.of(spoken(partial=" a")) == []


def test_a_cumulative_text_holds_all_and_what_may_follow() -> None:
    messages = Messages(cumulative=True, always=True)
    messages.of(spoken("It was"))
    [final, partial] = messages.of(spoken("the", " best"))
    assert (final["type"], final["text"], final["partial"]) == ("transcript", "It was the", "best")
    assert [word["word"] for word in final["words"]] == ["the"]
    assert (partial["type"], partial["text"]) == ("partial", "It was the best")
    assert messages.alive()["text"] == messages.final()["text"] == "It was the"


def test_clients_that_replace_their_text_see_only_what_is_final() -> None:
    messages = Messages(cumulative=True)
    [partial] = messages.of(spoken(partial=" It"))
    assert "text" not in partial
    [final, partial] = messages.of(spoken("It", " was"))
    assert (final["text"], "text" in partial, partial["partial"]) == ("It", False, "was")


def test_a_cumulative_text_can_be_bounded() -> None:
    messages = Messages(cumulative=True, most=60_000)
    for _ in range(100):
        messages.of(spoken("日本語の文章" * 200))
        message = messages.of(spoken("x"))[0]
        assert len(json.dumps(message, ensure_ascii=False).encode()) < 65_536
    assert len(messages.final()["text"].encode()) <= 60_000


def test_being_behind_is_said() -> None:
    [message] = Messages(cumulative=True).of(spoken(partial=" a", behind=5.5, language="en"))
    assert (message["behind"], message["language"]) == (5.5, "en")


def test_texts_are_deltas_with_their_blanks() -> None:
    texts = Texts("en")
    assert texts.of(spoken(partial=" It was"))[0]["text"] == " It was"
    [final, interim] = texts.of(spoken("It was", " the"))
    assert (final["is_final"], final["text"]) == (True, " It was")
    assert (interim["is_final"], interim["text"]) == (False, " the")
    assert kinds(texts.of(spoken("the", flushed=True))) == ["transcript", "flush_done"]
    assert kinds(texts.of(spoken(flushed=True))) == ["flush_done"]
    assert kinds(texts.end()) == ["done"]


def test_durations_of_texts_add_up_to_the_sound_that_was_heard() -> None:
    """LiveKit's agents add them up, over interim texts, too, to know when speech has ended."""
    texts = Texts("en")
    found = texts.of(spoken("a", " b", end=1.5)) + texts.of(spoken(partial=" b c", end=2.0))
    found += texts.of(spoken("b c", end=3.25))
    assert [message.get("duration", 0) for message in found] == [1.5, 0, 0, 1.75]


def test_errors_have_a_text_where_every_message_has_one() -> None:
    """A callback of STT.ai's Python SDK that reads it would hide the error otherwise."""
    messages = Messages(cumulative=True, always=True)
    messages.of(spoken("It was"))
    assert messages.error(BadRequest("No.")) == {
        "type": "error", "error": "No.", "code": 400, "text": "It was", "partial": "",
    }  # fmt: skip
    assert "text" not in Messages(cumulative=False).error(BadRequest("No."))


def test_turns() -> None:
    turns = Turns()
    assert kinds(turns.begin()) == ["connected"]
    assert turns.of(spoken(state="silent")) == []
    assert kinds(turns.of(spoken())) == ["turn.start"]
    assert turns.of(spoken(partial=" a")) == [{"type": "turn.update", "transcript": "a"}]
    assert turns.of(spoken("a", " b")) == [{"type": "turn.update", "transcript": "a b"}]
    assert kinds(turns.of(spoken(partial=" b", state="pausing"))) == ["turn.eager_end"]
    assert turns.of(spoken(partial=" b", state="pausing")) == []
    assert kinds(turns.of(spoken(partial=" b c"))) == ["turn.resume", "turn.update"]
    assert turns.of(spoken("b c", state="silent")) == [{"type": "turn.end", "transcript": "a b c"}]
    assert kinds(turns.of(spoken("d", state="silent"))) == ["turn.start", "turn.end"]
    assert turns.end() == []


def test_an_open_turn_is_ended_at_the_end() -> None:
    turns = Turns()
    turns.of(spoken("a"))
    assert turns.end() == [{"type": "turn.end", "transcript": "a"}]


def test_thresholds_are_seconds_of_silence() -> None:
    timing = TurnSettings().timing
    assert timing.onset == 0.8
    assert timing.eager == pytest.approx(0.458, abs=0.001)
    assert timing.pause == pytest.approx(0.805, abs=0.001)
    assert TurnSettings(end_timeout_ms=640).timing.pause == 0.64
    changed = to_turn_settings({"end_threshold": 0.1}, TurnSettings())
    assert changed.timing.pause == pytest.approx(1.151, abs=0.001)


@pytest.mark.parametrize(
    "query",
    [
        "model=ink-2",
        "model=ink-2&encoding=mp3&sample_rate=16000",
        "encoding=pcm_s16le&sample_rate=16000",
        "model=ink-2&encoding=pcm_s16le&sample_rate=16000&language=klingon",
        "model=ink-2&encoding=pcm_s16le&sample_rate=16000&keyterm=" + "x" * 1201,
    ],
)
def test_queries_that_cannot_be_served(query: str) -> None:
    with pytest.raises(BadRequest):
        to_manual(QueryParams(query))
    with pytest.raises(BadRequest):
        to_turns(QueryParams(query), TurnSettings())


def test_what_a_query_asks_for() -> None:
    query = QueryParams(
        "model=ink-whisper-2025-06-04&encoding=pcm_mulaw&sample_rate=8000&keyterm=Auricle"
        "&keyterm=Tess%20Ember&max_silence_duration_secs=0.2&min_volume=0.1"
    )
    asked = to_manual(query)
    assert (asked.model, asked.raw.encoding, asked.raw.sample_rate) == (
        "ink-whisper",
        "pcm_mulaw",
        8000,
    )
    assert asked.listening.prompt == "Auricle, Tess Ember"
    assert asked.listening.language == "en"
    assert asked.listening.quiet == 0.1
    assert asked.listening.timing.eager <= asked.listening.timing.pause == 0.2


def test_configurations() -> None:
    config = to_config({"language": "English", "diarize": True, "cumulative": "true"})
    assert (config.request.listening.language, config.request.diarize) == ("en", True)
    assert config.cumulative
    assert to_config({}).request.listening.language is None
    assert to_config({"model": None, "language": None, "cumulative": None}) == to_config({})
    for wrong in ({"model": 5}, {"language": ["en"]}, {"cumulative": "perhaps"}):
        with pytest.raises(BadRequest):
            to_config(wrong)
