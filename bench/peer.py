"""A faster-whisper server of the usual kind: a lock around the model."""

from __future__ import annotations

import io
import sys
import threading

import uvicorn
from faster_whisper import WhisperModel
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bench.corpus import MODEL, THREADS

_model = WhisperModel(str(MODEL), device="cpu", compute_type="int8", cpu_threads=THREADS)
_lock = threading.Lock()


def _transcribe(sound: bytes, language: str) -> str:
    with _lock:
        segments, _ = _model.transcribe(io.BytesIO(sound), language=language, word_timestamps=True)
        return "".join(segment.text for segment in segments)


async def _answer(request: Request) -> JSONResponse:
    async with request.form() as form:
        file, language = form["file"], str(form["language"])
        assert not isinstance(file, str)
        text = await run_in_threadpool(_transcribe, await file.read(), language)
    return JSONResponse({"text": text})


if __name__ == "__main__":
    routes = [Route("/v1/audio/transcriptions", _answer, methods=["POST"])]
    uvicorn.run(Starlette(routes=routes), port=int(sys.argv[1]), log_level="warning")
