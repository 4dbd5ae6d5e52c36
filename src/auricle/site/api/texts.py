"""Work on stored transcripts: summarise, analyse, generate, chat, search.

Fields are the union of what STT.ai's page and its clients send and read; see the dialect's README.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from asgiref.sync import async_to_sync
from django.db import connection
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from auricle.accounts.keys import Caller
from auricle.core.errors import BadRequest, NotFound
from auricle.desk import Customer, Desk
from auricle.desk import texts_json as wire
from auricle.desk.texts import Found, customer_of
from auricle.library import texts as library
from auricle.library.models import Status, Summary, Transcript
from auricle.site.api import serializers
from auricle.site.api.auth import account_of
from auricle.site.api.lookup import desk_of, find
from auricle.site.api.paging import Paging
from auricle.text import requests
from auricle.text.source import Source
from auricle.text.wording import ANALYSES, CONTENTS, STYLES, known

MOST_QUESTION = 2_000
MODES = ("hybrid", "semantic", "literal")


class _OfTranscript(APIView):
    """What all work on a transcript has in common."""

    def found(self, request: Request, pk: str) -> tuple[Transcript, Source]:
        """The transcript, with what was said. Raises :class:`NotFound` and :class:`BadRequest`."""
        rows = Transcript.objects.filter(account=account_of(request))
        row = find(rows.prefetch_related("segments"), pk)
        if row.status != Status.SUCCEEDED:
            raise NotFound("This transcript is not there yet." if not row.reason else row.message)
        source = library.source_of(row)
        if not source.pieces:
            raise BadRequest("Nobody speaks in this transcript: there is nothing to work on.")
        return row, source

    def ask(self, request: Request, asked: requests.Request) -> Any:
        """Have it done; no database connection is held meanwhile."""
        customer = _customer(request)
        desk: Desk = desk_of(request._request)
        connection.close()
        return async_to_sync(desk.texts.ask)(customer, asked)


class SummarizeView(_OfTranscript):
    """A transcript's summary."""

    @extend_schema(
        parameters=[OpenApiParameter("style", str, enum=list(STYLES), default="brief")],
        responses=serializers.SummarySerializer,
    )
    def get(self, request: Request, pk: str) -> Response:
        """The summary that is there, or a new one."""
        style = known(STYLES, request.query_params.get("style", "brief"), "style")
        row, source = self.found(request, pk)
        kept = library.kept_summary(row.pk, style)
        if kept is not None:
            return Response(_summary_json(kept, cached=True))
        return self._make(request, row, source, style, "")

    @extend_schema(request=serializers.SummarizeSerializer, responses=serializers.SummarySerializer)
    def post(self, request: Request, pk: str) -> Response:
        """Make it anew."""
        body = _body(request)
        style = known(STYLES, wire.word(body, "style", "brief"), "style")
        language = wire.language_of(body)
        row, source = self.found(request, pk)
        return self._make(request, row, source, style, language)

    def _make(
        self, request: Request, row: Transcript, source: Source, style: str, language: str
    ) -> Response:
        made = self.ask(request, requests.Summarize(source, style, language, topics=True))
        return Response(_summary_json(library.keep_summary(row.pk, made), cached=False))


class AnalyzeView(_OfTranscript):
    """What is in a transcript."""

    @extend_schema(request=serializers.AnalyzeSerializer, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, pk: str) -> Response:
        """By kind, under the names that were asked for; all kinds if none is named."""
        body = _body(request)
        asked = _kinds(body)
        kinds = {name: known(ANALYSES, name, "kind") for name in asked}
        language = wire.language_of(body)
        _, source = self.found(request, pk)
        unique = tuple(dict.fromkeys(kinds.values()))
        made = self.ask(request, requests.Analyze(source, unique, language))
        found: dict[str, Any] = {name: made["results"][kind] for name, kind in kinds.items()}
        if isinstance(body.get("type"), str):
            found |= {"type": asked[0], "result": found[asked[0]]}
        models = {name: made["models"][kind] for name, kind in kinds.items()}
        return Response({**found, "models": models, "language": made["language"]})


