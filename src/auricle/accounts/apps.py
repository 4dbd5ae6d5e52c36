"""Django's description of this application."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """See the package."""

    name = "auricle.accounts"
    default_auto_field = "django.db.models.BigAutoField"
