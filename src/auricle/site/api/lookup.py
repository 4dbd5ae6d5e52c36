"""What several views look up."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import HttpRequest

from auricle.core.errors import NotFound
from auricle.desk import Desk
from auricle.library.models import Transcript


def desk_of(request: HttpRequest) -> Desk:
    """The door, which the server puts into every request's scope."""
    desk: Desk = request.scope["auricle.desk"]  # type: ignore[attr-defined]
    return desk


def find(rows: QuerySet[Transcript], name: str) -> Transcript:
    """A transcript by number or slug. Raises :class:`NotFound`."""
    # A slug may be made of digits alone, but never as short as a number.
    row = None
    if len(name) == 24:
        row = rows.filter(slug=name).first()
    elif name.isdecimal() and len(name) < 19:
        row = rows.filter(pk=int(name)).first()
    if row is None:
        raise NotFound("There is no such transcript, or it is not yours.")
    return row
