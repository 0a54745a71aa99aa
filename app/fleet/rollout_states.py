"""States of builds on servers as plain values: the cells, rows and counts that pages and APIs show."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from app.data.models.game import Build
from app.fleet.build_states import BuildState


@dataclass(frozen=True)
class Ahead:
    """What a server is working on, as far as one partner may know. `build` is None if it belongs to another partner,
    `game` is None within the same game; `queued` counts the partner's builds that wait there."""

    build: int | None
    game: str | None
    queued: int


# Most severe first: the order of all lines of counts, and of a page's title.
SEVERITY: tuple[BuildState, ...] = get_args(BuildState)


def percent_of(done: int, total: int) -> int:
    """Whole percent, rounded down: 100 only when every byte is there."""
    return min(100, done * 100 // total) if total else 0


@dataclass(frozen=True)
class Cell:
    """One build on one server. Bytes are of the transfer while downloading, and of the check while verifying.

    `before`: the last reported state of a server without contact. `to_fetch`: bytes that are still to be sent, also to
    a server that is not to have the build yet.
    """

    server_id: str
    state: BuildState
    since: datetime | None = None
    reported_at: datetime | None = None
    bytes_done: int = 0
    bytes_total: int = 0
    bytes_per_second: int = 0
    attempt: int = 0
    retry_at: datetime | None = None
    reason: str | None = None
    sessions: int = 0
    before: BuildState | None = None
    paused: bool = False  # an operator paused the server's downloads, and queued builds wait for that
    ahead: Ahead | None = None  # what a queued build waits for
    to_fetch: int = 0
    preparing: int | None = None  # percent of the update that a queued build waits for
    kept: bool = False  # for rolling back
    keep_previous: int = 0  # how many builds the server keeps for that, while it has room
    source: str | None = None  # archive, pack or update
    source_build: int | None = None
    fallback: str | None = None  # why the archive was used although there is a pack

    @property
    def percent(self) -> int:
        """Whole percent, rounded down: 100 only when every byte is there."""
        return percent_of(self.bytes_done, self.bytes_total)


@dataclass(frozen=True)
class MatrixServer:
    id: str
    region: str
    reported_at: datetime | None
    contact: bool


@dataclass(frozen=True)
class MatrixRow:
    """One build. `cells`: on the servers that are shown. `cached_on`: on how many of all servers in contact it is
    cached; `kept`: whether one of them keeps it for rolling back."""

    build: Build
    live: bool
    cells: list[Cell]
    cached_on: int
    kept: bool


@dataclass(frozen=True)
class Matrix:
    """Columns are the servers that are shown, in id order. Rows are the live build, then newer builds, then older ones
    by number. Everything else is of all servers: how many there are in `total`, `counts` of the states of the live
    build, `failure` as (server id, reason) of the first server that failed it, and `lost_at`: when the next server
    counts as lost unless it reports, or None."""

    servers: list[MatrixServer]
    rows: list[MatrixRow]
    total: int
    sessions: int
    bytes_to_send: int
    counts: Counter[str]
    failure: tuple[str, str] | None
    lost_at: datetime | None

    @property
    def worst(self) -> BuildState | None:
        """The most severe state of the live row, or None if no build is released."""
        return next((state for state in SEVERITY if self.counts[state]), None)


@dataclass(frozen=True)
class Summary:
    """How many servers have one game's released build in each state. `states`: one per server, in id order. Both are
    empty if no build is released, `states` also if there are too many servers to tell apart."""

    states: list[BuildState]
    counts: Counter[str]

    @property
    def worst(self) -> BuildState | None:
        return next((state for state in SEVERITY if self.counts[state]), None)
