"""Links that filter a list by one property, with the number of entries behind each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FilterLink:
    """For the `segment_links` macro. `current`: the list is filtered by it now."""

    label: str
    count: int
    url: str
    current: bool
