"""The REST API. Another account's rows are not there (404)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import django_filters
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.utils.text import slugify
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import generics, mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from auricle.accounts.keys import create_key, revoke_key
from auricle.accounts.models import Account, ApiKey, PrivateInstance, User
from auricle.accounts.services import usage
from auricle.core.errors import AuricleError, BadRequest, NotFound
from auricle.credits.services import by_day
from auricle.desk import Desk, endings
from auricle.egress.webhooks import new_secret
from auricle.jobs import webhooks
from auricle.jobs.models import Delivery, Endpoint
from auricle.library import edits
from auricle.library.models import Segment, Status, Transcript
from auricle.library.services import search
from auricle.library.words import to_transcript
from auricle.site.api import serializers
from auricle.site.api.auth import account_of
from auricle.site.api.lookup import desk_of, find
from auricle.site.api.paging import Paging
from auricle.site.api.serializers import STATUSES
from auricle.transcript.export import FORMATS
from auricle.transcript.languages import parse

USAGE_DAYS = 30
MOST_ENDPOINTS = 20


class AnyAccept(DefaultContentNegotiation):
    """For answers that have one form, whatever the client says that it accepts."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class AccountView(generics.RetrieveUpdateAPIView[Account]):
    """The account that the key belongs to: plan, credits, preferences. What a change leaves out
    stays as it is, by PUT as by PATCH."""

    serializer_class = serializers.AccountSerializer
    http_method_names = ("get", "put", "patch", "head", "options")

    def put(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.partial_update(request, *args, **kwargs)

    def get_object(self) -> Account:
        return account_of(self.request)


class KeysView(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[ApiKey]):
    """API keys."""

    serializer_class = serializers.KeySerializer
    queryset = ApiKey.objects.none()

    def get_queryset(self) -> QuerySet[ApiKey]:
        return ApiKey.objects.filter(account=account_of(self.request)).order_by("id")

    @extend_schema(responses={201: serializers.NewKeySerializer})
    def create(self, request: Request) -> Response:
        """Make a key. This answer is the only one that shows it."""
        wanted = serializers.KeySerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        assert isinstance(request.user, User)
        key, raw = create_key(request.user, wanted.validated_data["name"])
        shown = serializers.KeySerializer(key).data | {"key": raw}
        return Response(shown, status=status.HTTP_201_CREATED)

    def destroy(self, request: Request, pk: str) -> Response:
        """Revoke a key: from now on it opens nothing."""
        revoke_key(self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)


class TranscriptFilter(django_filters.FilterSet):  # type: ignore[misc]
    """The query's filters."""

    status = django_filters.CharFilter(
        method="by_status", help_text="completed, processing, failed"
    )
    language = django_filters.CharFilter(method="by_language")
    date = django_filters.DateFilter("created", "date", help_text="that day alone (UTC)")
    date_from = django_filters.DateFilter("created", "date__gte", help_text="first day (UTC)")
    date_to = django_filters.DateFilter("created", "date__lte", help_text="last day (UTC)")
    search = django_filters.CharFilter(method="by_words", help_text="words that were said")

    class Meta:
        model = Transcript
        fields = ()

    def by_status(self, rows: QuerySet[Transcript], name: str, value: str) -> QuerySet[Transcript]:
        meant = [ours for ours, theirs in STATUSES.items() if value in (theirs, ours)]
        if not meant:
            raise BadRequest(f"status must be completed, processing or failed, not {value!r}.")
        return rows.filter(status__in=meant)

    def by_language(
        self, rows: QuerySet[Transcript], name: str, value: str
    ) -> QuerySet[Transcript]:
        code = parse(value)
        return rows.filter(language=code) if code else rows

    def by_words(self, rows: QuerySet[Transcript], name: str, value: str) -> QuerySet[Transcript]:
        return search(rows, value)


class TranscriptsView(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Transcript]
):
    """Transcripts, known by number or slug."""

    serializer_class = serializers.TranscriptSerializer
    queryset = Transcript.objects.none()
    filterset_class = TranscriptFilter
    lookup_value_regex = "[0-9a-z]+"

    def get_queryset(self) -> QuerySet[Transcript]:
        rows = Transcript.objects.filter(account=account_of(self.request))
        shown = self.action in ("retrieve", "partial_update", "export")
        return rows.prefetch_related("segments", "summaries") if shown else rows

    def get_serializer_class(self) -> type[serializers.TranscriptSerializer]:
        if self.action == "retrieve":
            return serializers.TranscriptDetailSerializer
        return serializers.TranscriptSerializer

    def get_object(self) -> Transcript:
        return find(self.get_queryset(), self.kwargs["pk"])

    @extend_schema(
        request=serializers.ChangeSerializer, responses=serializers.TranscriptDetailSerializer
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change the title, name speakers, correct segments' text."""
        with transaction.atomic():
            row = self.get_object()
            change = serializers.ChangeSerializer(row, data=request.data, partial=True)
            change.is_valid(raise_exception=True)
            wanted = dict(change.validated_data)
            for correction in wanted.pop("segments", []):
                _correct(row, correction["id"], correction["text"])
            if wanted:
                Transcript.objects.filter(pk=row.pk).update(**wanted)
        return Response(serializers.TranscriptDetailSerializer(self.get_object()).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete a transcript with its recording; one that is being made is cancelled."""
        blob = endings.delete(self.get_object())
        if blob:
            desk_of(request._request).forget(blob)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        parameters=[OpenApiParameter("fmt", str, "path", enum=list(FORMATS))],
        responses={
            (200, "application/octet-stream"): OpenApiResponse(OpenApiTypes.BINARY, "The file.")
        },
    )
    @action(detail=True, url_path="export/(?P<fmt>[a-z]+)", content_negotiation_class=AnyAccept)
    def export(self, request: Request, pk: str, fmt: str) -> HttpResponse:
        """Download a transcript as txt, srt, vtt, json, csv, docx or pdf."""
        if fmt not in FORMATS:
            raise BadRequest(f"Unknown format {fmt!r}. Choose one of: {', '.join(FORMATS)}.")
        row = self.get_object()
        if row.status != Status.SUCCEEDED:
            raise NotFound("This transcript is not there yet." if not row.reason else row.message)
        content = FORMATS[fmt].render(to_transcript(row), row.title)
        name = slugify(row.title) or row.slug
        return HttpResponse(
            content,
            content_type=FORMATS[fmt].media_type,
            headers={"Content-Disposition": f'attachment; filename="{name}.{fmt}"'},
        )


def _correct(row: Transcript, segment: int, text: str) -> None:
    found = Segment.objects.select_for_update().filter(pk=segment, transcript=row).first()
    if found is None:
        raise BadRequest(f"This transcript has no segment {segment}.")
    if not text.strip():
        raise BadRequest("A segment cannot be emptied.")
    edits.correct(found, text, row.language)


class EventsView(APIView):
    """Progress as server-sent events."""

    content_negotiation_class = AnyAccept

    @extend_schema(responses={(200, "text/event-stream"): OpenApiTypes.STR})
    def get(self, request: Request, pk: str) -> StreamingHttpResponse:
        """``progress`` events while it is made, then one ``completed`` or ``failed``."""
        rows = Transcript.objects.filter(account=account_of(request))
        row = find(rows, pk)
        return StreamingHttpResponse(
            _events(desk_of(request._request), row.pk),
            content_type="text/event-stream",
            headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
        )


async def _events(desk: Desk, transcript: int) -> AsyncIterator[str]:
    try:
        async for state in desk.watch(transcript):
            status = STATUSES[Status(state.status)]
            data: dict[str, Any] = {"status": status, **state.to_json()}
            if state.error:
                data["error"] = state.error.message
            yield _event(status if state.finished else "progress", data)
    except AuricleError as error:  # it was deleted meanwhile, or the database is away
        yield _event("failed", {"status": "failed", "error": error.message})


def _event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


class UsageView(APIView):
    """What the account has used."""

    @extend_schema(responses=serializers.UsageSerializer)
    def get(self, request: Request) -> Response:
        """The last 30 days, day by day, today (UTC) last."""
        account = account_of(request).pk
        days = usage(account, USAGE_DAYS)
        spent = by_day(account, days[0].date)
        rows = [
            {
                "date": day.date,
                "minutes": round(day.minutes, 2),
                "requests": day.requests,
                "credits": spent.get(day.date, 0),
            }
            for day in days
        ]
        totals = {
            f"total_{name}": round(sum(row[name] for row in rows), 2)  # type: ignore[misc]
            for name in ("minutes", "requests", "credits")
        }
        return Response(serializers.UsageSerializer({"days": rows, **totals}).data)


class CloudView(generics.ListAPIView[PrivateInstance]):
    """The account's private instances, which an operator has registered."""

    serializer_class = serializers.InstanceSerializer
    queryset = PrivateInstance.objects.none()

    def get_queryset(self) -> QuerySet[PrivateInstance]:
        return PrivateInstance.objects.filter(account=account_of(self.request)).order_by("id")


class WebhooksView(viewsets.ModelViewSet[Endpoint]):
    """Webhook endpoints: https://www.standardwebhooks.com."""

    serializer_class = serializers.EndpointSerializer
    queryset = Endpoint.objects.none()
    http_method_names = ("get", "post", "patch", "delete", "head", "options")

    def get_queryset(self) -> QuerySet[Endpoint]:
        return Endpoint.objects.filter(account=account_of(self.request)).order_by("id")

    def perform_create(self, serializer: Any) -> None:
        if self.get_queryset().count() >= MOST_ENDPOINTS:
            raise BadRequest(f"There are {MOST_ENDPOINTS} endpoints already. Delete one first.")
        serializer.save(account=account_of(self.request), secret=new_secret())

    @extend_schema(responses=serializers.DeliverySerializer(many=True))
    @action(detail=True)
    def deliveries(self, request: Request, pk: str) -> Response:
        """The messages to an endpoint, newest first, and what became of them."""
        rows = Delivery.objects.filter(endpoint=self.get_object())
        paging = Paging()
        page = paging.paginate_queryset(rows, request, self) or []
        return paging.get_paginated_response(serializers.DeliverySerializer(page, many=True).data)

    @extend_schema(request=None, responses={202: serializers.DeliverySerializer})
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> Response:
        """Send a test message."""
        with transaction.atomic():
            sent = webhooks.send(self.get_object(), "ping", {"at": timezone.now().isoformat()})
        return Response(serializers.DeliverySerializer(sent).data, status=status.HTTP_202_ACCEPTED)
