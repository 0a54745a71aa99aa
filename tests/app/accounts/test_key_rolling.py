"""Keys over time: made for an app, rolled with an overlap, revoked; and the apps they belong to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.accounts import keys
from app.accounts.partners import DASHBOARD_APP
from app.data.database import writing
from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.base import now
from app.data.models.partner import ApiKey, App, Partner
from app.refusals import Conflict, InvalidRequest, NotFound, Unauthorized
from tests.conftest import CAST, Cast


@pytest.fixture
def starlight(cast: Cast) -> Partner:
    return db.session.get_one(Partner, cast.starlight.partner_id)


@pytest.fixture
def moonbase(cast: Cast) -> Partner:
    return db.session.get_one(Partner, cast.moonbase.partner_id)


def living(partner: Partner, app_name: str) -> list[str]:
    return [key.hint for app, found in keys.apps_of(partner) if app.name == app_name for key in found]


def test_a_rolled_key_and_its_successor_both_work_during_the_overlap(starlight: Partner) -> None:
    old, old_secret = keys.create_key(starlight, "Pipeline", ["read", "upload"], CAST, "Release")
    new, new_secret = keys.roll_key(old, CAST)
    assert new_secret != old_secret
    assert (new.name, new.scopes, new.app_id) == ("Release", ["read", "upload"], old.app_id)
    assert keys.authenticate(old_secret).id == old.id
    assert keys.authenticate(new_secret).id == new.id
    assert old.expires_at is not None
    assert timedelta(hours=23, minutes=59) < old.expires_at - now() <= timedelta(hours=24)
    assert living(starlight, "Pipeline") == [new.hint, old.hint]


def test_after_the_overlap_only_the_new_key_works(starlight: Partner) -> None:
    old, old_secret = keys.create_key(starlight, "Pipeline", ["read"], CAST)
    new, new_secret = keys.roll_key(old, CAST)
    with writing():
        old.expires_at = now()
    with pytest.raises(Unauthorized, match="was rolled, and its overlap has ended: it worked until 2"):
        keys.authenticate(old_secret)
    assert keys.authenticate(new_secret).id == new.id
    assert living(starlight, "Pipeline") == [new.hint]


def test_rolling_is_recorded_without_a_secret(starlight: Partner) -> None:
    old, old_secret = keys.create_key(starlight, "Pipeline", ["read"], CAST)
    new, new_secret = keys.roll_key(old, CAST)
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "key.rolled")).one()
    assert (entry.subject, entry.details) == (f"Pipeline · {old.hint}", {"new": new.hint})
    everything = "".join(f"{e.subject} {e.details}" for e in db.session.scalars(select(AuditEntry)))
    assert old_secret not in everything
    assert new_secret not in everything


def test_a_key_is_rolled_once(starlight: Partner) -> None:
    old, _ = keys.create_key(starlight, "Pipeline", ["read"], CAST)
    keys.roll_key(old, CAST)
    with pytest.raises(Conflict, match="revoked or rolled already"):
        keys.roll_key(old, CAST)


def test_a_key_expires_after_the_days_that_were_chosen(starlight: Partner) -> None:
    key, secret = keys.create_key(starlight, "Pipeline", ["read"], CAST, lifetime_days=30)
    assert key.expires_at == key.created_at + timedelta(days=30)
    assert keys.authenticate(secret).id == key.id
    with writing():
        key.expires_at = now()
    with pytest.raises(Unauthorized, match=r"has expired: it worked until 2\d{3}-.* UTC\. Create another in the"):
        keys.authenticate(secret)
    assert living(starlight, "Pipeline") == []


@pytest.mark.parametrize("days", [0, -1, keys.MAX_LIFETIME_DAYS + 1])
def test_a_lifetime_has_limits(starlight: Partner, days: int) -> None:
    with pytest.raises(InvalidRequest, match="expires after 1 to 3,650 days, or never"):
        keys.create_key(starlight, "Pipeline", ["read"], CAST, lifetime_days=days)


def test_the_successor_of_a_key_that_expires_has_the_same_lifetime(starlight: Partner) -> None:
    old, _ = keys.create_key(starlight, "Pipeline", ["read"], CAST, lifetime_days=90)
    new, _ = keys.roll_key(old, CAST)
    assert old.rolled
    assert not new.rolled
    assert old.expires_at is not None
    assert old.expires_at - now() <= timedelta(hours=24)
    assert new.expires_at == new.created_at + timedelta(days=90)


def test_rolling_never_makes_a_key_work_longer(starlight: Partner) -> None:
    old, secret = keys.create_key(starlight, "Pipeline", ["read"], CAST, lifetime_days=1)
    end = now() + timedelta(hours=1)
    with writing():
        old.expires_at = end
    keys.roll_key(old, CAST)
    assert old.expires_at == end
    with writing():
        old.expires_at, old.rolled = now(), False
    with pytest.raises(Conflict, match="has expired"):
        keys.roll_key(old, CAST)
    with pytest.raises(Unauthorized):
        keys.authenticate(secret)


def test_a_revoked_key_cannot_be_rolled(starlight: Partner) -> None:
    key, _ = keys.create_key(starlight, "Pipeline", ["read"], CAST)
    keys.revoke_key(key, CAST)
    with pytest.raises(Conflict):
        keys.roll_key(key, CAST)


def test_rolling_twice_at_the_same_moment_makes_one_key(app: Flask, starlight: Partner) -> None:
    key_id = keys.create_key(starlight, "Pipeline", ["read"], CAST)[0].id
    db.session.remove()

    def roll(_: int) -> str:
        with app.app_context():
            try:
                return "rolled" if keys.roll_key(db.session.get_one(ApiKey, key_id), CAST) else ""
            except Conflict as refusal:
                return refusal.code

    with ThreadPoolExecutor(4) as threads:
        answers = sorted(threads.map(roll, range(4)))
    assert answers == ["conflict", "conflict", "conflict", "rolled"]
    assert db.session.scalar(select(func.count()).select_from(ApiKey).join(App).where(App.name == "Pipeline")) == 2


def test_revoking_the_old_key_leaves_the_new_one(starlight: Partner) -> None:
    old, old_secret = keys.create_key(starlight, "Pipeline", ["read"], CAST)
    _, new_secret = keys.roll_key(old, CAST)
    keys.revoke_key(old, CAST)
    with pytest.raises(Unauthorized):
        keys.authenticate(old_secret)
    assert keys.authenticate(new_secret)


def test_revoking_again_changes_nothing(starlight: Partner) -> None:
    key, _ = keys.create_key(starlight, "Pipeline", ["read"], CAST)
    keys.revoke_key(key, CAST)
    ended_at = key.revoked_at
    keys.revoke_key(key, CAST)
    assert key.revoked_at == ended_at
    found = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "key.revoked")).all()
    assert len(found) == 1


def test_a_key_of_another_partner_is_not_there(starlight: Partner, moonbase: Partner) -> None:
    key, _ = keys.create_key(starlight, "Pipeline", ["read"], CAST)
    assert keys.key_of(starlight, key.id).id == key.id
    with pytest.raises(NotFound):
        keys.key_of(moonbase, key.id)
    with pytest.raises(NotFound):
        keys.key_of(starlight, "key_none")


@pytest.mark.parametrize("scopes", [[], ["admin"], ["read", "admin"]])
def test_a_key_needs_known_scopes(starlight: Partner, scopes: list[str]) -> None:
    with pytest.raises(InvalidRequest, match="some of read, write, upload"):
        keys.create_key(starlight, "Pipeline", scopes, CAST)


def test_keys_of_one_name_share_their_app(starlight: Partner) -> None:
    first, _ = keys.create_key(starlight, "Pipeline", ["read"], CAST)
    second, _ = keys.create_key(starlight, " Pipeline ", ["read"], CAST)
    assert first.app_id == second.app_id


def test_the_same_new_app_asked_for_twice_at_once_is_made_once(app: Flask, starlight: Partner) -> None:
    partner_id = starlight.id
    db.session.remove()

    def create(_: int) -> str:
        with app.app_context():
            return keys.create_key(db.session.get_one(Partner, partner_id), "Fresh", ["read"], CAST)[0].app_id

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(create, range(4)))) == 1


def test_an_app_has_a_name_of_its_own_and_a_description(starlight: Partner, moonbase: Partner) -> None:
    app = keys.create_app(starlight, " Component Studio ", " Card exports ", CAST)
    assert (app.name, app.description) == ("Component Studio", "Card exports")
    with pytest.raises(Conflict, match="Choose another name"):
        keys.create_app(starlight, "Component Studio", "", CAST)
    keys.create_app(moonbase, "Component Studio", "", CAST)


def test_renaming_an_app_keeps_its_keys(starlight: Partner) -> None:
    key, secret = keys.create_key(starlight, "Pipeline", ["read"], CAST)
    keys.rename_app(starlight, key.app_id, "Release pipeline", "On every tag", CAST)
    found = keys.authenticate(secret).app
    assert (found.name, found.description) == ("Release pipeline", "On every tag")


def test_an_app_can_keep_its_name_and_change_its_description(starlight: Partner) -> None:
    app = keys.create_app(starlight, "Studio", "", CAST)
    assert keys.rename_app(starlight, app.id, "Studio", "Exports", CAST).description == "Exports"


def test_an_app_cannot_take_the_name_of_another(starlight: Partner) -> None:
    app = keys.create_app(starlight, "Studio", "", CAST)
    with pytest.raises(Conflict, match="an app named 'CI'"):
        keys.rename_app(starlight, app.id, "CI", "", CAST)


def test_the_built_in_app_keeps_its_name(starlight: Partner) -> None:
    built_in = db.session.scalars(select(App).where(App.partner_id == starlight.id, App.name == DASHBOARD_APP)).one()
    with pytest.raises(Conflict, match="built in"):
        keys.rename_app(starlight, built_in.id, "Mine", "", CAST)


def test_an_app_of_another_partner_is_not_there(starlight: Partner, moonbase: Partner) -> None:
    app = keys.create_app(starlight, "Studio", "", CAST)
    with pytest.raises(NotFound):
        keys.rename_app(moonbase, app.id, "Stolen", "", CAST)


@pytest.mark.parametrize(
    ("name", "description", "field"), [(" ", "", "name"), ("x" * 101, "", "name"), ("Studio", "x" * 201, "description")]
)
def test_names_of_apps_have_limits(starlight: Partner, name: str, description: str, field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        keys.create_app(starlight, name, description, CAST)
    assert list(refused.value.fields) == [field]
