"""Typed errors of the domain. They know no HTTP and no HTML: `app/api/error_responses.py` and the pages give them their
form.

The text of a refusal is for people: what happened, which limit and object, what to do.
"""

from __future__ import annotations

from collections.abc import Mapping


class Refusal(Exception):
    """Something was asked that is not done. Nothing was changed."""

    code = "invalid_request"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidRequest(Refusal):
    """Fields that break a rule; `fields` maps each field to what is wrong with it, for forms."""

    def __init__(self, message: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.fields = dict(fields or {})


class Unauthorized(Refusal):
    """No key or token, or one that is unknown or revoked."""

    code = "unauthorized"


class Forbidden(Refusal):
    """Known, but not allowed to do this."""

    code = "forbidden"


class NotFound(Refusal):
    """Not there, or not this partner's to see."""

    code = "not_found"


class SlugTaken(Refusal):
    """Another game of this partner has this slug."""

    code = "slug_taken"


class Conflict(Refusal):
    """The thing is in a state in which this cannot be done."""

    code = "conflict"

    def __init__(self, message: str, code: str = "conflict") -> None:
        super().__init__(message)
        self.code = code


class PayloadTooLarge(Refusal):
    """More bytes than the limit the message names."""

    code = "payload_too_large"


class QuotaExceeded(Refusal):
    """The partner's quota has no room for these bytes."""

    code = "quota_exceeded"


class UnsupportedMediaType(Refusal):
    """A content type this call does not take."""

    code = "unsupported_media_type"


class InvalidArchive(Refusal):
    """An archive that breaks a rule of `slipway/archive/`; the message names the member and the remedy."""

    code = "invalid_archive"


class ChecksumMismatch(Refusal):
    """The bytes that arrived are not the bytes that were announced."""

    code = "checksum_mismatch"


class IncompleteBody(Refusal):
    """The request's body did not arrive as announced: it ended early, came too slowly, or its chunks were malformed."""

    def __init__(self, reason: str, received: int, length: int | None) -> None:
        of = f" of {length:,}" if length is not None else ""
        super().__init__(
            f"The request body ended after {received:,}{of} bytes: {reason}. "
            "Nothing was changed; send the request again."
        )
        self.reason = reason


class UploadInterrupted(Refusal):
    """The body ended early, stalled, or was cut by a shutdown; nothing was kept."""

    code = "upload_interrupted"


class RateLimited(Refusal):
    """Too many requests; `retry_after` is whole seconds."""

    code = "rate_limited"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(Refusal):
    """Not now: storage is unreachable, a budget of the process is used up, or it is stopping."""

    code = "service_unavailable"

    def __init__(self, message: str, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class GameNotFound(NotFound):
    code = "game_not_found"
