"""What the OpenAPI document says of the routes for text."""

from __future__ import annotations

from typing import Any

from auricle.dialects.openapi import (
    INTEGER,
    NUMBER,
    STRING,
    Schema,
    array,
    choice,
    json_body,
    record,
    says,
)
from auricle.text.wording import ANALYSES, CONTENTS, STYLES


def _nullable(kind: str) -> Schema:
    return {"type": [kind, "null"]}


_LANGUAGE = STRING | {"description": "Of the answer; that of the text when left out."}
_AT = {"segment_order": INTEGER, "start": _nullable("number")}
_COVERAGE = record(segments=INTEGER, read=INTEGER) | {
    "description": "Sentences of the text, and how many of them the language model has read: of "
    "long texts a small one reads those that say most."
}

SENTIMENT = record(
    label=choice("positive", "negative", "neutral"),
    score=NUMBER | {"minimum": -1, "maximum": 1},
    positive=NUMBER,
    negative=NUMBER,
    neutral=NUMBER,
    segments=array(
        record(
            text=STRING,
            label=choice("positive", "negative", "neutral"),
            score=NUMBER,
            **_AT,
        )
    ),
)
TOPICS = record(
    topics=array(record(name=STRING, segment_order=_nullable("integer"), start=_nullable("number")))
)
ENTITIES = record(
    entities=array(record(text=STRING, type=STRING, count=INTEGER, mentions=array(record(**_AT))))
)
ACTION_ITEMS = record(
    action_items=array(
        record(task=STRING, owner=_nullable("string"), due=_nullable("string"), **_AT)
    )
)
QUESTIONS = record(questions=array(record(text=STRING, speaker=_nullable("string"), **_AT)))
PII = record(
    text=STRING | {"description": "With placeholders such as [EMAIL_ADDRESS]."},
    spans=array(record(start=INTEGER, end=INTEGER, type=STRING, placeholder=STRING, score=NUMBER))
    | {"description": "Where they stand in the original text, in characters."},
    names={
        "type": "boolean",
        "description": "Whether names were looked for, which an installed model does for English.",
    },
)

SUMMARIZE_BODY = json_body(
    record({"style": choice(*STYLES, default="brief"), "language": _LANGUAGE}, text=STRING)
)
ANALYZE_BODY = json_body(record({"language": _LANGUAGE}, text=STRING, type=choice(*ANALYSES)))
GENERATE_BODY = json_body(
    record({"language": _LANGUAGE, "prompt": STRING}, text=STRING, type=choice(*CONTENTS))
)
TRANSLATE_BODY = json_body(
    record(
        {"text": STRING, "texts": array(STRING), "source": STRING | {"default": "en"}},
        target=STRING,
    )
)
EMBED_BODY = json_body(record(texts=array(STRING)))


def _responses(description: str, content: Schema) -> dict[int | str, dict[str, Any]]:
    error = record(error=STRING)
    return {
        200: says(description, content, "text/event-stream"),
        400: says("A field that makes no sense: what, and what to send.", error),
        503: says("A model is not installed (its command is named), or too much waits.", error),
        "default": says("Whatever else went wrong.", error),
    }


SUMMARIZE_RESPONSES = _responses(
    "The summary; 'model' has really written it.",
    record(
        summary=STRING,
        text=STRING,
        style=STRING,
        model=STRING,
        language=STRING,
        coverage=_COVERAGE,
    ),
)
ANALYZE_RESPONSES = _responses(
    "What was found; also under the name of its type.",
    record(
        type=STRING,
        model=STRING,
        language=STRING,
        result={"oneOf": [SENTIMENT, TOPICS, ENTITIES, ACTION_ITEMS, QUESTIONS, PII]},
    ),
)
_ITEMS = array(
    {
        "anyOf": [
            record(
                text=STRING,
                speaker=_nullable("string"),
                end=_nullable("number"),
                **_AT,
            ),
            record(title=STRING, **_AT),
            record(question=STRING, answer=STRING),
            record(question=STRING, options=array(STRING), answer=INTEGER),
        ]
    }
) | {"description": "Of key_quotes, chapter_markers, flashcards and quiz; empty for the others."}
GENERATE_RESPONSES = _responses(
    "What was written.",
    record(
        content=STRING,
        type=STRING,
        kind=STRING,
        model=STRING,
        language=STRING,
        coverage=_COVERAGE,
        items=_ITEMS,
    ),
)
TRANSLATE_RESPONSES = _responses(
    "The translation, or in 'translations' those of a batch.",
    record(
        {"translated_text": STRING, "translations": array(record(translated_text=STRING))},
        source_language=STRING,
        target_language=STRING,
        model=STRING,
    ),
)
EMBED_RESPONSES = _responses(
    "The vectors.",
    record(embeddings=array(array(NUMBER)), dimensions=INTEGER, model=STRING),
)
