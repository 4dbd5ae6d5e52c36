"""Errors under ``/api/``: always ``{"error": "what happened and what to do"}``."""

from __future__ import annotations

import logging
import sys
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.views.defaults import page_not_found, server_error
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import exception_handler

from auricle import db
from auricle.core.errors import AuricleError, NotFound

log = logging.getLogger(__name__)

_NOTHING = "There is nothing here. The API is described at /docs/api."
_OURS = "Something went wrong here; it has been logged. Try again."


def describe(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """drf-spectacular's hook: what every operation may answer besides."""
    error = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
    answer = {
        "description": "What went wrong.",
        "content": {"application/json": {"schema": error}},
    }
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"]["default"] = answer
    return result


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """Django REST framework's hook."""
    if isinstance(error, db.GONE):
        error = db.gone()
    if isinstance(error, AuricleError):
        # As JSON whatever was asked for: a page would need the user that could not be found out.
        request = context["request"]
        request.accepted_renderer, request.accepted_media_type = JSONRenderer(), "application/json"
        headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
        return Response({"error": error.message}, error.status, headers=headers)
    response = exception_handler(error, context)
    if response is not None:
        response.data = {"error": _sentence(error, response.data)}
    return response


def _sentence(error: Exception, data: Any) -> str:
    if isinstance(error, Http404 | exceptions.NotFound):
        return NotFound("There is nothing here, or it is not yours.").message
    if isinstance(error, exceptions.ValidationError):
        return "; ".join(_reasons(data))
    return str(data.get("detail", data)) if isinstance(data, dict) else str(data)


def _reasons(data: Any, where: str = "") -> list[str]:
    """Every reason that is somewhere in what the serializers say, with the field's name."""
    if isinstance(data, dict):
        return [
            reason
            for name, inner in data.items()
            for reason in _reasons(inner, where if name == "non_field_errors" else str(name))
        ]
    if isinstance(data, list):
        return [reason for inner in data for reason in _reasons(inner, where)]
    return [f"{where}: {data}" if where else str(data)]


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404."""
    if request.path.startswith("/api/"):
        return JsonResponse({"error": _NOTHING}, status=404)
    return page_not_found(request, exception)


def broken(request: HttpRequest) -> HttpResponse | TemplateResponse:
    """Django's handler500."""
    if isinstance(sys.exc_info()[1], db.GONE):
        error = db.gone()
        headers = {"Retry-After": str(error.retry_after)}
        return JsonResponse({"error": error.message}, status=error.status, headers=headers)
    if request.path.startswith("/api/"):
        return JsonResponse({"error": _OURS}, status=500)
    return server_error(request)
