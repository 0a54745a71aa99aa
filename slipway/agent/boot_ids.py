"""The id of this run of the agent. With it the platform distinguishes a restart from two agents that share a token."""

from __future__ import annotations

import uuid

from slipway.agent.cache.cache_layout import CacheLayout
from slipway.client.durable import read_json, write_json

_MAX_REMEMBERED_BOOTS = 5


class BootIds:
    """A report names the previous boot, and the platform accepts a new boot only after the last one it received a
    report from. That is the last acknowledged boot, or a later one that was killed before it could record the
    acknowledgement. So the later ones are tried next."""

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
        """Record that the platform accepted a report of this boot."""
        if not self._acknowledged:
            write_json(self._path, {"boots": [self.id]})
            self._acknowledged = True

    def use_next_candidate(self) -> bool:
        """Use the next candidate as `previous`, after the platform rejected the current one. Returns False if all
        were tried; the first is then used again."""
        if self._acknowledged:
            return False
        self._candidate_index += 1
        if self._candidate_index >= len(self._candidates):
            self._candidate_index = 0
            return False
        return True
