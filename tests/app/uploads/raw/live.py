"""The real thing under test: gunicorn with the app in processes of its own, on a database and bucket that the test
looks into with an app of its own."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psutil
import urllib3
from flask import Flask
from sqlalchemy import select

from app import create_app
from app.accounts.actors import Actor
from app.accounts.keys import create_key
from app.accounts.partners import create_partner
from app.catalog.games import register_game
from app.config.settings import Settings
from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.game import Build, Game
from app.data.models.partner import Partner
from app.data.models.upload import Upload
from app.fleet.servers import add_server
from app.maintenance import build_sweep
from app.storage.bucket import Bucket, bucket
from app.storage.embedded_server import StorageAccess
from app.storage.write_address_probe import is_of_a_probe
from tests.app.runtime.processes import free_port, tree, wait_until
from tests.conftest import GAME, settings_for

ROOT = Path(__file__).parents[4]
STUDIO = Actor("the studio")
_numbers = itertools.count(1)


class Gunicorn:
    """A web server of the given settings. `start` waits until it answers; `kill` leaves nothing of it. `folder` holds
    the program that it runs; change it before the start."""

    def __init__(self, settings: Settings, log: Path, **environment: str) -> None:
        self.port = free_port()
        self.log = log
        self.folder = ROOT
        self.instance = Path(environment.get("SLIPWAY_INSTANCE", settings.instance))
        self._environment = _inherited() | environment_of(settings) | {"PORT": str(self.port)} | environment
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def worker(self) -> int:
        """The pid of the process that serves; those that decode images for it are its own children."""
        assert self.process is not None
        children = {child.pid for child in psutil.Process(self.process.pid).children()}
        (worker,) = children & set(tree(self.process.pid))
        return worker

    def start(self, **environment: str) -> Gunicorn:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", "-c", "python:app.runtime.web_server.gunicorn_settings", "wsgi:app"],
                cwd=self.folder,
                env=self._environment | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.wait()
        return self

    def wait(self) -> None:
        """Until it answers."""
        wait_until(self._answers, 180, f"gunicorn answers; its log is {self.log}")

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        try:
            # The first answer takes long on a busy machine. Asking again meanwhile would make it take longer.
            return urllib3.request("GET", f"{self.address}/livez", retries=False, timeout=60).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def stop(self, seconds: float = 20) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(seconds)

    def kill(self) -> None:
        """End every process of it as a power cut would."""
        if self.process is None or self.process.poll() is not None:
            return
        for pid in tree(self.process.pid):
            _kill(pid)
        self.process.wait()


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it was faster


def _inherited() -> dict[str, str]:
    ours = ("S3_", "SLIPWAY_", "REDIS_", "DATABASE_", "MAX_", "SECRET_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment that makes a process read these settings. Few streams: each has a thread."""
    storage = settings.storage_settings
    return {
        "SLIPWAY_INSTANCE": str(settings.instance),
        "SECRET_KEY": settings.secret_key,
        "DATABASE_URL": settings.database_url,
        "S3_ENDPOINT": storage.endpoint,
        "S3_ACCESS_KEY": storage.access_key,
        "S3_SECRET_KEY": storage.secret_key,
        "S3_UPLOAD_ACCESS_KEY": storage.upload_access_key or "",
        "S3_UPLOAD_SECRET_KEY": storage.upload_secret_key or "",
        "S3_BUCKET": storage.bucket,
        "SLIPWAY_API_RATE": settings.api_rate,
        "SLIPWAY_UPLOAD_RATE": settings.upload_rate,
        "SLIPWAY_STREAMS": "8",
        "MAX_ARCHIVE_BYTES": str(settings.max_archive_bytes),
        "SLIPWAY_BODY_TIMEOUT": str(settings.body_timeout),
        "SLIPWAY_RAW_UPLOADS": str(settings.raw_uploads),
        "SLIPWAY_DRAIN_SECONDS": str(settings.drain_seconds),
    }


