"""The paths that supervisors and load balancers ask."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError

from app.data.extensions import db
from app.process import shutdown
from tests.conftest import Cast


def test_a_process_without_storage_and_worker_lives_and_is_ready(client: FlaskClient, cast: Cast) -> None:
    """The test's app has no worker: only /healthz says so."""
    assert client.get("/livez").json == {"status": "ok"}
    assert client.get("/readyz").json == {"status": "ok", "database": "ok", "process": "ok"}
    healthz = client.get("/healthz")
    assert healthz.status_code == 503
    assert healthz.json is not None
    assert healthz.json["worker"] == "error"


def test_a_process_without_its_database_lives_and_is_not_ready(
    client: FlaskClient, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise OperationalError("SELECT 1", {}, Exception("away"))

    monkeypatch.setattr(db.session, "execute", away)

    assert client.get("/livez").status_code == 200
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert ready.json == {"status": "error", "database": "error", "process": "ok"}


def test_a_stopping_process_lives_and_is_not_ready(
    client: FlaskClient, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutdown.stopping, "is_set", lambda: True)

    assert client.get("/livez").status_code == 200
    assert client.get("/readyz").status_code == 503


def test_answers_are_never_kept(client: FlaskClient, cast: Cast) -> None:
    for path in ("/livez", "/readyz", "/healthz", "/version"):
        assert client.get(path).headers["Cache-Control"] == "no-store"
    version = client.get("/version").json
    assert version is not None
    assert version["version"].count(".") == 2
