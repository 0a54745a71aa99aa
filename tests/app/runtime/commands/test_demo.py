"""The demo data of `make run`: made once, found again, and repaired where a part was lost."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, func, select

from app.accounts.keys import authenticate, revoke_key
from app.config.settings import Settings
from app.data.database import writing
from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.partner import ApiKey, Member, Partner
from app.data.models.server import Server
from app.runtime import demo_data
from tests.conftest import CAST, bearer
from tests.signed_in_browsers import find_account, is_signed_in, sign_in_browser

pytestmark = pytest.mark.slow

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # what `make run` runs on


class Stage:
    """An instance folder in which the demo is prepared, as often as the app starts."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        self.app = app
        self.settings = settings
        self.file = settings.instance / "demo.json"

    def prepare(self, base_url: str = "http://127.0.0.1:8000", instance: Path | None = None) -> dict[str, Any]:
        where = instance or self.settings.instance
        demo_data.prepare(self.app, base_url=base_url, storage=self.settings.storage_settings, instance=where)
        db.session.rollback()
        db.session.expire_all()  # it worked in a session of its own
        found: dict[str, Any] = json.loads((where / "demo.json").read_text())
        return found


@pytest.fixture
def stage(app: Flask, settings: Settings) -> Stage:
    return Stage(app, settings)


def count(model: type[Any]) -> int:
    return db.session.scalar(select(func.count()).select_from(model)) or 0


@SQLITE
def test_the_first_run_makes_everything_a_newcomer_needs(stage: Stage, client: FlaskClient) -> None:
    made = stage.prepare()

    assert set(made) == {
        *("baseUrl", "email", "password", "operatorEmail", "operatorPassword", "apiKey", "servers", "storage"),
    }
    owner = find_account(made["email"], made["password"])
    assert owner is not None
    assert owner.role == "owner"
    assert owner.partner is not None
    assert owner.partner.name == "Starlight Studio"
    operator = find_account(made["operatorEmail"], made["operatorPassword"])
    assert operator is not None
    assert operator.is_operator
    assert client.get("/api/partners/games", headers=bearer(made["apiKey"])).json == {"games": [], "total": 0}
    assert [server["id"] for server in made["servers"]] == ["srv-01", "srv-02", "srv-03"]
    for server in made["servers"]:
        assert set(server) == {"id", "token", "cacheDir"}
        assert client.get("/api/servers/self/plan", headers=bearer(server["token"])).status_code == 200
        assert Path(server["cacheDir"]).is_relative_to(stage.settings.instance)
    assert set(made["storage"]) == {"endpoint", "accessKey", "secretKey", "bucket"}
    assert stat.S_IMODE(stage.file.stat().st_mode) == 0o600
    assert not [path for path in stage.settings.instance.iterdir() if path.suffix == ".new"]


@SQLITE
def test_a_later_run_finds_everything_and_changes_nothing(stage: Stage) -> None:
    first = stage.prepare()
    deeds = count(AuditEntry)

    assert stage.prepare() == first
    assert count(AuditEntry) == deeds


@SQLITE
def test_passwords_and_secrets_differ_from_instance_to_instance(stage: Stage) -> None:
    first = stage.prepare()
    stage.file.unlink()
    second = stage.prepare()

    for name in ("password", "operatorPassword", "apiKey"):
        assert first[name] != second[name]
    assert first["password"] != first["operatorPassword"]


@SQLITE
def test_a_moved_instance_gets_its_new_address_and_folders(stage: Stage, tmp_path: Path) -> None:
    first = stage.prepare()
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (moved / "demo.json").write_text(stage.file.read_text())

    second = stage.prepare("http://127.0.0.1:9000", moved)

    assert second["baseUrl"] == "http://127.0.0.1:9000"
    assert all(Path(server["cacheDir"]).is_relative_to(moved) for server in second["servers"])
    for name in ("password", "apiKey"):
        assert second[name] == first[name]
    assert [server["token"] for server in second["servers"]] == [server["token"] for server in first["servers"]]


@SQLITE
def test_a_lost_file_is_written_anew_with_secrets_that_work_and_ends_old_sessions(
    stage: Stage, client: FlaskClient
) -> None:
    first = stage.prepare()
    owner = find_account(first["email"], first["password"])
    assert owner is not None
    browser = sign_in_browser(owner)
    stage.file.unlink()

    second = stage.prepare()

    assert find_account(second["email"], second["password"]) is not None
    assert find_account(first["email"], first["password"]) is None
    assert not is_signed_in(browser)
    for server in second["servers"]:
        assert client.get("/api/servers/self/plan", headers=bearer(server["token"])).status_code == 200
    assert (count(Partner), count(Member), count(Server)) == (1, 2, 3)


@SQLITE
def test_a_revoked_key_is_replaced(stage: Stage) -> None:
    first = stage.prepare()
    revoke_key(authenticate(first["apiKey"]), CAST)

    second = stage.prepare()

    assert second["apiKey"] != first["apiKey"]
    authenticate(second["apiKey"])
    assert count(ApiKey) == 2


@SQLITE
def test_a_server_that_was_removed_is_added_again(stage: Stage, client: FlaskClient) -> None:
    first = stage.prepare()
    with writing() as session:
        session.execute(delete(Server).where(Server.id == "srv-02"))

    second = stage.prepare()

    tokens = {server["id"]: server["token"] for server in second["servers"]}
    assert client.get("/api/servers/self/plan", headers=bearer(tokens["srv-02"])).status_code == 200
    assert tokens["srv-01"] == first["servers"][0]["token"]
