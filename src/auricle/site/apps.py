"""Django's description of the site."""

from django.apps import AppConfig


class SiteConfig(AppConfig):
    """Pages and templates; no tables."""

    name = "auricle.site"
    label = "auricle_site"
