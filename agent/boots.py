"""Which run of the agent this is: how the platform tells a restart from two agents on one token."""

from __future__ import annotations

import uuid

from agent.durable import read_json, write_json
from agent.layout import Layout

_REMEMBERED = 5


class Boot:
    """A new boot may only follow upon the one that the platform knows. That is usually the last one here; but one
    that was killed may or may not have been heard of, so those before it are remembered until a report is taken."""

    def __init__(self, layout: Layout) -> None:
        self._path = layout.state
        self.id = str(uuid.uuid4())
        boots = (read_json(layout.state) or {}).get("boots")
        earlier = [boot for boot in boots if isinstance(boot, str)] if isinstance(boots, list) else []
        self._earlier = earlier[:_REMEMBERED]
        self._tried = 0
        self._acknowledged = False
        write_json(self._path, {"boots": [self.id, *self._earlier]})

    @property
    def previous(self) -> str | None:
        return self._earlier[self._tried] if self._earlier else None

    def acknowledged(self) -> None:
        """The platform took a report of this boot."""
        if not self._acknowledged:
            write_json(self._path, {"boots": [self.id]})
            self._acknowledged = True

    def try_another(self) -> bool:
        """The platform did not take this boot as the successor of `previous`. Goes on to the boot before that;
        False when all have been tried, and then it begins again with the latest."""
        if self._acknowledged or self._tried + 1 >= len(self._earlier):
            self._tried = 0 if not self._acknowledged else self._tried
            return False
        self._tried += 1
        return True
