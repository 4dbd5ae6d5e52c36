"""Words for OpenAPI documents: routes that stream their bodies describe them by hand."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

STRING: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
INTEGER: Schema = {"type": "integer"}
BOOLEAN: Schema = {"type": "boolean"}
SECONDS: Schema = {"type": "number", "description": "seconds"}
FILE: Schema = {
    "type": "string",
    "format": "binary",
    "description": "Audio or video in any format that FFmpeg reads.",
}


def record(optional: dict[str, Schema] | None = None, /, **required: Schema) -> Schema:
    """An object."""
    properties = {**required, **(optional or {})}
    return {"type": "object", "required": list(required), "properties": properties}


def array(item: Schema) -> Schema:
    """A list."""
    return {"type": "array", "items": item}


def choice(*values: str, **more: Any) -> Schema:
    """One of some words."""
    return {"type": "string", "enum": list(values), **more}


def form(fields: dict[str, Schema], *required: str) -> Schema:
    """A multipart body with a file."""
    content = record({"file": FILE, **fields}) | {"required": ["file", *required]}
    return {"requestBody": _body("multipart/form-data", content)}


def json_body(content: Schema) -> Schema:
    """A JSON body."""
    return {"requestBody": _body("application/json", content)}


def _body(media_type: str, content: Schema) -> Schema:
    return {"required": True, "content": {media_type: {"schema": content}}}


def says(description: str, content: Schema, *texts: str) -> Schema:
    """An answer in JSON, or in one of some text formats."""
    kinds = {"application/json": {"schema": content}}
    return {
        "description": description,
        "content": kinds | {kind: {"schema": STRING} for kind in texts},
    }


WORDS = array(record(word=STRING, start=SECONDS, end=SECONDS))
