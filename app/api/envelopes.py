"""The two forms of an error: flat, and nested for the assets API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.api.json_shapes import Shape


class Problem(Shape):
    """What went wrong, in a word for programs and a sentence for people."""

    error: str
    message: str


class NestedProblem(Shape):
    """What went wrong, in a word for programs and a sentence for people."""

    class Error(Shape):
        code: str
        message: str

    error: Error


@dataclass(frozen=True)
class Envelope:
    """`problem` is the shape of every error. `codes` and `statuses` map our own to what an API calls them; a code that
    is not there keeps its name, in capitals where the envelope is nested."""

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
        """The HTTP status that this API has for another API's `status`."""
        return self.statuses.get(status, status)


FLAT = Envelope(Problem)

# The assets API has words of its own for some errors, and one status for "not now" and "our fault": 502
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
