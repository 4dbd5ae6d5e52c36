"""Paging by limit and offset, as STT.ai's clients do it."""

from __future__ import annotations

from rest_framework.pagination import LimitOffsetPagination


class Paging(LimitOffsetPagination):
    """``{"count", "next", "previous", "results"}``."""

    default_limit = 20
    max_limit = 200
