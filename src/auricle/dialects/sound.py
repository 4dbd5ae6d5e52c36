"""Sound as an answer: the way that all dialects share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import quote

from fastapi.responses import StreamingResponse

from auricle.desk import Sound


def sound_response(sound: Sound, name: str = "") -> StreamingResponse:
    """The file as it comes; ``name`` is what a browser is to call it."""
    about = sound.about
    headers = {"X-Model": about.model}
    if about.bytes is not None:
        headers["Content-Length"] = str(about.bytes)
    if about.seconds is not None:
        headers["X-Duration"] = f"{about.seconds:.3f}"
    if about.took_s is not None:
        headers["X-Generation-Time"] = f"{about.took_s:.3f}"
    if about.gain_db is not None:
        headers["X-Gain-DB"] = f"{about.gain_db:.1f}"
    if about.voice:
        headers |= {"X-Voice": about.voice, "Content-Language": about.language}
    if name:
        headers["Content-Disposition"] = f"inline; filename*=UTF-8''{quote(name)}"
    return StreamingResponse(_closed(sound), media_type=about.media_type, headers=headers)


async def _closed(sound: Sound) -> AsyncIterator[bytes]:
    """The pieces; who goes away before the end stops the work."""
    try:
        async for piece in sound.pieces:
            yield piece
    finally:
        await sound.pieces.aclose()
