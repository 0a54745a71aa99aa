"""Situations for the pages of servers: what machines reported, and what came in the last hour."""

from __future__ import annotations

import math
from datetime import timedelta

from sqlalchemy import select

from app.data.database import announce, writing
from app.data.models.base import now
from app.data.models.server import Server
from app.fleet.transfers import record_arrived
from app.topics.names import FLEET_TOPIC, partner_topic

TB, MB = 10**12, 10**6


def machines(*, agent: str = "1.0.3", used: tuple[float, ...] = (0.99, 0.70, 0.56, 1.59, 1.14, 0.92)) -> None:
    """Every server's last report, with these TB of 1.6 in use; `scenes.servers_report` says when."""
    with writing() as session:
        for index, server in enumerate(session.scalars(select(Server).order_by(Server.id))):
            server.agent_version = agent
            server.health_status = "ok"
            server.cpu_percent, server.memory_percent = 42.5, 58.3
            server.disk_total_bytes = 16 * TB // 10
            server.disk_free_bytes = server.disk_total_bytes - round(used[index % len(used)] * TB)
            server.disk_floor_bytes = 2_000 * MB
            server.bytes_per_second = (0, 54_100_000, 18_400_000, 0, 12_100_000, 0)[index % 6]
        announce(FLEET_TOPIC)


def last_hour(partner_id: str) -> None:
    """Bytes of this partner came to every server, now more, now less."""
    at = now()
    with writing() as session:
        for index, server in enumerate(session.scalars(select(Server).order_by(Server.id))):
            for ago in range(1, 60):
                wave = 1.2 + math.sin(ago / (3 + index)) + 0.35 * math.sin(ago * (2 + index))
                record_arrived(
                    session, server.id, {partner_id: round(300 * MB * max(0.0, wave))}, at - timedelta(minutes=ago)
                )


def columns(server_id: str, **values: object) -> None:
    """What one server reported, or what an operator did to it."""
    with writing() as session:
        server = session.get_one(Server, server_id)
        for name, value in values.items():
            setattr(server, name, value)
        announce(FLEET_TOPIC)


def noticed(*partner_ids: str) -> None:
    """What a scene changed is announced, as the reports it stands for would have."""
    with writing():
        announce(FLEET_TOPIC, *(partner_topic(partner_id) for partner_id in partner_ids))
