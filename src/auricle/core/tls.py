"""The certificate with which the server speaks HTTPS itself."""

from __future__ import annotations

import ssl
from pathlib import Path

from auricle.core.errors import Unavailable
from auricle.core.settings import Settings


def check(settings: Settings) -> None:
    """Raise :class:`Unavailable` with what is wrong, before anybody connects."""
    cert, key = settings.tls_cert, settings.tls_key
    if cert is None and key is None:
        return
    if cert is None or key is None:
        raise Unavailable("Set both AURICLE_TLS_CERT and AURICLE_TLS_KEY, or neither.")
    _read("AURICLE_TLS_CERT", cert)
    _read("AURICLE_TLS_KEY", key)
    try:
        # A passphrase would be asked for on a terminal that nobody may be looking at.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password="")
    except (ssl.SSLError, ValueError) as error:
        raise Unavailable(_say(cert, key, error)) from error


def _read(name: str, file: Path) -> None:
    try:
        file.read_bytes()
    except OSError as error:
        raise Unavailable(
            f"{name}: {file} cannot be read: {error.strerror}. Let the user that runs Auricle "
            "read it, or name another file."
        ) from error


def _say(cert: Path, key: Path, error: Exception) -> str:
    if getattr(error, "reason", "") == "KEY_VALUES_MISMATCH":
        return f"{key} is not the private key of the certificate in {cert}. Set the two that fit."
    return (
        f"{cert} and {key} are not a certificate and its private key in PEM, without a "
        "passphrase. Set AURICLE_TLS_CERT and AURICLE_TLS_KEY to such files."
    )
