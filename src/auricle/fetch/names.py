"""What a recording is called, for people."""

from __future__ import annotations

from email.message import Message

import httpx

LONGEST = 200
"""Characters of a name or title."""


def file_name(response: httpx.Response) -> str:
    """Return the name that the server gives its file, or that its address ends in."""
    header = response.headers.get("content-disposition", "")
    last = response.url.path.rstrip("/").rpartition("/")[2]
    return tidy(_disposition(header)) or tidy(last) or response.url.host


def tidy(name: str) -> str:
    """One line of printable characters, without folders, of a sensible length."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return one_line(last)


def one_line(text: str) -> str:
    """Printable characters and single spaces, cut where they become too many."""
    words = "".join(c if c.isprintable() else " " for c in text).split()
    return " ".join(words)[:LONGEST].rstrip()


def _disposition(header: str) -> str:
    """The file name of a Content-Disposition header (RFC 6266), decoded; "" without one."""
    message = Message()
    message["Content-Disposition"] = header
    return message.get_filename("") if header else ""
