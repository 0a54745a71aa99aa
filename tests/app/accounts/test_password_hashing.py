"""Hashes of passwords: two at once, a bounded queue that holds no connection, and a cost that tells nothing."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import Parameters, extract_parameters
from flask import Flask
from sqlalchemy import QueuePool

from app.accounts import password_hashing
from app.accounts.password_hashing import MAX_HASHES, MAX_WAITING, hash_password, matching, password_matches
from app.accounts.passwords import accounts_for
from app.data.database import writing
from app.data.extensions import db
from app.refusals import Unavailable
from tests.app.runtime.processes import wait_until
from tests.conftest import PASSWORD, Cast


class Held:
    """Hashes that wait for `go`, and how many are at it."""

    def __init__(self) -> None:
        self.running = self.most = 0
        self.go = threading.Event()
        self._lock = threading.Lock()
        self._evaluate = password_hashing._evaluate

    def __call__(self, password: str, like: str | None) -> str:
        with self._lock:
            self.running += 1
            self.most = max(self.most, self.running)
        assert self.go.wait(60)
        with self._lock:
            self.running -= 1
        return self._evaluate(password, like)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Held:
    held = Held()
    monkeypatch.setattr(password_hashing, "_evaluate", held)
    return held


def test_two_are_hashed_at_once_and_a_bounded_number_waits(held: Held) -> None:
    with ThreadPoolExecutor(MAX_HASHES + MAX_WAITING) as threads:
        found = [threads.submit(password_matches, None, PASSWORD) for _ in range(MAX_HASHES + MAX_WAITING)]
        wait_until(lambda: password_hashing.hash_slots.in_use == MAX_HASHES + MAX_WAITING, 30, "the queue is full")
        with pytest.raises(Unavailable, match="checks of passwords") as refused:
            hash_password(PASSWORD)
        assert refused.value.retry_after > 0
        held.go.set()
        assert [each.result(60) for each in found] == [False] * (MAX_HASHES + MAX_WAITING)
    assert held.most == MAX_HASHES
    assert password_hashing.hash_slots.in_use == 0


def test_whoever_waits_for_a_hash_holds_no_connection(app: Flask, cast: Cast, held: Held) -> None:
    db.session.remove()
    pool = db.engine.pool
    assert isinstance(pool, QueuePool)

    def one(number: int) -> None:
        with app.app_context():
            accounts_for(cast.starlight.owner, f"{PASSWORD} {number}", f"192.0.2.{number}")

    with ThreadPoolExecutor(MAX_HASHES + MAX_WAITING) as threads:
        found = [threads.submit(one, number) for number in range(MAX_HASHES + MAX_WAITING)]
        wait_until(lambda: password_hashing.hash_slots.in_use == MAX_HASHES + MAX_WAITING, 30, "all of them wait")
        held_connections = pool.checkedout()
        held.go.set()
        for each in found:
            each.result(60)
    assert held_connections == 0


def test_nothing_is_hashed_within_a_transaction(app: Flask) -> None:
    with pytest.raises(RuntimeError, match="inside a transaction"), writing():
        hash_password(PASSWORD)


def test_wrong_and_unknown_take_the_same_work(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """The work is one hash of equal cost; everything else of the answer is some thousandth of it."""
    costs: list[Parameters] = []
    original = password_hashing._evaluate

    def evaluate(password: str, like: str | None) -> str:
        costs.append(extract_parameters(str(like)))
        return original(password, like)

    password_matches(None, PASSWORD)  # the hash of nobody is made once
    monkeypatch.setattr(password_hashing, "_evaluate", evaluate)
    assert accounts_for(cast.starlight.owner, "another password", None) == []
    assert accounts_for("nobody@starlight.example", "another password", None) == []
    wrong, unknown = costs
    assert wrong == unknown


def test_hashes_of_one_salt_are_told_apart_in_one_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    first = hash_password(PASSWORD)
    second, third = hash_password("another password", like=first), hash_password(PASSWORD)
    count = 0
    original = password_hashing._evaluate

    def evaluate(password: str, like: str | None) -> str:
        nonlocal count
        count += 1
        return original(password, like)

    monkeypatch.setattr(password_hashing, "_evaluate", evaluate)
    assert matching([first, second], PASSWORD) == {first}
    assert matching([first, second], "another password") == {second}
    assert matching([first, second], "a third one") == set()
    assert count == 3
    assert matching([first, second, third], PASSWORD) == {first, third}
    assert count == 5


def test_a_broken_stored_hash_matches_nothing() -> None:
    assert not password_matches("", PASSWORD)
    assert not password_matches("no hash", PASSWORD)
