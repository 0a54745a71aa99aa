"""Gauges that the database holds: checks, packs, replicas, servers, sessions. A constant number of queries per scrape.

They are the same in every process, so take `max` over the processes and not `sum`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import ColumnElement, Connection, case, func, select
from sqlalchemy.exc import SQLAlchemyError

from app.data.models.base import now
from app.data.models.pack import BuildPack
from app.data.models.server import PHASES, PlaySession, Replica, Server
from app.data.models.upload import RESUMABLE, Upload
from app.data.unpooled_connections import unpooled_connection
from app.fleet.active_servers import IS_ACTIVE
from app.fleet.contact import contact_begins
from app.packing.due_packs import CLAIMS as PACK_CLAIMS
from app.process.state_log import StateLog
from app.uploads.resumable.check_claims import CLAIMS as CHECK_CLAIMS

_outages = StateLog(
    logging.getLogger(__name__),
    "the database (asked for /metrics) does not answer: %s",
    "the database (asked for /metrics) answers again",
)


def database_gauges() -> Iterator[GaugeMetricFamily]:
    """Never raises. Without the database, only `slipway_database_up` and the time until that was clear."""
    began = time.monotonic()
    try:
        with unpooled_connection() as connection:
            found = [*_servers(connection), *_replicas(connection), *_uploads(connection), *_packs(connection)]
            found.append(_sessions(connection))
    except SQLAlchemyError as error:
        _outages.failed(type(error).__name__)
        found = []
    else:
        _outages.worked()
    yield GaugeMetricFamily("slipway_database_up", "Whether the database answered this scrape.", bool(found))
    yield GaugeMetricFamily(
        "slipway_database_read_seconds", "Time that this scrape read the database.", time.monotonic() - began
    )
    yield from found


def _servers(connection: Connection) -> Iterator[GaugeMetricFamily]:
    in_contact = Server.last_report_at >= contact_begins(now())
    query = select(
        _count_of(in_contact),
        _count_of(Server.last_report_at.is_not(None) & ~in_contact),
        _count_of(Server.last_report_at.is_(None)),
        _count_of(Server.paused_at.is_not(None)),
        _count_of(Server.conflict_at.is_not(None)),
        func.coalesce(func.sum(case((in_contact, Server.bytes_per_second), else_=0)), 0),
    ).where(IS_ACTIVE)
    contact, no_contact, not_started, paused, conflicts, rate = map(int, connection.execute(query).one())
    servers = GaugeMetricFamily(
        "slipway_servers", "Active game servers by the contact of their agents.", labels=["state"]
    )
    for state, count in (("contact", contact), ("no_contact", no_contact), ("not_started", not_started)):
        servers.add_metric([state], count)
    yield servers
    yield GaugeMetricFamily("slipway_servers_paused", "Servers whose downloads an operator paused.", paused)
    yield GaugeMetricFamily("slipway_servers_in_conflict", "Servers whose token two agents use.", conflicts)
    yield GaugeMetricFamily(
        "slipway_servers_bytes_per_second", "What servers in contact download, by their last reports.", rate
    )


def _replicas(connection: Connection) -> Iterator[GaugeMetricFamily]:
    query = (
        select(Replica.phase, func.count())
        .join(Server, Replica.server_id == Server.id)
        .where(IS_ACTIVE)
        .group_by(Replica.phase)
    )
    counts = dict(connection.execute(query).all())
    replicas = GaugeMetricFamily("slipway_replicas", "Builds on active servers by phase.", labels=["phase"])
    for phase in PHASES:
        replicas.add_metric([phase], counts.get(phase, 0))
    yield replicas


def _uploads(connection: Connection) -> Iterator[GaugeMetricFamily]:
    """Uploads that take place, and the checks of resumable ones."""
    checking = (Upload.kind == RESUMABLE) & (Upload.state == "checking")
    queued, running = checking & CHECK_CLAIMS.is_free(), checking & ~CHECK_CLAIMS.is_free()
    oldest = func.min(case((queued, Upload.touched_at)))
    query = select(_count_of(Upload.state == "uploading"), _count_of(queued), _count_of(running), oldest)
    uploading, waiting, checked, oldest_at = connection.execute(query).one()
    yield GaugeMetricFamily("slipway_uploads_open", "Uploads that are not complete yet.", uploading)
    checks = GaugeMetricFamily("slipway_checks", "Checks of uploaded archives.", labels=["state"])
    checks.add_metric(["queued"], waiting)
    checks.add_metric(["running"], checked)
    yield checks
    yield GaugeMetricFamily(
        "slipway_oldest_queued_check_seconds",
        "How long the oldest queued check has waited.",
        max(0.0, (now() - oldest_at).total_seconds()) if oldest_at else 0,
    )


def _packs(connection: Connection) -> Iterator[GaugeMetricFamily]:
    making = BuildPack.state == "making"
    states = {
        "queued": (BuildPack.state == "waiting") | (making & PACK_CLAIMS.is_free()),
        "running": making & ~PACK_CLAIMS.is_free(),
        **{state: BuildPack.state == state for state in ("ready", "no_room", "failed")},
    }
    counts = connection.execute(select(*map(_count_of, states.values()))).one()
    packs = GaugeMetricFamily("slipway_packs", "Packs by state.", labels=["state"])
    for state, count in zip(states, counts, strict=True):
        packs.add_metric([state], count)
    yield packs


def _sessions(connection: Connection) -> GaugeMetricFamily:
    running = connection.scalar(select(func.count()).select_from(PlaySession).where(PlaySession.ended_at.is_(None)))
    return GaugeMetricFamily("slipway_play_sessions", "Running play sessions.", running or 0)


def _count_of(condition: ColumnElement[bool]) -> ColumnElement[int]:
    """How many rows fulfil the condition."""
    return func.count(case((condition, 1)))
