"""Every address that Django answers."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.routers import DefaultRouter

import auricle.site.admin  # noqa: F401  (registers what the admin shows)
from auricle.site import pages
from auricle.site.api import texts, views, voices

router = DefaultRouter()
router.register("keys", views.KeysView, basename="keys")
router.register("transcripts", views.TranscriptsView, basename="transcripts")
router.register("voices", voices.VoicesView, basename="voices")
router.register("webhooks", views.WebhooksView, basename="webhooks")

urlpatterns = [
    path("api/v1/account/", views.AccountView.as_view()),
    path("api/v1/usage/", views.UsageView.as_view()),
    path("api/v1/cloud/", views.CloudView.as_view()),
    path("api/v1/transcripts/<str:pk>/events/", views.EventsView.as_view()),
    path("api/v1/transcripts/search/", texts.SearchView.as_view()),
    path("api/v1/transcripts/<str:pk>/summarize/", texts.SummarizeView.as_view()),
    path("api/v1/transcripts/<str:pk>/analyze/", texts.AnalyzeView.as_view()),
    path("api/v1/transcripts/<str:pk>/generate/", texts.GenerateView.as_view()),
    path("api/v1/transcripts/<str:pk>/chat/", texts.ChatView.as_view()),
    path(
        "api/v1/schema/",
        SpectacularAPIView.as_view(permission_classes=[], authentication_classes=[]),
    ),
    path("api/v1/", include(router.urls)),
    path("accounts/", include("allauth.account.urls")),
    path("accounts/2fa/", include("allauth.mfa.urls")),
    path("settings/keys/", pages.keys, name="keys"),
    path("admin/login/", pages.admin_login),
    path("admin/", admin.site.urls),
]

handler404 = "auricle.site.api.errors.not_found"
handler500 = "auricle.site.api.errors.broken"
