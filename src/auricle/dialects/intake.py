"""From a request to a recording that is accepted: the way that all dialects share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from auricle.core.errors import BadRequest, Cancelled, TooLarge
from auricle.desk import Desk, Ticket, TranscriptionRequest
from auricle.dialects.connection import is_retry, key_of, peer_of
from auricle.dialects.multipart import Form, declared_size, read_form

MOST_JSON = 64_000
"""Bytes of a JSON body."""


class Wanted(Protocol):
    """What a dialect has read out of a form."""

    @property
    def recording(self) -> TranscriptionRequest:
        """How to transcribe."""


W = TypeVar("W", bound=Wanted)


async def take(
    request: Request, dialect: str, read: Callable[[Form], W], *, anonymous: bool = False
) -> tuple[Ticket, W]:
    """Let somebody in, receive their form, and accept its file.

    ``read`` gets the whole form, however its parts were ordered. Raises what the desk and it do,
    and :class:`BadRequest` for a body that is no form or has no file.
    """
    desk: Desk = request.app.state.desk
    admission = await desk.admit(
        key_of(request), peer_of(request), dialect, declared_size(request), anonymous=anonymous
    )
    admission = replace(admission, again=is_retry(request))
    with desk.receive(admission) as upload:
        form = await read_form(request, upload)
        refuse_without_file(form)
        wanted = read(form)
        return await desk.submit(admission, upload, wanted.recording), wanted


def refuse_without_file(form: Form, field: str = "file") -> None:
    """Raise :class:`BadRequest` for a form that brought no recording."""
    if not form.has_file:
        where = f"It came in {form.misplaced!r}. " if form.misplaced else "No file was sent. "
        raise BadRequest(f"{where}Send the recording in a multipart field called {field!r}.")


async def read_json(request: Request, most: int = MOST_JSON) -> dict[str, Any]:
    """A JSON object of at most so many bytes; nothing counts as an empty one.

    Raises :class:`BadRequest` and :class:`TooLarge`.
    """
    body = bytearray()
    try:
        async for block in request.stream():
            body += block
            if len(body) > most:
                raise TooLarge(f"The JSON is longer than {most} bytes.")
        return msgspec.json.decode(body or b"{}", type=dict[str, Any])
    except ClientDisconnect as error:
        raise Cancelled("The client went away while it was sending.") from error
    except msgspec.MsgspecError as error:
        raise BadRequest(f"Send a JSON object: {error}.") from error
