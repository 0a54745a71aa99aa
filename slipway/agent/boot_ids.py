"""Which run of the agent this is: how the platform tells a restart from two agents on one token."""

from __future__ import annotations

import uuid

from slipway.agent.cache.cache_layout import CacheLayout
from slipway.client.durable import read_json, write_json

_MAX_REMEMBERED_BOOTS = 5


class BootIds:
    """A new boot may only follow upon the one that the platform knows: the last that had a report taken. One that was
    killed since may have been heard of too, if it died before it could note that; so it is tried next."""

    def __init__(self, layout: CacheLayout) -> None:
        self._path = layout.state
        self.id = str(uuid.uuid4())
        boots = (read_json(layout.state) or {}).get("boots")
        self._candidates = [boot for boot in boots if isinstance(boot, str)] if isinstance(boots, list) else []
        self._candidate_index = 0
        self._acknowledged = False
        # The acknowledged boot first, then the others, the latest before the older ones.
        boots = [*self._candidates[:1], self.id, *self._candidates[1:]]
        write_json(self._path, {"boots": boots[:_MAX_REMEMBERED_BOOTS]})

    @property
    def previous(self) -> str | None:
        return self._candidates[self._candidate_index] if self._candidates else None

    def acknowledge(self) -> None:
        """The platform took a report of this boot."""
        if not self._acknowledged:
            write_json(self._path, {"boots": [self.id]})
            self._acknowledged = True

    def use_next_candidate(self) -> bool:
        """The platform did not take this boot as the successor of `previous`. Goes on to the next candidate; False
        when all have been tried, and then it begins again with the first."""
        if self._acknowledged:
            return False
        self._candidate_index += 1
        if self._candidate_index >= len(self._candidates):
            self._candidate_index = 0
            return False
        return True
