"""Logging of every Auricle process: one line an event, on standard error.

Lines that belong to a request carry its id, which is also in the answer's ``X-Request-ID``.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar
from typing import Literal

from pythonjsonlogger.json import JsonFormatter

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that is being served."""

_QUIET = ("httpx", "uvicorn.error", "procrastinate", "django.request", "psycopg.pool", "asyncio")


def configure(
    process: str, style: Literal["text", "json"] = "text", level: int = logging.INFO
) -> None:
    """Send this process's log lines to standard error, marked with its name."""
    handler = logging.StreamHandler()
    handler.setFormatter(_json(process) if style == "json" else _text(process))
    handler.addFilter(_mark)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.ERROR)


def _mark(record: logging.LogRecord) -> bool:
    number = request_id.get()
    record.__dict__ |= {"request_id": number, "request": f" [{number}]" if number else ""}
    return True


def _text(process: str) -> logging.Formatter:
    return logging.Formatter(
        f"%(asctime)s %(levelname)s {process} %(name)s%(request)s: %(message)s"
    )


def _json(process: str) -> logging.Formatter:
    return JsonFormatter(
        "{asctime}{levelname}{name}{message}{request_id}",
        style="{",
        rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
        static_fields={"process": process},
        reserved_attrs=[*_RESERVED, "request"],
    )


_RESERVED = [*vars(logging.makeLogRecord({})), "message", "asctime"]
