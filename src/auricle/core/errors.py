"""The error tree. Every error a user can meet is one of these.

    AuricleError
    ├── BadRequest            400  the request cannot be served as it stands
    │   ├── BadMedia          400  the upload is not a recording that can be decoded
    │   ├── UnknownModel      400
    │   ├── UnknownLanguage   400
    │   ├── AddressRefused    400  a URL that this server does not contact
    │   └── Unreachable       400  a URL whose server cannot be reached or does not answer properly
    ├── Unauthorized          401  no key, or one that does not hold
    ├── NoCredits             402  nothing left to pay with
    ├── Forbidden             403  known, but not allowed
    ├── NotFound              404  it does not exist, or is somebody else's
    ├── TooLarge              413  more bytes than allowed
    │   └── TooLong           413  more audio than allowed
    ├── TooMany               429  too many at once, today, or too many wrong keys
    ├── Unavailable           503  nobody can serve this now; ``retry_after`` says when to ask
    │   └── ModelNotInstalled 503  known, but not on this machine
    ├── Cancelled             499  the caller went away or asked to stop
    └── Internal              500  our fault

``message`` is written for the person who sent the request: what happened and what to do.
Errors cross process borders as ``(code, message, retry_after)`` and come back as the same class.
"""

from __future__ import annotations

from typing import ClassVar


class AuricleError(Exception):
    """Base of every error that Auricle raises on purpose."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500

    def __init__(self, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after


class BadRequest(AuricleError):
    code = "bad_request"
    status = 400


class BadMedia(BadRequest):
    code = "bad_media"


class UnknownModel(BadRequest):
    code = "unknown_model"


class UnknownLanguage(BadRequest):
    code = "unknown_language"


class Unauthorized(AuricleError):
    code = "unauthorized"
    status = 401


class NoCredits(AuricleError):
    code = "no_credits"
    status = 402


class Forbidden(AuricleError):
    code = "forbidden"
    status = 403


class NotFound(AuricleError):
    code = "not_found"
    status = 404


class TooMany(AuricleError):
    code = "too_many"
    status = 429


class AddressRefused(BadRequest):
    code = "address_refused"


class Unreachable(BadRequest):
    code = "unreachable"


class TooLarge(AuricleError):
    code = "too_large"
    status = 413


class TooLong(TooLarge):
    code = "too_long"


class Unavailable(AuricleError):
    code = "unavailable"
    status = 503


class ModelNotInstalled(Unavailable):
    code = "model_not_installed"


class Cancelled(AuricleError):
    code = "cancelled"
    status = 499


class Internal(AuricleError):
    code = "internal"


_CLASSES: dict[str, type[AuricleError]] = {
    cls.code: cls
    for cls in (
        BadRequest,
        BadMedia,
        UnknownModel,
        UnknownLanguage,
        Unauthorized,
        NoCredits,
        Forbidden,
        NotFound,
        TooMany,
        AddressRefused,
        Unreachable,
        TooLarge,
        TooLong,
        Unavailable,
        ModelNotInstalled,
        Cancelled,
        Internal,
    )
}


def from_code(code: str, message: str, retry_after: int | None = None) -> AuricleError:
    """Rebuild an error that was raised in another process."""
    return _CLASSES.get(code, Internal)(message, retry_after=retry_after)
