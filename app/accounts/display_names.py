"""Names that people choose: one line of text that can be stored and shown."""

from __future__ import annotations

import re

from app.refusals import InvalidRequest
from app.validation import problem_of_line

_HALF_PAIR = re.compile("[\ud800-\udfff]")


def checked_name(text: str, max_length: int, what: str, field: str = "name", *, min_length: int = 1) -> str:
    """The name without surrounding space. Raises InvalidRequest, which begins with `what` and names the form's
    field."""
    text = text.strip()
    if not min_length <= len(text) <= max_length:
        span = f"{min_length} to {max_length} characters" if min_length else f"at most {max_length} characters"
        raise InvalidRequest(f"{what} must have {span}.", {field: span})
    # Control characters break lines in logs and lists. Neither database can store half a surrogate pair.
    problem = "must be Unicode text" if _HALF_PAIR.search(text) else problem_of_line(text)
    if problem:
        raise InvalidRequest(f"{what} {problem}.", {field: problem})
    return text
