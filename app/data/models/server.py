"""Game servers, the builds they hold, and the sessions they run."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.data.models.base import Base, new_id, now
from app.data.models.game import Build

Source = Literal["archive", "pack", "update"]
ATTEMPT_OUTCOMES = ("running", "cached", "failed", "stopped")
PHASES = ("pending", "downloading", "verifying", "cached", "failed", "evicting", "removed")


class Server(Base):
    """A game server and its agent's last report."""

    __tablename__ = "servers"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)  # "srv-01"
    region: Mapped[str] = mapped_column(String(40), default="")
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    token_hint: Mapped[str] = mapped_column(String(24), default="", server_default="")
    created_at: Mapped[datetime] = mapped_column(default=now)
    retired_at: Mapped[datetime | None]
    paused_at: Mapped[datetime | None]  # an operator paused its downloads; builds that it holds stay playable
    # How many builds per game it keeps beside the live one, while its disk has room: those that were live before.
    keep_previous: Mapped[int] = mapped_column(default=1, server_default="1")

    boot_id: Mapped[str | None] = mapped_column(String(64))
    sequence: Mapped[int] = mapped_column(BigInteger, default=0)
    stopping: Mapped[bool] = mapped_column(default=False)  # the last report announced that the agent stops
    last_report_at: Mapped[datetime | None]
    agent_version: Mapped[str | None] = mapped_column(String(40))
    health_status: Mapped[str | None] = mapped_column(String(16))
    containers: Mapped[int | None]
    cpu_percent: Mapped[float | None]
    memory_percent: Mapped[float | None]
    disk_percent: Mapped[float | None]
    disk_total_bytes: Mapped[int | None] = mapped_column(BigInteger)
    disk_free_bytes: Mapped[int | None] = mapped_column(BigInteger)
    disk_floor_bytes: Mapped[int | None] = mapped_column(BigInteger)
    bytes_per_second: Mapped[int | None] = mapped_column(BigInteger)
    conflict_at: Mapped[datetime | None]  # a second live agent used this server's token
    conflict_boot_id: Mapped[str | None] = mapped_column(String(64))