class GenerateView(_OfTranscript):
    """What is written from a transcript."""

    @extend_schema(request=serializers.GenerateSerializer, responses=serializers.ContentSerializer)
    def post(self, request: Request, pk: str) -> Response:
        """``content`` is always text; kinds made of parts have them in ``items`` too."""
        body = _body(request)
        asked = wire.word(body, "kind", wire.word(body, "type", ""))
        kind = known(CONTENTS, asked, "type")
        wish, language = wire.wish_of(body), wire.language_of(body)
        _, source = self.found(request, pk)
        made = self.ask(request, requests.Generate(source, kind, language, wish))
        return Response(wire.from_content(made, asked))


class ChatView(_OfTranscript):
    """Questions about a transcript."""

    @extend_schema(request=serializers.ChatSerializer, responses=serializers.AnswerSerializer)
    def post(self, request: Request, pk: str) -> Response:
        """The answer, with the segments that it is taken from; none where nothing is relevant."""
        body = _body(request)
        field = "message" if "message" in body else "question"
        question = wire.text_of(body, field).strip()
        if len(question) > MOST_QUESTION:
            raise BadRequest(f"The question is longer than {MOST_QUESTION:,} characters.")
        session = wire.word(body, "session_id", "")
        row, source = self.found(request, pk)
        customer, desk = _customer(request), desk_of(request._request)
        connection.close()
        reply = async_to_sync(desk.texts.chat)(customer, row, source, question, session)
        return Response(
            {
                "answer": reply.answer,
                "session_id": reply.session,
                "model": reply.model,
                "sources": [_hit_json(found) for found in reply.sources],
            }
        )


class SearchView(APIView):
    """Search in everything that was said."""

    @extend_schema(
        parameters=[
            OpenApiParameter("q", str, required=True, description="What is looked for."),
            OpenApiParameter("mode", str, enum=list(MODES), default="hybrid"),
            OpenApiParameter("limit", int),
            OpenApiParameter("offset", int),
        ],
        responses=serializers.FoundSerializer,
    )
    def get(self, request: Request) -> Response:
        """Segments of all transcripts, best first: by meaning, by words, or both (hybrid)."""
        asked = request.query_params.get("q", "").strip()
        mode = request.query_params.get("mode", "hybrid")
        if not asked or len(asked) > MOST_QUESTION:
            raise BadRequest(f"Send 'q': what to look for, in at most {MOST_QUESTION} characters.")
        if mode not in MODES:
            raise BadRequest(f"mode must be one of: {', '.join(MODES)}.")
        customer, desk = _customer(request), desk_of(request._request)
        connection.close()
        hits: Sequence[Found] = async_to_sync(desk.texts.search)(
            customer, asked, meaning=mode != "literal", words=mode != "semantic"
        )
        paging = Paging()
        page = paging.paginate_queryset(list(hits), request, self) or []
        return paging.get_paginated_response([_library_hit_json(hit) for hit in page])


def _customer(request: Request) -> Customer:
    caller = request.auth
    operator = isinstance(caller, Caller) and caller.operator
    return customer_of(account_of(request), operator=operator)


def _body(request: Request) -> Mapping[str, Any]:
    """The body, which is an object or nothing."""
    if not isinstance(request.data, Mapping):
        raise BadRequest("Send a JSON object.")
    return request.data


def _kinds(body: Mapping[str, Any]) -> list[str]:
    """The kinds that are asked for, as they were written; all if none is."""
    asked = body.get("kinds", body.get("type"))
    if asked is None or asked == []:
        return [kind for kind, meant in ANALYSES.items() if kind == meant]
    names = [asked] if isinstance(asked, str) else asked
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BadRequest("'kinds' must be a list of strings.")
    return list(dict.fromkeys(names))


def _summary_json(row: Summary, *, cached: bool) -> dict[str, Any]:
    return {
        "summary": row.text,
        "topics": row.topics,
        "style": row.style,
        "model": row.model,
        "language": row.language,
        "coverage": {"segments": row.segments, "read": row.segments_read},
        "cached": cached,
        "created_at": row.created.isoformat(),
    }


def _hit_json(found: Found) -> dict[str, Any]:
    piece = found.piece
    return {
        "segment_order": piece.order,
        "segment_id": piece.id,
        "text": piece.text,
        "score": found.score,
        "start_time": piece.start,
        "end_time": piece.end,
        "speaker": piece.speaker,
    }


def _library_hit_json(found: Found) -> dict[str, Any]:
    row = found.transcript
    shown = {"transcript_id": row.pk, "transcript_slug": row.slug, "title": row.title}
    return shown | _hit_json(found)
