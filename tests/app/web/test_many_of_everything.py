"""Lists with many rows behind them: the same number of queries, bounded answers, and an index for each query."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, text

from app.api.kept_answers import KeptAnswers
from app.data.extensions import db
from app.fleet import contact
from app.web.live.live_parts import LiveParts
from app.web.operator import attention_items
from tests.app.web.conftest import Visitor
from tests.conftest import Cast, bearer
from tests.key_checks import is_key_check
from tests.many_rows import SLUG, Many, add_many

pytestmark = pytest.mark.both_databases

FEW = Many(games=120, builds=60, servers=60, entries=120, assets=60, live=25, hours=100)
MANY = Many(games=1500, builds=300, servers=150, entries=5000, assets=1500, live=60, hours=2000)
CALLS = {
    "/api/partners/games?limit=100": 40_000,
    "/api/partners/games?limit=100&status=active": 40_000,
    f"/api/partners/games/{SLUG}": 2_000,
    "/api/partners/games?limit=100&sort=-title": 40_000,
    f"/api/partners/games/{SLUG}/builds?limit=50": 30_000,
    f"/api/partners/games/{SLUG}/builds?limit=50&sort=number&status=released&q=CI": 30_000,
    f"/api/partners/games/{SLUG}/releases?limit=50": 30_000,
    "/api/v1/games?limit=100": 20_000,
    "/api/v1/games/game_many0/assets?limit=100": 60_000,
}
AGENTS_CALLS = {"/api/servers/self/plan": 2_000}
PAGES = {
    "/games": 130_000,
    "/games?status=attention": 150_000,
    "/games?sort=title&q=many": 130_000,
    "/games?sort=-size&status=live": 130_000,
    f"/games/{SLUG}": 260_000,  # six builds on 50 servers
    f"/games/{SLUG}?page=2": 260_000,
    f"/games/{SLUG}/builds/1/release": 130_000,
    "/servers": 100_000,
    "/servers?page=2": 100_000,
    "/servers?q=many&sort=-rate": 100_000,
    f"/games/{SLUG}/builds": 200_000,
    f"/games/{SLUG}/builds?q=CI&sort=sender&status=released": 200_000,
    f"/games/{SLUG}/builds?sort=size": 200_000,
    f"/games/{SLUG}/activity": 100_000,
    f"/games/{SLUG}/assets": 300_000,
    "/settings/activity": 100_000,
    "/settings/activity?q=many&who=CI&kind=games&sort=at": 100_000,
    "/settings/activity?from=2026-01-01": 100_000,
    "/settings/members?q=owner&sort=-seen": 40_000,
    "/settings/quota": 60_000,
}
OPERATORS_PAGES = {
    "/operator/servers": 150_000,
    "/operator/servers?page=2": 150_000,
    "/operator/servers/many-0007": 100_000,
    "/operator/servers?q=many&sort=-disk": 150_000,
    "/operator/audit": 100_000,
    "/operator/audit?q=many&sort=at": 100_000,
    "/operator/partners": 40_000,
    "/operator/capacity": 60_000,
    "/operator/storage": 60_000,
}
EVERYTHING = CALLS | AGENTS_CALLS | PAGES | OPERATORS_PAGES  # and the most bytes of each
# These show sums over all builds and games.
TOTALS = {
    "/operator/servers",
    "/operator/servers?page=2",
    "/operator/servers?q=many&sort=-disk",
    "/operator/partners",
    "/operator/capacity",
    "/operator/storage",
    "/settings/quota",
}
LARGE = (
    "games",
    "builds",
    "replicas",
    "audit_entries",
    "assets",
    "blobs",
    "releases",
    "transfer_hours",
    "transfer_minutes",
)


class Reader:
    """Reads calls with a key or a server's token, and pages as an owner or operator, and notes the queries of each."""

    def __init__(self, app: Flask, client: FlaskClient, cast: Cast, owner: Visitor, operator: Visitor) -> None:
        self._app, self._client = app, client
        self._key, self._token = cast.starlight.key, cast.servers["srv-01"]
        self._owner, self._operator = owner, operator
        self.queries: list[tuple[str, Any]] = []

    def read(self, path: str) -> int:
        """The number of bytes. Nothing comes from memory, but the key."""
        self._get(path)
        self._app.extensions["slipway_kept_answers"] = KeptAnswers()
        self._app.extensions["slipway_live"] = LiveParts(self._app)
        attention_items.init_app(self._app)
        with self._noting():
            answer = self._get(path)
        assert answer.status_code == 200, answer.text[:500]
        return len(answer.data)

    def _get(self, path: str) -> Any:
        if path.startswith("/api/"):
            secret = self._token if path.startswith("/api/servers/") else self._key
            return self._client.get(path, headers=bearer(secret))
        return (self._operator if path.startswith("/operator/") else self._owner).get(path)

    @contextmanager
    def _noting(self) -> Iterator[None]:
        self.queries = []
        reading = threading.get_ident()  # other threads of the app look for changes of other processes meanwhile

        def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
            if threading.get_ident() != reading:
                return
            if statement.startswith("SELECT") and not is_key_check(parameters):
                self.queries.append((statement, parameters))

        event.listen(db.engine, "before_cursor_execute", note)
        try:
            yield
        finally:
            event.remove(db.engine, "before_cursor_execute", note)


