"""Django's description of this application."""

from django.apps import AppConfig


class CreditsConfig(AppConfig):
    """See the package."""

    name = "auricle.credits"
    default_auto_field = "django.db.models.BigAutoField"
