"""Links that filter a list by one property."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FilterLink:
    """For the `segment_links` macro. `count`: the number of entries behind it, None if they are not counted. `current`:
    the list is filtered by it now."""

    label: str
    count: int | None
    url: str
    current: bool
