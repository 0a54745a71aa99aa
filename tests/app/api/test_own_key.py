"""GET /api/partners/key: what a key may do, and the limits for builds, before a client reads or sends anything."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.accounts.keys import create_key, roll_key
from app.accounts.partners import partner_named, set_build_quota
from app.config.settings import settings
from app.data.extensions import db
from app.data.models.game import Build
from app.data.models.partner import ApiKey
from tests.app.api.calling import Script, body, refused, shape
from tests.app.fleet.packs import add_pack
from tests.conftest import CAST, Cast
from tests.game_archives import game_archive

KEY = "/api/partners/key"


def test_a_key_reads_what_it_may_do(client: FlaskClient, cast: Cast) -> None:
    found = body(Script(client, cast.starlight.key).ask("GET", KEY))
    assert shape(found) == {
        "app": "str",
        "partner": "str",
        "scopes": ["str"],
        "expiresAt": "null",
        "maxArchiveBytes": "int",
        "maxUnpackedBytes": "int",
        "buildQuota": {
            "used": "int",
            "archives": "int",
            "packs": "int",
            "reserved": "int",
            "limit": "null",
            "left": "null",
        },
    }
    assert (found["partner"], found["scopes"]) == ("Starlight Studio", ["read", "write", "upload"])
    assert found["maxArchiveBytes"] == settings().max_archive_bytes
    assert found["maxUnpackedBytes"] == settings().max_unpacked_bytes
    assert cast.starlight.key not in str(found)


@pytest.mark.parametrize("scope", ["read", "write", "upload"])
def test_any_scope_is_enough(client: FlaskClient, cast: Cast, scope: str) -> None:
    _, secret = create_key(partner_named("Starlight Studio"), "Wall", [scope], CAST)
    found = body(Script(client, secret).ask("GET", KEY))
    assert (found["app"], found["scopes"]) == ("Wall", [scope])


def test_the_quota_counts_what_is_stored_and_what_is_on_its_way(client: FlaskClient, cast: Cast) -> None:
    script = Script(client, cast.starlight.key)
    set_build_quota(partner_named("Starlight Studio"), 1_000_000, CAST)
    script.register()
    size = body(script.send(game_archive()))["size"]
    body(script.ask("POST", "/api/partners/games/paper-lanterns/uploads", json={"fileName": "a", "size": 5000}), 201)
    add_pack(db.session.scalars(select(Build)).one(), pack_bytes=3000, index_bytes=50)
    quota = body(script.ask("GET", KEY))["buildQuota"]
    assert quota == {
        "used": size + 3050,
        "archives": size,
        "packs": 3050,
        "reserved": 5000,
        "limit": 1_000_000,
        "left": 1_000_000 - size - 8050,
    }


def test_a_rolled_key_reads_when_it_ends(app: Flask, client: FlaskClient, cast: Cast) -> None:
    key = next(key for key in db.session.scalars(select(ApiKey)) if cast.starlight.key.endswith(key.hint[-4:]))
    roll_key(key, CAST)
    found = body(Script(client, cast.starlight.key).ask("GET", KEY))
    assert shape(found["expiresAt"]) == "moment"


def test_a_key_that_was_made_to_expire_reads_when(app: Flask, client: FlaskClient, cast: Cast) -> None:
    _, secret = create_key(partner_named(cast.starlight.name), "CI", ["read"], CAST, lifetime_days=30)
    assert shape(body(Script(client, secret).ask("GET", KEY))["expiresAt"]) == "moment"


def test_without_a_key_it_is_401(client: FlaskClient, cast: Cast) -> None:
    refused(client.get(KEY), 401, "unauthorized")
