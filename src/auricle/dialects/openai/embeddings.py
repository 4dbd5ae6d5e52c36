"""OpenAI's embeddings: the wire, and its route."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from auricle.core.errors import BadRequest, UnknownModel
from auricle.desk import Desk
from auricle.desk.texts_json import MOST_BODY, MOST_TEXT
from auricle.dialects.connection import key_of, peer_of, unless_gone
from auricle.dialects.intake import read_json
from auricle.dialects.openapi import INTEGER, NUMBER, STRING, array, choice, json_body, record, says
from auricle.text.requests import DIMENSIONS

router = APIRouter(tags=["text"])

DIALECT = "openai"
MOST_INPUTS = 2048
"""Texts at a time, as at OpenAI."""

_BODY = json_body(
    record(
        {
            "encoding_format": choice("float", "base64", default="float"),
            "dimensions": INTEGER | {"enum": [DIMENSIONS]},
        },
        model=STRING,
        input={"oneOf": [STRING, array(STRING)]},
    )
)
_ERROR = says("What went wrong.", record(error=record(message=STRING)))
_EMBEDDING = record(
    object=choice("embedding"), index=INTEGER, embedding={"oneOf": [array(NUMBER), STRING]}
)
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: says(
        "The vectors, each of length 1.",
        record(
            object=choice("list"),
            model=STRING,
            data=array(_EMBEDDING),
            usage=record(prompt_tokens=INTEGER, total_tokens=INTEGER),
        ),
    ),
    "default": _ERROR,
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for."""

    texts: tuple[str, ...]
    base64: bool


@router.post(
    "/v1/embeddings",
    summary="Turn texts into vectors",
    openapi_extra=_BODY,
    responses=_RESPONSES,
)
async def embeddings(request: Request) -> JSONResponse:
    """As numbers, or as base64 of little-endian float32, which OpenAI's SDKs ask for."""
    desk: Desk = request.app.state.desk
    customer = await desk.identify(key_of(request), peer_of(request), DIALECT)
    wanted = to_wanted(await read_json(request, MOST_BODY), desk.texts.embedders)
    vectors, tokens, model = await unless_gone(request, desk.texts.embed(customer, wanted.texts))
    data = [
        {
            "object": "embedding",
            "index": place,
            "embedding": base64.b64encode(vector.astype("<f4").tobytes()).decode()
            if wanted.base64
            else vector.tolist(),
        }
        for place, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return JSONResponse({"object": "list", "model": model, "data": data, "usage": usage})


def to_wanted(body: Mapping[str, Any], models: frozenset[str]) -> Wanted:
    """Read the fields; ``models`` are the names that are answered.

    Raises :class:`BadRequest` and :class:`UnknownModel`.
    """
    name = str(body.get("model", "")).casefold().removeprefix("sentence-transformers/")
    if name not in models:
        raise UnknownModel(
            f"Unknown model {str(body.get('model', ''))[:100]!r}. Send one of: "
            f"{', '.join(sorted(models))}."
        )
    form = body.get("encoding_format") or "float"
    if form not in ("float", "base64"):
        raise BadRequest("encoding_format must be 'float' or 'base64'.")
    if body.get("dimensions", DIMENSIONS) != DIMENSIONS:
        raise BadRequest(f"This model makes vectors of {DIMENSIONS} dimensions.")
    return Wanted(_texts(body.get("input")), form == "base64")


def _texts(given: Any) -> tuple[str, ...]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts:
        raise BadRequest("Send 'input': a string, or a list of strings that is not empty.")
    if len(texts) > MOST_INPUTS:
        raise BadRequest(f"There are {len(texts):,} inputs; send at most {MOST_INPUTS:,}.")
    for place, text in enumerate(texts):
        if isinstance(text, int | list):
            raise BadRequest("Numbers of tokens cannot be read here: send 'input' as text.")
        if not isinstance(text, str) or not text:
            raise BadRequest(f"input[{place}] is no string, or an empty one.")
    if sum(map(len, texts)) > MOST_TEXT:
        raise BadRequest(f"The input is longer than {MOST_TEXT:,} characters together.")
    return tuple(texts)
