"""Agents and studios for fleet tests: what they say to the platform, without downloading anything."""

from __future__ import annotations

import itertools
import uuid
from datetime import timedelta
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from app.accounts.actors import Actor
from app.catalog.build_publishing import ReceivedArchive, publish_build
from app.catalog.games import register_game
from app.data.database import writing
from app.data.extensions import db
from app.data.models.base import new_id, now
from app.data.models.game import Build, Game
from app.data.models.partner import Partner
from app.data.models.server import Replica, Server
from app.data.models.upload import Upload
from slipway.archive.inspection import Inspection
from tests.conftest import bearer

SELF = "/api/servers/self"
STUDIO = Actor("the studio")
HEALTH = {"status": "ok", "containers": 0, "cpu_percent": 1.5, "memory_percent": 20, "disk_percent": 30.25}
DISK = {"totalBytes": 10**12, "freeBytes": 10**11, "floorBytes": 2 * 10**9}
_numbers = itertools.count(1)


def held(build: Build, phase: str, **more: Any) -> dict[str, Any]:
    """One entry of a report's `builds`."""
    done = build.size if phase in {"cached", "verifying"} else 0
    return {
        "gameId": build.game_id,
        "build": build.number,
        "phase": phase,
        "bytesDone": done,
        "bytesTotal": build.size,
        **more,
    }


class FleetAgent:
    """One run of an agent on a server: its boot id, its sequence, its calls."""

    def __init__(self, client: FlaskClient, token: str, previous: FleetAgent | None = None) -> None:
        self.client = client
        self.token = token
        self.boot_id = str(uuid.uuid4())
        self.previous_boot_id = previous.boot_id if previous else None
        self.sequence = 0

    def plan(self, **query: object) -> dict[str, Any]:
        """The plan's JSON, insisting on 200."""
        answer = self.client.get(f"{SELF}/plan", query_string=query, headers=bearer(self.token))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.get_json()
        return found

    def wanted(self) -> list[tuple[int, bool]]:
        """(build number, active) of what the plan says to hold, by number."""
        return sorted((build["build"], build["active"]) for build in self.plan()["builds"])

    def evictions(self) -> list[int]:
        """Numbers of the builds that the plan says to evict."""
        return sorted(build["build"] for build in self.plan()["evict"])

    def document(self, *builds: dict[str, Any], **more: Any) -> dict[str, Any]:
        """A whole report, one sequence further on."""
        self.sequence += 1
        return {
            "bootId": self.boot_id,
            "previousBootId": self.previous_boot_id,
            "sequence": self.sequence,
            "agentVersion": "0.1.0",
            "stopping": False,
            "health": HEALTH,
            "disk": DISK,
            "bytesPerSecond": 0,
            "builds": list(builds),
            "sessions": [],
        } | more

    def send(self, document: Any) -> TestResponse:
        """POST a report as it is."""
        return self.client.post(f"{SELF}/reports", json=document, headers=bearer(self.token))

    def report(self, *builds: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Report and insist on 200."""
        answer = self.send(self.document(*builds, **more))
        assert answer.status_code == 200, answer.text
        receipt: dict[str, Any] = answer.get_json()
        return receipt

    def start(self, game_id: str, session_id: str | None = None) -> TestResponse:
        body = {"gameId": game_id} | ({"id": session_id} if session_id else {})
        return self.client.post(f"{SELF}/sessions", json=body, headers=bearer(self.token))

    def end(self, session_id: str) -> TestResponse:
        return self.client.delete(f"{SELF}/sessions/{session_id}", headers=bearer(self.token))


def new_game(partner_id: str, slug: str | None = None, **more: Any) -> Game:
    """A registered game without builds."""
    slug = slug or f"game-{next(_numbers)}"
    metadata = {"title": slug, "developer": "Kite Works", "description": "-", "tags": ["Visual Novel"]}
    return register_game(db.session.get_one(Partner, partner_id), slug, metadata | more, STUDIO)


def new_build(game: Game, size: int = 1000) -> Build:
    """The next build of a game, published as an upload would, but with no object in the bucket."""
    upload_id = new_id("upload")
    key = f"archives/{upload_id}.tar.gz"
    with writing() as session:
        session.add(Upload(id=upload_id, game_id=game.id, object_key=key, sent_by=STUDIO.name))
    inspection = Inspection("PaperLanterns-1.0", "paper-lanterns.sh", 3 * size, 9, ())
    sha256 = f"{next(_numbers):064x}"
    return publish_build(game.id, ReceivedArchive(upload_id, key, size, sha256, inspection), STUDIO).build


def replica(build: Build, server_id: str) -> Replica | None:
    """What the database says now of one build on one server."""
    db.session.rollback()
    query = select(Replica).where(Replica.build_id == build.id, Replica.server_id == server_id)
    return db.session.scalar(query.execution_options(populate_existing=True))


def phase(build: Build, server_id: str) -> str | None:
    """The replica's phase, or None where there is no replica."""
    found = replica(build, server_id)
    return found.phase if found else None


def last_heard(server_id: str, seconds_ago: float) -> None:
    """Let the server's last report be that long ago."""
    with writing() as session:
        at = now() - timedelta(seconds=seconds_ago)
        session.execute(update(Server).where(Server.id == server_id).values(last_report_at=at))


def keep_previous(builds: int) -> None:
    """Let every server keep that many builds beside the live one."""
    with writing() as session:
        session.execute(update(Server).values(keep_previous=builds))
