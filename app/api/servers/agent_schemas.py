"""The JSON between agents and the platform (docs/agents.md). Health keeps the documented snake_case of agents."""

from __future__ import annotations

import re
from datetime import MINYEAR, UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from app.api.json_shapes import Moment, Sha256, Shape, StoredText


def _id(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]*", text):
        raise ValueError("may have letters, digits, '_', '.' and '-' only")
    return text


Id = Annotated[
    str,
    AfterValidator(_id),
    Field(min_length=1, max_length=64, json_schema_extra={"pattern": r"^[A-Za-z0-9_.-]+$"}),
]
# Sums of many values must fit into 64 bits.
Bytes = Annotated[int, Field(ge=0, le=2**53 - 1)]
Percent = Annotated[float, Field(ge=0, le=100)]


class PlanQuery(Shape):
    """`since`: the plan version that the agent has. `wait`: seconds to wait for a newer one, at most 25."""

    since: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = None
    wait: Annotated[float, Field(ge=0, le=25)] = 0


class PlanServer(Shape):
    id: str


class PlanPart(Shape):
    """A part of a plan, made from the object of app/fleet/server_plan.py with the same fields."""

    model_config = ConfigDict(from_attributes=True)


class PlanDownload(PlanPart):
    url: str
    bytes: int


class PlanIndex(PlanDownload):
    """`bytes`: as it is sent. `sha256` and `size`: of the uncompressed table."""

    sha256: str
    size: int


class PlanPatch(PlanDownload):
    sha256: str


class PlanUpdate(PlanPart):
    """The way from `build`, which this server holds. `bytes`: all that is transferred. Without a `delta`, the whole
    index is fetched."""

    build: int
    bytes: int
    delta: PlanDownload | None
    patch: PlanPatch | None


class PlanPack(PlanDownload):
    """`updates`: the cheapest first."""

    index: PlanIndex
    updates: list[PlanUpdate]


class PlanPackPreparing(PlanPart):
    """The pack is being made: wait for it. A new plan comes when it is ready or given up."""

    preparing: Literal[True]


class PlanBuild(PlanPart):
    """`keep`: a build for rolling back. The agent keeps it if it is whole, and never fetches it. `pack`: null if only
    the archive can be fetched."""

    game_id: str
    slug: str
    build: int
    size: int
    checksum: Sha256
    unpacked_bytes: int
    top_directory: str
    launcher: str
    archive_url: str
    url_expires_at: Moment
    active: bool
    retry: int
    keep: bool
    pack: PlanPack | PlanPackPreparing | None


class PlanEviction(Shape):
    game_id: str
    build: int


class PlanAnswer(Shape):
    version: int
    server: PlanServer
    poll_after_seconds: int
    builds: list[PlanBuild]
    evict: list[PlanEviction]


class Health(BaseModel):
    """Health of a server (game-servers.md 2.2)."""

    model_config = ConfigDict(strict=True, extra="ignore")

    status: Literal["ok", "error"]
    containers: Annotated[int, Field(ge=0, le=100_000)]
    cpu_percent: Percent
    memory_percent: Percent
    disk_percent: Percent


class Disk(Shape):
    total_bytes: Bytes
    free_bytes: Bytes
    floor_bytes: Bytes


class SourceReport(Shape):
    """What a copy is made from. `from`: the build that an update starts from. `fallback`: why the archive was used
    although there is a pack."""

    kind: Literal["archive", "pack", "update"]
    from_build: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = Field(None, alias="from")
    fallback: Annotated[StoredText, Field(max_length=2000)] | None = None


class BuildReport(Shape):
    game_id: Id
    build: Annotated[int, Field(ge=1, le=2**31 - 1)]
    phase: Literal["pending", "downloading", "verifying", "cached", "failed", "evicting", "removed"]
    bytes_done: Bytes = 0
    bytes_total: Bytes = 0
    bytes_per_second: Bytes = 0
    attempt: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    reason: Annotated[StoredText, Field(max_length=2000)] | None = None
    retry_in_seconds: Annotated[float, Field(ge=0, le=10**7)] | None = None
    source: SourceReport | None = None


def _in_utc(at: datetime) -> datetime:
    """In UTC. A time that is not in the calendar there becomes its first or last."""
    try:
        return at.astimezone(UTC)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC) if at.year == MINYEAR else datetime.max.replace(tzinfo=UTC)


class SessionReport(Shape):
    id: Id
    game_id: Id
    build: Annotated[int, Field(ge=1, le=2**31 - 1)]
    started_at: Annotated[AwareDatetime, AfterValidator(_in_utc)]


class AgentReport(Shape):
    boot_id: Id
    previous_boot_id: Id | None = None
    sequence: Annotated[int, Field(ge=0, le=2**62)]
    agent_version: Annotated[StoredText, Field(max_length=40)] | None = None
    stopping: bool = False
    health: Health
    disk: Disk
    bytes_per_second: Bytes = 0
    builds: Annotated[list[BuildReport], Field(max_length=10_000)] = []
    sessions: Annotated[list[SessionReport], Field(max_length=10_000)] = []


class ReportReceipt(Shape):
    """`ignoredSessions`: ids of the reported sessions whose builds are not in the server's plan."""

    accepted: bool
    plan_version: int
    report_after_seconds: int
    ignored_sessions: list[str] = []


class SessionRequest(Shape):
    id: Id | None = None
    game_id: Id


class SessionAnswer(Shape):
    id: str
    game_id: str
    build: int
    path: str
    launcher: str
