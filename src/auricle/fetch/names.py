"""What a recording is called, for people."""

from __future__ import annotations

from email.message import Message
from email.utils import collapse_rfc2231_value

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
    """The file name of a Content-Disposition header, decoded; "" without one.

    Where both forms stand, ``filename*`` counts (RFC 6266, 4.3).
    """
    message = Message()
    message["Content-Disposition"] = header
    parameters = message.get_params([], "content-disposition") if header else []
    names = [value for name, value in parameters if name.lower() == "filename"]
    names.sort(key=lambda value: isinstance(value, str))  # the other form is a tuple
    return collapse_rfc2231_value(names[0]) if names else ""
