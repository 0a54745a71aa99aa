"""One attempt to fetch a build."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event

from slipway.agent.path_names import BuildKey
from slipway.agent.plan import WantedBuild


class FetchCancelled(Exception):
    """The build is no longer in the plan, or the agent is stopping."""


@dataclass(frozen=True)
class FetchTask:
    """`attempt` counts from 1. `refresh` fetches the plan again and returns its current entry for the build; `planned`
    returns the entry of any build in the current plan."""

    wanted: WantedBuild
    attempt: int
    refresh: Callable[[], WantedBuild]
    planned: Callable[[BuildKey], WantedBuild | None]
    cancelled: Event = field(default_factory=Event)

    def check(self) -> None:
        if self.cancelled.is_set():
            raise FetchCancelled
