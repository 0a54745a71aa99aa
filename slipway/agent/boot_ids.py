"""Which run of the agent this is: how the platform tells a restart from two agents on one token."""

from __future__ import annotations

import uuid

from slipway.agent.cache.cache_layout import Layout
from slipway.client.durable import read_json, write_json

_REMEMBERED = 5


class Boot:
    """A new boot may only follow upon the one that the platform knows: the last that had a report taken. One that was
    killed since may have been heard of too, if it died before it could note that; so it is tried next."""

    def __init__(self, layout: Layout) -> None:
        self._path = layout.state
        self.id = str(uuid.uuid4())
        boots = (read_json(layout.state) or {}).get("boots")
        self._earlier = [boot for boot in boots if isinstance(boot, str)] if isinstance(boots, list) else []
        self._tried = 0
        self._acknowledged = False
        # The acknowledged boot first, then the others, the latest before the older ones.
        boots = [*self._earlier[:1], self.id, *self._earlier[1:]]
        write_json(self._path, {"boots": boots[:_REMEMBERED]})

    @property
    def previous(self) -> str | None:
        return self._earlier[self._tried] if self._earlier else None

    def acknowledged(self) -> None:
        """The platform took a report of this boot."""
        if not self._acknowledged:
            write_json(self._path, {"boots": [self.id]})
            self._acknowledged = True

    def try_another(self) -> bool:
        """The platform did not take this boot as the successor of `previous`. Goes on to the next candidate; False
        when all have been tried, and then it begins again with the first."""
        if self._acknowledged:
            return False
        self._tried += 1
        if self._tried >= len(self._earlier):
            self._tried = 0
            return False
        return True
