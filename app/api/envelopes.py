"""The two JSON envelopes of errors: flat, and nested for the assets API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from app.api.json_shapes import Shape


class Problem(Shape):
    """An error: a code for programs and a message for people."""

    error: str
    message: str


class NestedProblem(Shape):
    """An error: a code for programs and a message for people."""

    class Error(Shape):
        code: str
        message: str

    error: Error


@dataclass(frozen=True)
class Envelope:
    """`problem` is the shape of every error. `codes` and `statuses` map our codes and statuses to those of the API.
    Other codes keep their name, in capitals if the envelope is nested."""

    problem: type[Shape]
    nested: bool = False
    codes: Mapping[str, str] = field(default_factory=dict)
    statuses: Mapping[int, int] = field(default_factory=dict)

    def write(self, code: str, message: str) -> dict[str, object]:
        """The JSON of an error."""
        if not self.nested:
            return {"error": code, "message": message}
        return {"error": {"code": self.codes.get(code, code.upper()), "message": message}}

    def status(self, status: int) -> int:
        """The API's HTTP status for our `status`."""
        return self.statuses.get(status, status)


FLAT = Envelope(Problem)

# The assets API has its own codes for some errors, and one status, 502, for "unavailable" and "internal error"
# (assets-api.md section 8).
NESTED = Envelope(
    NestedProblem,
    nested=True,
    codes={
        "invalid_request": "VALIDATION_ERROR",
        "forbidden": "PERMISSION_DENIED",
        "quota_exceeded": "STORAGE_LIMIT_EXCEEDED",
        "service_unavailable": "INTERNAL_ERROR",
    },
    statuses={500: 502, 503: 502},
)


def envelope_at(path: str) -> Envelope | None:
    """The envelope of errors at this path; None for a page. Repeated slashes count as one, as in routing."""
    parts = re.sub("/+", "/", f"{path}/")
    if parts.startswith("/api/v1/"):
        return NESTED
    return FLAT if parts.startswith("/api/") else None
