"""Each alert rule of deploy/prometheus fires over metrics that a troubled app produced, and not over those of a healthy
one."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.config.settings import Settings
from app.data.database import writing
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.game import Build
from app.data.models.pack import BuildPack
from app.data.models.server import Replica, Server
from app.data.models.upload import RESUMABLE, Upload
from app.limits import thread_budgets
from app.limits.slots import Owner
from app.refusals import Refusal
from app.runtime.jobs import Jobs, jobs
from app.storage.bucket import Bucket
from app.topics import queue
from tests.app.monitoring.scraping import Scrape, scrape
from tests.app.runtime.processes import free_port, wait_until
from tests.conftest import GAME, ROOT, Cast, bearer
from tests.deploy.promtool import check_rules, input_series, rule_test, run_promtool
from tests.game_archives import game_archive
from tests.running_workers import running_workers

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
RULES = ROOT / "deploy" / "prometheus" / "alerts.yml"
ALERTS = re.findall(r"^      - alert: (\w+)$", RULES.read_text(), re.MULTILINE)
UPLOAD = "/api/partners/games/paper-lanterns/upload"
AWAY = {"SlipwayDown", "SlipwayDatabaseAway", "SlipwayStorageAway", "SlipwayQueueAway"}


@pytest.fixture
def upload_headers(client: FlaskClient, cast: Cast) -> dict[str, str]:
    """A game with a build, and the headers for sending more."""
    key = bearer(cast.starlight.key)
    client.post("/api/partners/games", json=GAME, headers=key)
    headers = key | {"Content-Type": "application/gzip"}
    assert client.put(UPLOAD, data=game_archive(), headers=headers).status_code == 200
    return headers


def a_good_minute(app: Flask, client: FlaskClient) -> Scrape:
    """Requests, servers that report, and sweeps. Returns the scrape after it."""
    with writing() as session:
        for server in session.scalars(select(Server)):
            server.last_report_at = now()
        for replica in session.scalars(select(Replica)):
            replica.phase = "cached"
        for pack in session.scalars(select(BuildPack)):
            pack.state = "ready"
    done = {"result": "done"}
    before = scrape(client).value("slipway_sweeps_total", **done)
    with running_workers(app):
        jobs(app).sweep_soon()
        wait_until(lambda: scrape(client).value("slipway_sweeps_total", **done) > before, 60, "a sweep ended")
    app.extensions["slipway_bucket"].ping()
    for _ in range(20):
        assert client.get("/livez").status_code == 200
    return scrape(client)


def rows_of_trouble() -> None:
    """A silent server, a token that two agents use, builds and packs that fail, work that nobody does."""
    build = db.session.scalars(select(Build)).one()
    with writing() as session:
        silent, shared = session.get_one(Server, "srv-01"), session.get_one(Server, "srv-02")
        silent.last_report_at = now() - timedelta(minutes=20)
        shared.conflict_at = now()
        session.scalars(select(Replica).where(Replica.server_id == "srv-02")).one().phase = "failed"
        session.get_one(BuildPack, build.id).state = "waiting"
        session.flush()
        other = Build(
            **{
                column.name: getattr(build, column.name)
                for column in Build.__table__.columns
                if column.name not in {"id", "number", "object_key"}
            },
            id="build_other",
            number=99,
            object_key="archives/other.tar.gz",
        )
        session.add(other)
        session.flush()
        session.add(BuildPack(build_id=other.id, state="no_room"))
        session.add(
            Upload(
                game_id=build.game_id,
                kind=RESUMABLE,
                object_key="archives/waiting.tar.gz",
                sent_by="CI",
                state="checking",
                touched_at=now() - timedelta(minutes=20),
            )
        )


@contextmanager
def everything_in_use() -> Iterator[None]:
    """Places of uploads, and nearly all connections of the pool."""
    db.session.remove()
    with ExitStack() as used:
        for owner in range(thread_budgets.raw_uploads.limit):
            used.enter_context(thread_budgets.raw_uploads.acquired(Owner(str(owner))))
        for _ in range(46):
            used.enter_context(db.engine.connect())
        yield


def a_bad_minute(app: Flask, client: FlaskClient, headers: dict[str, str]) -> Scrape:
    """Failures and slow answers, refused uploads, storage that fails now and then, jobs without a worker."""

    def broken() -> str:
        raise RuntimeError("broken")

    app.testing = False
    app.view_functions["health.program_version"] = broken
    app.view_functions["health.readyz"] = lambda: {"waited": threading.Event().wait(1.2)}
    for _ in range(3):
        assert client.get("/version").status_code == 500
        assert client.get("/readyz").status_code == 200
    with everything_in_use():
        for _ in range(12):
            assert client.put(UPLOAD, data=b"x", headers=headers).status_code == 503
        refused = Bucket(replace(app.config["SLIPWAY"].storage, secret_key="not the secret of this storage"))
        for _ in range(3):
            with pytest.raises(Refusal):
                refused.stat("archives/none.tar.gz")
        for number in range(120):
            jobs(app).enqueue("check_upload", f"upload_{number}")
        return scrape(client)


@SQLITE
def test_each_rule_fires_when_it_should_and_only_then(
    app: Flask, client: FlaskClient, cast: Cast, upload_headers: dict[str, str], tmp_path: Path
) -> None:
    start = scrape(client)
    good = a_good_minute(app, client)
    rows_of_trouble()
    before = scrape(client)
    bad = a_bad_minute(app, client, upload_headers)
    troubles = set(ALERTS) - AWAY

    check_rules(
        RULES,
        [
            rule_test("healthy", input_series(start, good), dict.fromkeys(ALERTS, False)),
            rule_test("troubled", input_series(before, bad), {alert: alert in troubles for alert in ALERTS}),
            rule_test("nothing answers", [], {alert: alert == "SlipwayDown" for alert in ALERTS}),
        ],
        tmp_path,
    )


@SQLITE
def test_what_is_away_is_told_apart(
    app: Flask, client: FlaskClient, cast: Cast, upload_headers: dict[str, str], settings: Settings, tmp_path: Path
) -> None:
    a_good_minute(app, client)
    tests = []

    before = scrape(client)
    away = settings.model_copy(update={"redis_url": f"redis://127.0.0.1:{free_port()}"})
    own = app.extensions["slipway_queue"]
    queue.provide(app, Jobs(app, away))
    tests.append(_away("SlipwayQueueAway", before, scrape(client)))
    queue.provide(app, own)

    where = replace(settings.storage_settings, endpoint=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Refusal):
        Bucket(where).ping()
    tests.append(_away("SlipwayStorageAway", before, scrape(client)))
    app.extensions["slipway_bucket"].ping()

    del app.extensions["slipway_unpooled_engine"]
    app.config["SLIPWAY"] = settings.model_copy(update={"database_url": f"sqlite:///{tmp_path}/none/slipway.db"})
    tests.append(_away("SlipwayDatabaseAway", before, scrape(client)))

    check_rules(RULES, tests, tmp_path)


def _away(expected: str, before: Scrape, after: Scrape) -> dict[str, object]:
    return rule_test(expected, input_series(before, after), {alert: alert == expected for alert in sorted(AWAY)})


@SQLITE
def test_a_scrape_keeps_the_conventions_of_prometheus(client: FlaskClient, cast: Cast) -> None:
    client.get("/livez")

    assert run_promtool("check", "metrics", given=scrape(client).text) == ""


def test_the_example_configuration_is_one() -> None:
    assert "SUCCESS" in run_promtool("check", "config", RULES.parent / "prometheus.yml")


def test_the_rules_are_well_formed_and_say_what_to_do() -> None:
    assert f"SUCCESS: {len(ALERTS)} rules found" in run_promtool("check", "rules", RULES)
    text = RULES.read_text()
    assert len(ALERTS) == len(set(ALERTS)) >= 15
    for part in ("summary:", "action:", "severity:", "for:"):
        assert text.count(part) == len(ALERTS), part
