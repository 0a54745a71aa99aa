"""The one state of a build on a server. Every page, the API and the command line show this state, and every "cached on
5 of 6" counts it.

A state is derived from the server's last report on each read. A server that has not reported for 30 s has no contact,
whatever its rows contain: nothing can stay "downloading" for good, and a copy that nobody can reach does not count as
cached. A server that has never reported has not started yet; that is no reason to worry.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Protocol

from app.fleet.contact import is_recent

# Most severe first.
BuildState = Literal[
    "failed",
    "no_contact",
    "retrying",
    "verifying",
    "downloading",
    "queued",
    "removing",
    "cached",
    "not_started",
    "not_sent",
    "removed",
]
SHOWN_RETRIES = 5  # up to here a failure is "Retrying 2 of 5"; beyond, it is "Failed", though retries go on


class ReportedPhase(Protocol):
    """The part of a replica from which its state follows."""

    @property
    def phase(self) -> str: ...
    @property
    def attempt(self) -> int: ...


def state_of(replica: ReportedPhase | None, last_report_at: datetime | None, at: datetime) -> BuildState:
    """The state to show for a replica (None: the build was never sent to the server)."""
    if replica is None:
        return build_state(None, 0, last_report_at, at)
    return build_state(replica.phase, replica.attempt, last_report_at, at)


def build_state(phase: str | None, attempt: int, last_report_at: datetime | None, at: datetime) -> BuildState:
    """The state to show for a build whose replica was last reported in `phase` (None: it was never sent there)."""
    if phase == "removed":
        return "removed"
    if last_report_at is None:
        return "not_started"
    if not is_recent(last_report_at, at):
        return "no_contact"
    return "not_sent" if phase is None else reported_state(phase, attempt)


def reported_state(phase: str, attempt: int) -> BuildState:
    """The state as of the last report."""
    if phase == "failed":
        return "retrying" if attempt <= SHOWN_RETRIES else "failed"
    states: dict[str, BuildState] = {
        "pending": "queued",
        "downloading": "downloading",
        "verifying": "verifying",
        "cached": "cached",
        "evicting": "removing",
        "removed": "removed",
    }
    return states[phase]