@dataclass(frozen=True)
class World:
    """One installation: its settings, an app to look into it with, a partner's key, a server's token."""

    settings: Settings
    app: Flask
    partner_id: str
    key: str
    server_token: str

    def other_partner(self) -> tuple[str, str]:
        """A partner beside ours: the key, and the slug of its one game."""
        with self.app.app_context():
            partner = create_partner(f"Studio {next(_numbers)}", STUDIO)
            _, key = create_key(partner, "CI", ["read", "write", "upload"], STUDIO)
            partner_id = partner.id
        return key, self.new_game(partner_id)

    def new_game(self, partner_id: str | None = None) -> str:
        """The slug of a game of its own."""
        slug = f"game-{next(_numbers)}"
        with self.app.app_context():
            partner = db.session.get_one(Partner, partner_id or self.partner_id)
            metadata = {"title": slug, "developer": "Kite Works", "description": "-", "tags": ["Visual Novel"]}
            register_game(partner, slug, metadata | {"launcher": GAME["launcher"]}, STUDIO)
        return slug

    def game_id(self, slug: str) -> str:
        with self.app.app_context():
            return db.session.scalars(select(Game.id).where(Game.slug == slug, Game.deleted_at.is_(None))).one()

    def builds(self, slug: str) -> list[tuple[int, str]]:
        """(number, SHA-256) of a game's builds, after comparing each with the bytes in the bucket."""
        with self.app.app_context():
            rows = db.session.execute(
                select(Build.number, Build.sha256, Build.object_key)
                .join(Game, Build.game_id == Game.id)
                .where(Game.slug == slug)
                .order_by(Build.number)
            ).all()
            db.session.rollback()
            for _, sha256, object_key in rows:
                assert sha256_of(object_key) == sha256
        return [(number, sha256) for number, sha256, _ in rows]

    def refusals(self, slug: str) -> list[str]:
        """Codes of the game's audit rows about refused archives, in order."""
        with self.app.app_context():
            rows = db.session.scalars(
                select(AuditEntry)
                .where(AuditEntry.action == "build.refused", AuditEntry.subject == slug)
                .order_by(AuditEntry.id)
            ).all()
            return [row.details["code"] for row in rows]

    def uploads(self) -> int:
        """How many upload rows there are."""
        with self.app.app_context():
            return len(db.session.scalars(select(Upload.id)).all())

    def leftovers(self) -> list[str]:
        """What no build accounts for: rows, objects, transfers; and builds without their bytes."""
        with self.app.app_context():
            found = build_sweep.check()
            uploads = db.session.scalars(select(Upload.id)).all()
            db.session.rollback()
            listed = bucket().open_multiparts("archives/")
            open_transfers = [found for found in listed if not is_of_a_probe(found.key, found.begun)]
        return [
            *(f"upload {upload_id}" for upload_id in uploads),
            *(f"missing {text}" for text in found.missing),
            *(f"orphan {stored.key}" for stored in found.orphans),
            *(f"transfer {transfer.key}" for transfer in open_transfers),
        ]

    def sweep(self) -> build_sweep.SweepResult:
        with self.app.app_context():
            return build_sweep.sweep(young=timedelta(0))

    def is_clean(self) -> None:
        """Insist that nothing is left over, giving the server the moment it takes to tidy up."""
        try:
            wait_until(lambda: not self.leftovers(), 45, "nothing is left over")
        except AssertionError as error:
            raise AssertionError(f"{error}; now: {self.leftovers()}") from None


def sha256_of(object_key: str) -> str:
    """Of the bytes in the bucket, as an agent would fetch them."""
    digest = hashlib.sha256()
    url = bucket().agent_url(object_key, timedelta(minutes=5))
    answer = urllib3.request("GET", url, preload_content=False)
    assert answer.status == 200
    for piece in answer.stream(1024**2):
        digest.update(piece)
    return digest.hexdigest()


@contextmanager
def world_on_sqlite(instance: Path, empty_sqlite: Path, storage: StorageAccess, **limits: str) -> Iterator[World]:
    """`world_of` a folder of its own with a copy of the empty database."""
    instance.mkdir(exist_ok=True)
    shutil.copy(empty_sqlite, instance / "slipway.db")
    with world_of(settings_for(instance, storage, **limits)) as world:
        yield world


@contextmanager
def world_of(settings: Settings) -> Iterator[World]:
    """A partner with a key and a server, on a migrated and empty database."""
    app = create_app(settings)
    app.extensions["slipway_bucket"].make()
    with app.app_context():
        partner = create_partner("Starlight Studio", STUDIO)
        _, key = create_key(partner, "CI", ["read", "write", "upload"], STUDIO)
        _, token = add_server("srv-01", "fra", STUDIO)
        partner_id = partner.id
    yield World(settings, app, partner_id, key, token)
    with app.app_context():
        db.engine.dispose()
    empty_bucket(app.extensions["slipway_bucket"])


def empty_bucket(used: Bucket) -> None:
    """Free the disk: the storage lives as long as the run."""
    for transfer in used.open_multiparts(""):
        used.abort_multipart(transfer.key, transfer.multipart_id)
    used.delete([found.key for found in used.objects("")])
