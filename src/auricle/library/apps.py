"""Django's description of this application."""

from django.apps import AppConfig


class LibraryConfig(AppConfig):
    """See the package."""

    name = "auricle.library"
    default_auto_field = "django.db.models.BigAutoField"
