"""A multipart/form-data body, streamed: fields into memory, the file to disk, in any order.

Framework helpers write a body to a temporary file before the application sees a byte; here each
block goes from the socket to its place once, and a limit ends the request as soon as it is passed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from auricle.core.errors import BadRequest, Cancelled, TooLarge
from auricle.desk import FORM_BYTES
from auricle.storage import Upload

MAX_FIELDS = 200
_FLUSH_BYTES = 1 << 20

LINGER_BYTES = 64 << 20
LINGER_S = 10.0
"""How much longer a refused upload is read. A client that is still sending would otherwise meet a
reset connection instead of the answer."""


@dataclass(slots=True)
class Form:
    """The fields of a form, in the order of their arrival."""

    fields: list[tuple[str, str]] = field(default_factory=list)
    has_file: bool = False
    misplaced: str = ""
    """A field, not the one for the file, in which a file came."""

    def get(self, name: str, default: str = "") -> str:
        """The last value of a field."""
        return next((value for key, value in reversed(self.fields) if key == name), default)

    def all(self, name: str) -> list[str]:
        """Every value of a field that may come several times, as ``name`` or ``name[]``."""
        return [value for key, value in self.fields if key in (name, f"{name}[]")]

    def boolean(self, name: str, *, default: bool) -> bool:
        """A field that says yes or no. Raises :class:`BadRequest`."""
        text = self.get(name).strip()
        return to_boolean(name, text) if text else default


def to_boolean(name: str, text: str) -> bool:
    """Read yes or no. Raises :class:`BadRequest` that names the field."""
    given = text.strip().lower()
    if given in ("true", "1", "yes", "on"):
        return True
    if given in ("false", "0", "no", "off"):
        return False
    raise BadRequest(f"{name} must be 'true' or 'false', not {text!r}.")


async def read_form(request: Request, upload: Upload, file_field: str = "file") -> Form:
    """Read a whole multipart body. Raises :class:`BadRequest` with what is wrong with it."""
    boundary = _boundary(request)
    target = _Target(upload, file_field)
    first = b""
    try:
        parser = MultipartParser(boundary, target.callbacks())
        async for chunk in request.stream():
            first = first or chunk[:20]
            if target.complete:  # what comes after the form's end
                target.pass_over(len(chunk))
            parser.write(chunk)
            if target.held >= _FLUSH_BYTES:
                await asyncio.to_thread(target.flush)
        parser.finalize()
        await asyncio.to_thread(target.flush)
    except FormParserError as error:
        if first.startswith(b"[object"):
            raise BadRequest(_NODE) from error
        raise BadRequest(f"The multipart body is malformed: {error}.") from error
    except ClientDisconnect as error:
        raise Cancelled("The client went away while it was sending.") from error
    finally:
        upload.close()
    if not target.complete:
        raise BadRequest("The multipart body ends before its closing boundary. Send it again.")
    return target.form


def declared_size(request: Request) -> int | None:
    """Content-Length, if the client sent one that is a number."""
    value = request.headers.get("content-length", "")
    return int(value) if value.isdecimal() else None


async def drain(request: Request) -> None:
    """Read and forget what a refused client still sends, up to a limit."""
    seen = 0
    try:
        async with asyncio.timeout(LINGER_S):
            async for chunk in request.stream():
                seen += len(chunk)
                if seen > LINGER_BYTES:
                    return
    except (TimeoutError, ClientDisconnect):
        return
    except RuntimeError:  # the body had been read to its end
        return


_NODE = (
    "In Node.js, the form-data package does not work with the built-in fetch, which sends "
    "'[object FormData]' instead of the file: use the built-in FormData, or node-fetch."
)


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data":
        raise BadRequest(
            "Send the recording as multipart/form-data with a 'file' field "
            f"(Content-Type was {kind.decode('latin-1') or 'missing'!r})."
        )
    boundary = options.get(b"boundary")
    if not boundary:
        raise BadRequest(
            "The Content-Type has no boundary, so the form cannot be read. Let your HTTP library "
            f"set the header. {_NODE}"
        )
    return boundary


class _Target:
    """Receives what the parser finds."""

    def __init__(self, upload: Upload, file_field: str) -> None:
        self.form = Form()
        self.held = 0
        self.complete = False
        self._upload = upload
        self._file_field = file_field
        self._headers: dict[bytes, bytes] = {}
        self._header_name = b""
        self._header_value = b""
        self._name = ""
        self._is_file = False
        self._skipped = False
        self._besides = 0
        self._value = bytearray()
        self._blocks: list[bytes] = []

    def callbacks(self) -> Any:
        """The parser's callbacks, by the names that it has for them."""
        return {
            "on_part_begin": self._part_begin,
            "on_header_field": self._on_header_name,
            "on_header_value": self._on_header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._part_data,
            "on_part_end": self._part_end,
            "on_end": self._end,
        }

    def pass_over(self, count: int) -> None:
        """Count bytes that are not the file's. Raises :class:`TooLarge`."""
        self._besides += count
        if self._besides > FORM_BYTES:
            raise TooLarge(
                "The form holds more than 4 MB besides its file. Send the recording in the field "
                f"{self._file_field!r}."
            )

    def flush(self) -> None:
        """Write the held part of the file to disk."""
        blocks, self._blocks, self.held = self._blocks, [], 0
        if blocks:
            self._upload.write(b"".join(blocks))

    def _part_begin(self) -> None:
        self._headers = {}
        self._value = bytearray()

    def _on_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._header_name.lower()] = self._header_value
        self._header_name = self._header_value = b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        self._name = options.get(b"name", b"").decode("utf-8", "replace")
        file_name = options.get(b"filename")
        # A part called "file" is the file even without a file name: that is how raw bytes come.
        self._is_file = self._name == self._file_field and not self.form.has_file
        self._skipped = not self._is_file and file_name is not None
        if self._skipped:
            self.form.misplaced = self._name
        if self._is_file:
            self.form.has_file = True
            self._upload.name = (file_name or b"").decode("utf-8", "replace").replace("\0", "")

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self._blocks.append(data[start:end])
            self.held += end - start
            return
        if self._skipped:
            return
        self._value += data[start:end]
        self.pass_over(end - start)

    def _part_end(self) -> None:
        if self._is_file or self._skipped:
            return
        if len(self.form.fields) >= MAX_FIELDS:
            raise BadRequest(f"The form has more than {MAX_FIELDS} fields.")
        self.form.fields.append((self._name, self._value.decode("utf-8", "replace")))

    def _end(self) -> None:
        self.complete = True
