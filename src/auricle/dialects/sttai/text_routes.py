"""The routes for text. They decide nothing: the desk does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from auricle.core.errors import AuricleError
from auricle.desk import Desk
from auricle.desk import texts_json as wire
from auricle.dialects.connection import key_of, peer_of, unless_gone
from auricle.dialects.intake import read_json
from auricle.dialects.sttai import text_schema as schema
from auricle.text import requests

router = APIRouter(tags=["text"])

DIALECT = "sttai"

Answer = Callable[[Any], dict[str, Any]]
T = TypeVar("T")


@router.post(
    "/v1/summarize",
    summary="Summarise a text",
    openapi_extra=schema.SUMMARIZE_BODY,
    responses=schema.SUMMARIZE_RESPONSES,
)
async def summarize(request: Request) -> Response:
    """In one of five styles, in the language of the text unless another is asked for."""
    return await _answer(request, wire.to_summarize, wire.from_summary)


@router.post(
    "/v1/analyze",
    summary="Find sentiment, topics, entities, action items, questions or personal data",
    openapi_extra=schema.ANALYZE_BODY,
    responses=schema.ANALYZE_RESPONSES,
)
async def analyze(request: Request) -> Response:
    """``result`` has the shape of its type."""
    return await _answer(request, wire.to_analyze, wire.from_analysis)


@router.post(
    "/v1/generate",
    summary="Write something from a text",
    openapi_extra=schema.GENERATE_BODY,
    responses=schema.GENERATE_RESPONSES,
)
async def generate(request: Request) -> Response:
    """``content`` is always text; kinds made of parts have them in ``items`` too."""
    return await _answer(request, wire.to_generate, wire.from_content)


@router.post(
    "/v1/translate",
    summary="Translate a text, or many",
    openapi_extra=schema.TRANSLATE_BODY,
    responses=schema.TRANSLATE_RESPONSES,
)
async def translate(request: Request) -> Response:
    """A pair of languages that no installed model knows is a 503 that says what to install."""
    return await _answer(request, wire.to_translate, wire.from_translation)


@router.post(
    "/v1/embed",
    summary="Turn texts into vectors of 384 numbers",
    openapi_extra=schema.EMBED_BODY,
    responses=schema.EMBED_RESPONSES,
)
async def embed(request: Request) -> Response:
    """By all-MiniLM-L6-v2, each of length 1; of a text, its first 256 tokens count."""
    desk: Desk = request.app.state.desk
    customer = await desk.identify(key_of(request), peer_of(request), DIALECT)
    asked = wire.to_embed(await read_json(request, wire.MOST_BODY))
    vectors, _, model = await unless_gone(request, desk.texts.embed(customer, asked.texts))
    found = {"embeddings": vectors.tolist(), "dimensions": vectors.shape[1], "model": model}
    return JSONResponse(found, headers={"X-Model": model})


async def _answer(
    request: Request,
    read: Callable[[dict[str, Any]], tuple[requests.Request, T]],
    shown: Callable[[Any, T], dict[str, Any]],
) -> Response:
    """Let somebody in, read what they ask, have it done; with its progress, if they can read it.

    ``read`` also gives what ``shown`` has to know of the request to make the answer.
    """
    desk: Desk = request.app.state.desk
    customer = await desk.identify(key_of(request), peer_of(request), DIALECT)
    asked, known = read(await read_json(request, wire.MOST_BODY))
    if "text/event-stream" in request.headers.get("accept", ""):
        steps: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        work = desk.texts.ask(
            customer, asked, lambda done, total: steps.put_nowait({"done": done, "total": total})
        )
        events = _events(asyncio.ensure_future(work), steps, lambda found: shown(found, known))
        return StreamingResponse(events, media_type="text/event-stream")
    found = await unless_gone(request, desk.texts.ask(customer, asked))
    return JSONResponse(shown(found, known))


async def _events(
    work: asyncio.Future[Any], steps: asyncio.Queue[dict[str, Any]], answer: Answer
) -> AsyncIterator[str]:
    """``progress`` events, then ``result`` or ``error``."""
    try:
        while not work.done() or not steps.empty():
            next_step = asyncio.ensure_future(steps.get())
            await asyncio.wait({work, next_step}, return_when=asyncio.FIRST_COMPLETED)
            if next_step.done():
                yield _event("progress", next_step.result())
            next_step.cancel()
        yield _event("result", answer(work.result()))
    except AuricleError as error:
        yield _event("error", {"error": error.message})
    finally:
        work.cancel()


def _event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