class Replica(Base):
    """The state of one build on one server, as of the server's last report."""

    __tablename__ = "replicas"
    __table_args__ = (
        UniqueConstraint("server_id", "build_id"),
        CheckConstraint(f"phase IN {PHASES}", name="phase"),
        Index("ix_replicas_build_id_phase", "build_id", "phase"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    server_id: Mapped[str] = mapped_column(ForeignKey("servers.id", ondelete="CASCADE"), index=True)
    build_id: Mapped[str] = mapped_column(ForeignKey("builds.id", ondelete="CASCADE"))
    game_id: Mapped[str] = mapped_column(ForeignKey("games.id", ondelete="CASCADE"), index=True)
    wanted: Mapped[bool] = mapped_column(default=True)
    # The plan names it only for rolling back: the server keeps it if it is whole, and never fetches it.
    kept: Mapped[bool] = mapped_column(default=False, server_default=false())
    left_plan_at: Mapped[datetime | None]  # when it last left the plan; None for a build that only a report named
    phase: Mapped[str] = mapped_column(String(16), default="pending")
    bytes_done: Mapped[int] = mapped_column(BigInteger, default=0)
    bytes_total: Mapped[int] = mapped_column(BigInteger, default=0)
    bytes_per_second: Mapped[int] = mapped_column(BigInteger, default=0)
    attempt: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str | None] = mapped_column(String(500))
    retry_at: Mapped[datetime | None]
    retries_asked: Mapped[int] = mapped_column(default=0)  # how often a person pressed "Retry now"
    since: Mapped[datetime] = mapped_column(default=now)  # when the current phase began
    cached_at: Mapped[datetime | None]
    reported_at: Mapped[datetime | None]
    source: Mapped[Source | None] = mapped_column(String(16))  # what it is made from
    source_build: Mapped[int | None]  # the number of the build that an update starts from
    fallback: Mapped[str | None] = mapped_column(String(500))  # why the archive was used although there is a pack

    server: Mapped[Server] = relationship(lazy="raise")
    build: Mapped[Build] = relationship(lazy="raise")


class ReplicaAttempt(Base):
    """One attempt of a server to fetch a build, as its reports showed it. The newest ones of each replica are kept.

    Bytes are of the transfer: `first_bytes` in the first report of the attempt, which may include what an earlier
    attempt left, and `last_bytes` when `fetched_at` or `ended_at` was set."""

    __tablename__ = "replica_attempts"
    __table_args__ = (
        CheckConstraint(f"outcome IN {ATTEMPT_OUTCOMES}", name="outcome"),
        Index("ix_replica_attempts_replica_id_id", "replica_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    replica_id: Mapped[int] = mapped_column(ForeignKey("replicas.id", ondelete="CASCADE"))
    number: Mapped[int]  # as the agent counts: from 1 again after an attempt that got further than any before
    outcome: Mapped[str] = mapped_column(String(16), default="running")
    reason: Mapped[str | None] = mapped_column(String(500))
    source: Mapped[Source | None] = mapped_column(String(16))
    source_build: Mapped[int | None]
    began_at: Mapped[datetime] = mapped_column(default=now)
    fetched_at: Mapped[datetime | None]  # everything had arrived, and the check began
    ended_at: Mapped[datetime | None]
    first_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    last_bytes: Mapped[int] = mapped_column(BigInteger, default=0)


_RUNNING = text("ended_at IS NULL")


class PlaySession(Base):
    """A play session that an agent runs: blocks eviction of its build, and survives the deletion of its game."""

    __tablename__ = "play_sessions"
    __table_args__ = (
        Index(
            "ix_play_sessions_running",
            "server_id",
            "game_id",
            sqlite_where=_RUNNING,
            postgresql_where=_RUNNING,
        ),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True, default=lambda: new_id("session"))
    server_id: Mapped[str] = mapped_column(ForeignKey("servers.id", ondelete="CASCADE"), index=True)
    game_id: Mapped[str] = mapped_column(ForeignKey("games.id", ondelete="CASCADE"), index=True)
    build_id: Mapped[str] = mapped_column(ForeignKey("builds.id", ondelete="CASCADE"), index=True)
    started_at: Mapped[datetime] = mapped_column(default=now)
    ended_at: Mapped[datetime | None]
    # A report made just before this session began may arrive just after it. Only a second report without the session
    # ends it.
    missed_reports: Mapped[int] = mapped_column(default=0)

    build: Mapped[Build] = relationship(lazy="raise")


class TransferMinute(Base):
    """Bytes of one game's builds that arrived on one server within one minute. After some hours, a sweep adds them to
    `TransferHour`."""

    __tablename__ = "transfer_minutes"
    __table_args__ = (Index("ix_transfer_minutes_game_id_minute", "game_id", "minute"),)

    server_id: Mapped[str] = mapped_column(ForeignKey("servers.id", ondelete="CASCADE"), primary_key=True)
    minute: Mapped[datetime] = mapped_column(primary_key=True, index=True)
    partner_id: Mapped[str] = mapped_column(ForeignKey("partners.id", ondelete="CASCADE"), primary_key=True)
    # No foreign key: these bytes were transferred, also after the game is deleted. Empty in rows of before 0020.
    game_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)


class TransferHour(Base):
    """Bytes of one game's builds that arrived on all servers within one hour. Complete once its minutes are some hours
    old. Kept for some months, also after the game is deleted."""

    __tablename__ = "transfer_hours"
    __table_args__ = (Index("ix_transfer_hours_game_id_hour", "game_id", "hour"),)

    hour: Mapped[datetime] = mapped_column(primary_key=True)
    game_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)
