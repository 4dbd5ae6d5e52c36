"""Django's settings, derived from Auricle's own ones. Read once, by ``db.setup()``."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import django_stubs_ext

from auricle import db
from auricle.core import settings as core_settings
from auricle.text.wording import ANALYSES, CONTENTS

django_stubs_ext.monkeypatch()  # lets admin classes say what they are for

_ours = core_settings.load()
_database = db.conninfo(_ours)
_public = urlsplit(_ours.public_url or "")

SECRET_KEY = core_settings.signing_key(_ours)
DEBUG = False
# Clients may call this server whatever they like: mailed links are made from the public address.
ALLOWED_HOSTS = ["*"]
CSRF_TRUSTED_ORIGINS = [_ours.public_url] if _ours.public_url else []

INSTALLED_APPS = [
    "auricle.site.apps.SiteConfig",
    # Only processes that serve pages load the admin: urls.py does.
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "procrastinate.contrib.django",
    "auricle.accounts.apps.AccountsConfig",
    "auricle.credits.apps.CreditsConfig",
    "auricle.library.apps.LibraryConfig",
    "auricle.jobs.apps.JobsConfig",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]
ROOT_URLCONF = "auricle.site.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "auricle.site.context.site",
            ]
        },
    }
]

DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _database.pop("dbname"),
        "USER": _database.pop("user", ""),
        "PASSWORD": _database.pop("password", ""),
        "HOST": _database.pop("host", ""),
        "PORT": _database.pop("port", ""),
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": _database
        | {
            "pool": {
                "min_size": 1,
                "max_size": 2 * db.THREADS,
                "timeout": db.CONNECT_S,
                # Without it the pauses between attempts double for five minutes, so that a server
                # stays away for as long again as its database was.
                "reconnect_timeout": db.CONNECT_S,
            }
        },
    }
}
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "cache",
        # It counts failed log-ins: whoever fails often elsewhere must not push them out.
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
STATIC_URL = "/static/"
SILENCED_SYSTEM_CHECKS = ["rest_framework.W001"]

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
    )
]
LOGIN_REDIRECT_URL = "/settings/keys/"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _public.scheme == "https" or _ours.tls_cert is not None
SECURE_PROXY_SSL_HEADER = None  # the scheme comes from the server, which knows whom it trusts

ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_SIGNUP_FORM_CLASS = "auricle.site.signup.SignupForm"
ACCOUNT_ADAPTER = "auricle.site.adapter.Adapter"
ACCOUNT_SESSION_REMEMBER = True
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "Auricle"
MFA_ALLOW_UNVERIFIED_EMAIL = _ours.smtp_url is None  # where no address can be verified
ALLAUTH_TRUSTED_PROXY_COUNT = 0

_mail = urlsplit(_ours.smtp_url.get_secret_value() if _ours.smtp_url else "")
EMAIL_HOST = _mail.hostname or ""
EMAIL_PORT = _mail.port or (465 if _mail.scheme == "smtps" else 25)
EMAIL_HOST_USER = unquote(_mail.username or "")
EMAIL_HOST_PASSWORD = unquote(_mail.password or "")
EMAIL_USE_SSL = _mail.scheme == "smtps"
EMAIL_USE_TLS = not EMAIL_USE_SSL and (EMAIL_PORT == 587 or bool(EMAIL_HOST_PASSWORD))
EMAIL_TIMEOUT = 20
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'dummy'}.EmailBackend"
DEFAULT_FROM_EMAIL = SERVER_EMAIL = _ours.mail_from
ACCOUNT_EMAIL_VERIFICATION = "mandatory" if EMAIL_HOST else "none"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "auricle.site.api.auth.KeyAuthentication",
        "auricle.site.api.auth.CookieAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["auricle.site.api.auth.HasAccount"],
    "DEFAULT_PAGINATION_CLASS": "auricle.site.api.paging.Paging",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "auricle.site.api.errors.handle",
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        "rest_framework.renderers.BrowsableAPIRenderer",
    ],
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Auricle: account, keys and transcripts",
    "DESCRIPTION": 'Errors are `{"error": "what happened and what to do"}`.',
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "ENUM_NAME_OVERRIDES": {
        "AnalysisEnum": list(ANALYSES),
        "ContentEnum": list(CONTENTS),
        "StatusEnum": ["processing", "completed", "failed"],
        "VoiceStatusEnum": ["processing", "ready", "failed"],
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "auricle.site.api.errors.describe",
    ],
}

# Logging is set up by the process itself (auricle.core.logging).
LOGGING_CONFIG = None
