"""Typed errors of the domain, without HTTP and HTML: the API's error responses and the pages give them their form.

The text of a refusal is for people: what happened, which limit and object, what to do.
"""

from __future__ import annotations

from collections.abc import Mapping


class Refusal(Exception):
    """A request that is refused. Nothing was changed."""

    code = "invalid_request"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidRequest(Refusal):
    """Fields that break a rule. `fields` maps each field to its error, for forms."""

    def __init__(self, message: str, fields: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.fields = dict(fields or {})


class Unauthorized(Refusal):
    """The key or token is missing, unknown or revoked."""

    code = "unauthorized"


class Forbidden(Refusal):
    """The caller is known, but may not do this."""

    code = "forbidden"


class NotFound(Refusal):
    """The object does not exist, or belongs to another partner."""

    code = "not_found"


class SlugTaken(Refusal):
    """Another game of this partner has this slug."""

    code = "slug_taken"


class Conflict(Refusal):
    """The object's state does not allow this."""

    code = "conflict"

    def __init__(self, message: str, code: str = "conflict") -> None:
        super().__init__(message)
        self.code = code


class PayloadTooLarge(Refusal):
    """More bytes than the limit that the message names."""

    code = "payload_too_large"


class QuotaExceeded(Refusal):
    """The partner's quota has no room for these bytes."""

    code = "quota_exceeded"


class UnsupportedMediaType(Refusal):
    """A content type or encoding that this call does not accept. `accepted`: what it accepts, as header → value."""

    code = "unsupported_media_type"

    def __init__(self, message: str, accepted: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.accepted = dict(accepted or {})


class PreconditionFailed(Refusal):
    """The object is not in the state that the caller expects (If-Match)."""

    code = "precondition_failed"


class InvalidArchive(Refusal):
    """An archive that breaks a rule of `slipway/archive/`; the message names the member and the remedy."""

    code = "invalid_archive"


class ChecksumMismatch(Refusal):
    """The bytes that arrived are not the bytes that were announced."""

    code = "checksum_mismatch"


class IncompleteBody(Refusal):
    """The request's body did not arrive as announced: it ended early, came too slowly, or had malformed chunks."""

    def __init__(self, reason: str, received: int, length: int | None) -> None:
        of = f" of {length:,}" if length is not None else ""
        super().__init__(
            f"The request body ended after {received:,}{of} bytes: {reason}. "
            "Nothing was changed; send the request again."
        )
        self.reason = reason


class UploadInterrupted(Refusal):
    """The body ended early, stalled, or was cut by a shutdown. Nothing was kept."""

    code = "upload_interrupted"


class RateLimited(Refusal):
    """Too many requests. `retry_after`: whole seconds."""

    code = "rate_limited"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(Refusal):
    """A temporary refusal: storage cannot be reached, a budget of the process is used up, or the process stops."""

    code = "service_unavailable"

    def __init__(self, message: str, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class GameNotFound(NotFound):
    code = "game_not_found"
