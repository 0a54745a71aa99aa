"""Where the bytes of a build came from, as reports show it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from slipway.client.printable import one_line

ARCHIVE, PACK, UPDATE = "archive", "pack", "update"


@dataclass(frozen=True)
class FetchSource:
    """`kind` is archive, pack or update. `from_build` is the number of the build that an update began with, `fallback`
    the reason why the archive was used although there is a pack."""

    kind: str
    from_build: int | None = None
    fallback: str | None = None

    def document(self) -> dict[str, Any]:
        """The field `source` of a report."""
        fallback = one_line(self.fallback) if self.fallback else None
        return {"kind": self.kind, "from": self.from_build, "fallback": fallback}

    def because(self, reason: str) -> FetchSource:
        return replace(self, fallback=reason)


def read_source(document: Any) -> FetchSource | None:
    """The inverse of `document()`; None for anything else."""
    try:
        return FetchSource(document["kind"], document["from"], document["fallback"])
    except (KeyError, TypeError):
        return None
