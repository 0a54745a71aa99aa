"""Situations for the pages of servers: what machines reported, and what came in the last hour."""

from __future__ import annotations

import math
from datetime import timedelta

from sqlalchemy import select

from app.data.database import announce, writing
from app.data.models.base import now
from app.data.models.game import Release
from app.data.models.server import Server, TransferHour
from app.fleet.transfers import OwnedGame, record_arrived
from app.topics.names import FLEET_TOPIC, partner_topic
from tests.app.web import scenes

TB, MB = 10**12, 10**6


def garden_on_machines(partner_id: str) -> str:
    """One game with one of six servers in each state, on machines of 1.6 TB; its id."""
    game_id = scenes.forking_paths(partner_id)
    scenes.servers_report(silent=["srv-06"])
    machines()
    return game_id


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
                amount = {OwnedGame(partner_id, "game_of_scenes"): round(300 * MB * max(0.0, wave))}
                record_arrived(session, server.id, amount, at - timedelta(minutes=ago))


def months_of_transfers(game_id: str) -> None:
    """A month of releases of one game, one every few days, each fetched within some hours."""
    hour = now().replace(minute=0, second=0, microsecond=0)
    with writing() as session:
        for days in range(1, 28, 4):
            for hours, amount in enumerate((90, 210, 40), 24 * days):
                found = TransferHour(hour=hour - timedelta(hours=hours), game_id=game_id, bytes=amount * 1000 * MB)
                session.add(found)


def rollouts(game_id: str, *seconds: float | None) -> None:
    """Releases before the live one, oldest first, and how long each took to be cached everywhere."""
    at = now()
    with writing() as session:
        live = session.scalars(select(Release).where(Release.game_id == game_id).order_by(Release.id.desc())).first()
        assert live is not None
        values = {name: getattr(live, name) for name in ("build_id", "build_number", "released_at", "released_by")}
        session.delete(live)
        session.flush()
        for number, took in enumerate(seconds, 1):
            released_at = at - timedelta(days=3 * (len(seconds) + 1 - number))
            session.add(
                Release(
                    game_id=game_id,
                    build_number=number,
                    released_at=released_at,
                    released_by="CI",
                    cached_everywhere_at=None if took is None else released_at + timedelta(seconds=took),
                )
            )
            session.flush()
        session.add(Release(game_id=game_id, **values))


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