@pytest.fixture
def reader(app: Flask, client: FlaskClient, cast: Cast, owner: Visitor, signed_in: Callable[[str], Visitor]) -> Reader:
    return Reader(app, client, cast, owner, signed_in(cast.operator))


def test_many_rows_cost_no_more_queries_and_no_larger_answers(
    reader: Reader, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact, "CONTACT_SECONDS", 3600)  # servers stay as they are, however long the reading takes
    empty_tables()  # both readings begin without the cast's entries in the log
    add_many(cast.starlight.partner_id, FEW)
    few = {path: (reader.read(path), len(reader.queries))[1] for path in EVERYTHING}
    empty_tables()
    add_many(cast.starlight.partner_id, MANY)

    sizes, many = {}, {}
    for path in EVERYTHING:
        sizes[path] = reader.read(path)
        many[path] = len(reader.queries)

    assert many == few
    assert {path: size for path, size in sizes.items() if size > EVERYTHING[path]} == {}


def empty_tables() -> None:
    db.session.rollback()
    db.session.execute(text("UPDATE games SET released_build_id = NULL"))
    tables = ("replicas", "releases", "assets", "blobs", "audit_entries", "builds", "games", "transfer_hours")
    for table in tables:
        db.session.execute(text(f"DELETE FROM {table}"))
    db.session.execute(text("DELETE FROM servers WHERE id LIKE 'many-%'"))
    db.session.commit()


def test_no_list_scans_a_large_table(reader: Reader, cast: Cast) -> None:
    add_many(cast.starlight.partner_id, MANY)
    if db.engine.dialect.name == "postgresql":  # it keeps its statistics up to date by itself; SQLite has none
        db.session.execute(text("ANALYZE"))
        db.session.commit()
    found: dict[str, Sequence[str]] = {}
    asked: set[str] = set()  # every page has the queries of its frame
    for path in EVERYTHING.keys() - TOTALS:
        reader.read(path)
        for statement, parameters in reader.queries:
            query = f"{statement} {parameters}"
            if query not in asked:
                asked.add(query)
                found[f"{path}: {query}"] = scans(statement, parameters)
    assert {query: lines for query, lines in found.items() if lines} == {}
    assert len(found) > 50


def scans(statement: str, parameters: Any) -> Sequence[str]:
    """The lines of the plan that read a large table from its beginning to its end."""
    values = tuple(parameters) if isinstance(parameters, list) else parameters
    if db.engine.dialect.name == "sqlite":
        with db.engine.connect() as connection:
            plan = [str(row.detail) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
        if "WHERE" not in statement and "LIMIT" in statement and not any("TEMP B-TREE" in line for line in plan):
            return []  # read in the order of its key, up to the limit
        return [line for line in plan if line.startswith("SCAN") and line.split()[1] in LARGE]
    with db.engine.connect() as connection:
        # Of a table that fits in some pages Postgres may prefer to read everything. The question is whether it must.
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        plan = [row[0] for row in connection.exec_driver_sql(f"EXPLAIN {statement}", values)]
    return [line for line in plan if any(f"Seq Scan on {table}" in line for table in LARGE)]
