"""Between JSON for work on text, which two edges speak, and the text worker's requests. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auricle.core.errors import BadRequest
from auricle.text import requests
from auricle.text.source import Source
from auricle.text.wording import ANALYSES, CONTENTS, STYLES, known
from auricle.transcript.languages import parse

MOST_TEXT = 1_000_000
"""Characters of a text: some 20 hours of speech."""

MOST_BODY = 8_000_000
"""Bytes of a body, so that who sends somewhat too much is told what the limit is."""

MOST_TEXTS = 1_000
"""Texts of a batch."""

MOST_WISH = 2_000


def to_summarize(body: Mapping[str, Any]) -> tuple[requests.Summarize, str]:
    """What is asked, and the style as it was written. Raises :class:`BadRequest`."""
    asked = word(body, "style", "brief")
    style = known(STYLES, asked, "style")
    return requests.Summarize(source_of(body), style, language_of(body)), asked


def from_summary(found: dict[str, Any], style: str) -> dict[str, Any]:
    """The answer; ``text`` is for clients that read it under that name."""
    return {**found, "style": style, "text": found["summary"]}


def to_analyze(body: Mapping[str, Any]) -> tuple[requests.Analyze, str]:
    """What is asked, and the type as it was written."""
    asked = word(body, "type", "")
    kind = known(ANALYSES, asked, "type")
    return requests.Analyze(source_of(body), (kind,), language_of(body)), asked


def from_analysis(found: dict[str, Any], asked: str) -> dict[str, Any]:
    """The answer: what was found, under ``result`` and under the name of the type."""
    kind = known(ANALYSES, asked, "type")
    result = found["results"][kind]
    return {
        "type": asked,
        "result": result,
        asked: result,
        "model": found["models"][kind],
        "language": found["language"],
    }


def to_generate(body: Mapping[str, Any]) -> tuple[requests.Generate, str]:
    """What is asked, and the type as it was written."""
    asked = word(body, "type", "")
    kind = known(CONTENTS, asked, "type")
    wish = wish_of(body)
    return requests.Generate(source_of(body), kind, language_of(body), wish), asked


def from_content(found: dict[str, Any], asked: str) -> dict[str, Any]:
    """The answer."""
    return {**found, "type": asked, "kind": asked}


@dataclass(frozen=True, slots=True)
class Translation:
    """How a translation was asked for."""

    source: str
    target: str
    batch: bool


def to_translate(body: Mapping[str, Any]) -> tuple[requests.Translate, Translation]:
    """What is asked, and how."""
    text, texts = body.get("text"), body.get("texts")
    if (text is None) == (texts is None):
        raise BadRequest("Send either 'text' (a string) or 'texts' (a list of strings).")
    many = texts_of(body) if text is None else (text_of(body),)
    target = word(body, "target", "").strip().lower()
    source = word(body, "source", "en").strip().lower()
    if not target:
        raise BadRequest("Send 'target': the code of the language to translate into.")
    if source == target:
        raise BadRequest(f"source and target are both {source!r}: there is nothing to translate.")
    return requests.Translate(many, source, target), Translation(source, target, text is None)


def from_translation(found: dict[str, Any], asked: Translation) -> dict[str, Any]:
    """The answer."""
    shared = {
        "source_language": asked.source,
        "target_language": asked.target,
        "model": found["model"],
    }
    if asked.batch:
        return {"translations": [{"translated_text": each} for each in found["texts"]], **shared}
    return {"translated_text": found["texts"][0], **shared}


def to_embed(body: Mapping[str, Any]) -> requests.Embed:
    """What is asked."""
    return requests.Embed(texts_of(body))


def source_of(body: Mapping[str, Any]) -> Source:
    """A text; the text worker finds out its language and cuts it into sentences."""
    text = text_of(body)
    return Source((), language="", original=text)


def text_of(body: Mapping[str, Any], field: str = "text") -> str:
    """A text that is there and is not too long."""
    text = body.get(field)
    if not isinstance(text, str) or not text.strip():
        raise BadRequest(f"Send {field!r}: a string that is not empty.")
    if len(text) > MOST_TEXT:
        raise BadRequest(
            f"{field!r} has {len(text):,} characters; send at most {MOST_TEXT:,} at a time."
        )
    return text


def texts_of(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Texts that are there, not too many and not too long."""
    texts = body.get("texts")
    if not isinstance(texts, list) or not texts:
        raise BadRequest("Send 'texts': a list of strings that is not empty.")
    if len(texts) > MOST_TEXTS:
        raise BadRequest(f"There are {len(texts):,} texts; send at most {MOST_TEXTS:,} at a time.")
    for place, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            raise BadRequest(f"texts[{place}] is no string, or an empty one.")
    if sum(map(len, texts)) > MOST_TEXT:
        raise BadRequest(f"The texts are longer than {MOST_TEXT:,} characters together.")
    return tuple(texts)


def language_of(body: Mapping[str, Any]) -> str:
    """The language of the answer; nothing where that of the text is meant."""
    return parse(word(body, "language", "")) or ""


def wish_of(body: Mapping[str, Any]) -> str:
    """What else is wished for."""
    wish = word(body, "prompt", "").strip()
    if len(wish) > MOST_WISH:
        raise BadRequest(f"'prompt' is longer than {MOST_WISH:,} characters.")
    return wish


def word(body: Mapping[str, Any], field: str, default: str) -> str:
    """A field that is a string, if it is there."""
    value = body.get(field)
    if value is None:
        return default
    if not isinstance(value, str):
        raise BadRequest(f"{field!r} must be a string.")
    return value
