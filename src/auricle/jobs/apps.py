"""Django's description of this application."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    """See the package."""

    name = "auricle.jobs"
    default_auto_field = "django.db.models.BigAutoField"
