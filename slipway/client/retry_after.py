"""How long an answer asks its reader to wait (RFC 9110, Retry-After), within bounds: no header ends a thread."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_MAX_HEADER_LENGTH = 64  # characters; an HTTP date has 29


def retry_after_seconds(header: str | None, longest: float) -> float | None:
    """Seconds from 0 to `longest`. None where the header is missing, or is neither whole seconds nor a date: the
    reader's own back-off decides then."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return longest if len(text) > _MAX_HEADER_LENGTH else min(longest, float(text))
    if not text or len(text) > _MAX_HEADER_LENGTH:
        return None
    try:
        until = parsedate_to_datetime(text)
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
        return max(0.0, min(longest, (until - datetime.now(UTC)).total_seconds()))
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
