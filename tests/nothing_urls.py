"""Auricle's addresses and one that does nothing: what the framework itself costs."""

from __future__ import annotations

from django.urls import include, path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class Nothing(APIView):
    """Lets everybody in and says nothing."""

    authentication_classes = ()
    permission_classes = ()

    def get(self, request: Request) -> Response:
        return Response({})


urlpatterns = [
    path("api/v1/nothing/", Nothing.as_view()),
    path("", include("auricle.site.urls")),
]
