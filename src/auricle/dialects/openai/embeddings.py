"""OpenAI's embeddings: the wire, and its route.

Some clients (LangChain's is one) count in tokens and send these instead of text: numbers of the
vocabulary that OpenAI's embedding models have, which is ``cl100k_base``. They are made text again.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
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
        input={"oneOf": [STRING, array(STRING), array(INTEGER), array(array(INTEGER))]},
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
    """Either these, or tokens of each text."""
    tokens: tuple[list[int], ...]
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
    texts = wanted.texts or await asyncio.to_thread(_decoded, wanted.tokens)
    vectors, tokens, model = await unless_gone(request, desk.texts.embed(customer, texts))
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
    if body.get("dimensions") not in (None, DIMENSIONS):
        raise BadRequest(f"This model makes vectors of {DIMENSIONS} dimensions.")
    inputs = _inputs(body.get("input"))
    if isinstance(inputs[0], list):
        return Wanted((), tuple(map(_tokens, inputs, range(len(inputs)))), form == "base64")
    for place, text in enumerate(inputs):
        if not isinstance(text, str) or not text:
            raise BadRequest(f"input[{place}] is no string, or an empty one.")
    _check_length(sum(map(len, inputs)))
    return Wanted(tuple(inputs), (), form == "base64")


def _inputs(given: Any) -> list[Any]:
    """One for each text, as a string or as tokens."""
    alone = isinstance(given, str) or (
        isinstance(given, list) and given and all(type(token) is int for token in given)
    )
    inputs = [given] if alone else given
    if not isinstance(inputs, list) or not inputs:
        raise BadRequest(
            "Send 'input': a string, a list of strings, or tokens of one or several texts."
        )
    if len(inputs) > MOST_INPUTS:
        raise BadRequest(f"There are {len(inputs):,} inputs; send at most {MOST_INPUTS:,}.")
    return inputs


def _tokens(given: Any, place: int) -> list[int]:
    fits = isinstance(given, list) and all(type(token) is int and token >= 0 for token in given)
    if not fits or not given:
        raise BadRequest(f"input[{place}] is no list of tokens, or an empty one.")
    _check_length(len(given))
    return list(given)


def _decoded(tokens: Sequence[list[int]]) -> tuple[str, ...]:
    """Texts of tokens. Raises :class:`BadRequest`."""
    import bpe_openai  # noqa: PLC0415  (80 MB and a second, for clients who send tokens)

    encoding = bpe_openai.get_encoding("cl100k_base")
    try:
        texts = tuple(map(encoding.decode, tokens))
    except KeyError as error:
        raise BadRequest(f"These are no tokens of cl100k_base: {error.args[0]}.") from error
    _check_length(sum(map(len, texts)))
    return texts


def _check_length(characters: int) -> None:
    if characters > MOST_TEXT:
        raise BadRequest(f"The input is longer than {MOST_TEXT:,} characters together.")
