"""A transcription as server-sent events, while it is being heard."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from auricle.core.errors import AuricleError
from auricle.dialects.openai import translate
from auricle.transcript import Transcript, Word

Heard = AsyncIterator[tuple[Word, ...] | Transcript]


async def events(heard: Heard, wanted: translate.Wanted) -> AsyncIterator[bytes]:
    """Yield the events of a transcription, each as it goes over the wire.

    The deltas joined are the text. Raises what went wrong before the first words; later errors
    are the last event.
    """
    begun = False
    try:
        async for found in heard:
            if isinstance(found, Transcript):
                for event in translate.last_events(found, wanted):
                    yield _event(event)
            elif delta := _joined(found, first=not begun):
                yield _event({"type": "transcript.text.delta", "delta": delta})
                begun = True
    except AuricleError as error:
        if not begun:
            raise
        yield _event(translate.error_view(error))


def _joined(words: tuple[Word, ...], *, first: bool) -> str:
    text = "".join(word.text for word in words)
    return text.lstrip() if first else text


def _event(content: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(content, ensure_ascii=False)}\n\n".encode()
