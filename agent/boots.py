"""Which run of the agent this is: how the platform tells a restart from two agents on one token."""

from __future__ import annotations

import uuid

from agent.durable import read_json, write_json
from agent.layout import Layout


class Boot:
    """`previous` is the last boot that the platform knows, for a new one may only follow upon that."""

    def __init__(self, layout: Layout) -> None:
        self._path = layout.state
        self.id = str(uuid.uuid4())
        known = read_json(layout.state) or {}
        previous = known.get("bootId")
        self.previous: str | None = previous if isinstance(previous, str) else None
        self._acknowledged = False

    def acknowledged(self) -> None:
        """The platform took a report of this boot. Written only now: a boot that never got through is not one
        that the platform could recognise."""
        if not self._acknowledged:
            write_json(self._path, {"bootId": self.id})
            self._acknowledged = True
