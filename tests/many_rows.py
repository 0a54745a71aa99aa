"""Many of everything, written in bulk: games of a partner, builds of one game, servers, audit entries, assets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, update

from app.data.database import announce, in_batches, writing
from app.data.extensions import db
from app.data.models.asset import Asset, Blob
from app.data.models.audit_record import AuditEntry
from app.data.models.base import now
from app.data.models.game import Build, Game, Release
from app.data.models.partner import App
from app.data.models.server import Replica, Server, TransferHour, TransferMinute
from app.topics.names import catalog_topic

SLUG = "many-0"  # of the game with builds, assets and entries
_HELD = 3  # newest builds that every server has a row of
_TRANSFERRED = 5  # games with hours of transfers


@dataclass(frozen=True)
class Many:
    """`live`: games beside the first one with one build, which is live and cached on all servers. `hours`: in which
    servers fetched builds of some games."""

    games: int
    builds: int
    servers: int
    entries: int
    assets: int
    live: int = 0
    hours: int = 0


def add_many(partner_id: str, many: Many) -> None:
    """Add the rows. Every server has reported just now; the newest build of the first game is live and cached on all
    servers but one, where it failed."""
    at = now()
    with writing() as session:
        for entity, rows in (
            (Game, _games(partner_id, many, at)),
            (Server, _servers(many, at)),
            (Build, _builds(many, at)),
            (Release, _releases(many, at)),
            (Replica, _replicas(many, at)),
            (AuditEntry, _entries(partner_id, many, at)),
            (TransferHour, _hours(many, at)),
            (TransferMinute, _minutes(partner_id, many, at)),
        ):
            _insert(entity, rows)
        app_id = session.scalars(select(App.id).where(App.partner_id == partner_id, App.name == "CI")).one()
        _insert(Blob, _blobs(partner_id, many, at))
        _insert(Asset, _assets(app_id, many, at))
        if many.builds:
            live = {"released_build_id": f"build_many{many.builds}"}
            session.execute(update(Game).where(Game.slug == SLUG).values(live))
        for number in range(1, many.live + 1):
            live = {"released_build_id": f"build_of_game{number}"}
            session.execute(update(Game).where(Game.id == f"game_many{number}").values(live))
        announce(catalog_topic(partner_id))


def _insert(entity: Any, rows: Iterator[dict[str, Any]]) -> None:
    for batch in in_batches(rows, 2000):
        db.session.execute(insert(entity.__table__), list(batch))


def _games(partner_id: str, many: Many, at: datetime) -> Iterator[dict[str, Any]]:
    for number in range(many.games):
        moment = at - timedelta(minutes=number)
        yield {
            "id": f"game_many{number}",
            "partner_id": partner_id,
            "slug": f"many-{number}",
            "title": f"Many {number}",
            "developer": "Kite Works",
            "description": "One of many. " * 10,
            "tags": ["Visual Novel", f"Shelf {number % 300}"],
            "launcher": "game.sh",
            "renpy_dir": "Many-1",
            "next_build_number": many.builds + 1,
            "created_at": moment,
            "updated_at": moment,
        }


def _servers(many: Many, at: datetime) -> Iterator[dict[str, Any]]:
    for number in range(many.servers):
        yield {
            "id": f"many-{number:04}",
            "region": "fra",
            "token_hash": f"{number:064x}",
            "boot_id": "boot",
            "last_report_at": at,
            "health_status": "ok",
            "containers": 1,
            "cpu_percent": 10.0,
            "memory_percent": 20.0,
            "disk_percent": 30.0,
            "disk_total_bytes": 10**12,
            "disk_free_bytes": 10**11,
            "disk_floor_bytes": 10**9,
        }


def _builds(many: Many, at: datetime) -> Iterator[dict[str, Any]]:
    for number in range(1, many.builds + 1):
        yield _build(f"build_many{number}", "game_many0", number, at - timedelta(hours=many.builds - number))
    for game in range(1, many.live + 1):
        yield _build(f"build_of_game{game}", f"game_many{game}", 1, at)


def _build(build_id: str, game_id: str, number: int, moment: datetime) -> dict[str, Any]:
    return {
        "id": build_id,
        "game_id": game_id,
        "number": number,
        "object_key": f"archives/{game_id}/{number}",
        "size": 10**9,
        "sha256": f"{number:064x}",
        "unpacked_bytes": 2 * 10**9,
        "members": 100,
        "launcher": "game.sh",
        "top_directory": "Many",
        "sent_by": "CI",
        "created_at": moment,
        "first_released_at": moment,
        "released_at": moment,
    }


def _releases(many: Many, at: datetime) -> Iterator[dict[str, Any]]:
    for number in range(1, many.builds + 1):
        moment = at - timedelta(hours=many.builds - number)
        yield {
            "game_id": "game_many0",
            "build_id": f"build_many{number}",
            "build_number": number,
            "released_at": moment,
            "released_by": "CI",
            "cached_everywhere_at": moment + timedelta(minutes=number % 50),
        }


def _replicas(many: Many, at: datetime) -> Iterator[dict[str, Any]]:
    for number in range(max(1, many.builds - _HELD + 1), many.builds + 1):
        for server in range(many.servers):
            failed = number == many.builds and server == 0
            held = _replica(f"build_many{number}", "game_many0", server, at) | {"wanted": number == many.builds}
            yield held | (_FAILED if failed else {})
    for game in range(1, many.live + 1):
        for server in range(many.servers):
            yield _replica(f"build_of_game{game}", f"game_many{game}", server, at)


_FAILED = {"phase": "failed", "attempt": 9, "reason": "disk full", "cached_at": None}


def _replica(build_id: str, game_id: str, server: int, at: datetime) -> dict[str, Any]:
    return {
        "server_id": f"many-{server:04}",
        "build_id": build_id,
        "game_id": game_id,
        "wanted": True,
        "phase": "cached",
        "attempt": 0,
        "reason": None,
        "bytes_done": 10**9,
        "bytes_total": 10**9,
        "cached_at": at,
        "reported_at": at,
        "since": at,
    }


def _entries(partner_id: str, many: Many, at: datetime) -> Iterator[dict[str, Any]]:
    for number in range(many.entries):
        yield {
            "at": at - timedelta(seconds=many.entries - number),
            "partner_id": partner_id,
            "game_id": "game_many0",
            "actor": "CI",
            "action": "game.updated",
            "subject": "Many 0",
            "details": {},
        }


def _hours(many: Many, at: datetime) -> Iterator[dict[str, Any]]:
    for ago in range(many.hours):
        for game in range(_TRANSFERRED):
            hour = at.replace(minute=0, second=0, microsecond=0) - timedelta(hours=ago)
            yield {"hour": hour, "game_id": f"game_many{game}", "bytes": 10**9 + ago}


def _minutes(partner_id: str, many: Many, at: datetime) -> Iterator[dict[str, Any]]:
    for server in range(many.servers if many.hours else 0):
        for ago in range(20):
            yield {
                "server_id": f"many-{server:04}",
                "minute": at.replace(second=0, microsecond=0) - timedelta(minutes=ago),
                "partner_id": partner_id,
                "game_id": f"game_many{ago % _TRANSFERRED}",
                "bytes": 10**7,
            }


def _blobs(partner_id: str, many: Many, at: datetime) -> Iterator[dict[str, Any]]:
    for number in range(many.assets):
        yield {
            "id": f"blob_many{number}",
            "partner_id": partner_id,
            "sha256": f"{number:064x}",
            "object_key": f"uploads/many/{number}",
            "size": 10**5,
            "mime_type": "image/png",
            "width_px": 750,
            "height_px": 1050,
            "state": "stored",
            "unused_since": None,
            "derivation": "failed",
            "created_at": at,
        }


def _assets(app_id: str, many: Many, at: datetime) -> Iterator[dict[str, Any]]:
    for number in range(many.assets):
        yield {
            "id": f"many{number}",
            "game_id": "game_many0",
            "app_id": app_id,
            "blob_id": f"blob_many{number}",
            "file_name": f"card-{number}.png",
            "sent_by": "CI",
            "created_at": at - timedelta(seconds=number),
        }
