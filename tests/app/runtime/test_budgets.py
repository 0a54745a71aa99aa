"""Places for long requests: bounded, given back, and shared out among owners."""

from __future__ import annotations

import threading

import pytest

from app.limits import thread_budgets
from app.limits.thread_budgets import Slots
from app.refusals import Unavailable


@pytest.mark.parametrize(("limit", "share"), [(1, 1), (2, 1), (3, 2), (8, 4)])
def test_one_owner_has_half_of_the_places_and_at_least_one(limit: int, share: int) -> None:
    slots = Slots("uploads", limit, 30)
    for _ in range(share):
        slots.acquire("a", "Studio A")
    with pytest.raises(Unavailable) as refused:
        slots.acquire("a", "Studio A")
    assert refused.value.retry_after == 30
    if limit > share:
        assert f"Studio A uses {share} of the {limit} places for uploads" in refused.value.message
        slots.acquire("b", "Studio B")


def test_beyond_the_last_place_everybody_is_told_the_limit() -> None:
    slots = Slots("uploads", 2, 30)
    slots.acquire("a", "A")
    slots.acquire("b", "B")
    with pytest.raises(Unavailable, match=r"All 2 places for uploads are in use\. Try again in 30 seconds\."):
        slots.acquire("c", "C")


def test_a_place_that_was_given_back_can_be_taken_again() -> None:
    slots = Slots("uploads", 2, 30)
    for _ in range(3):
        with slots.acquired("a", "A"):
            assert slots.in_use == 1
    assert slots.in_use == 0


def test_many_threads_never_take_more_than_there_are() -> None:
    slots, most, lock = Slots("uploads", 4, 30), [0], threading.Lock()

    def take(owner: str) -> None:
        for _ in range(500):
            try:
                with slots.acquired(owner, owner), lock:
                    most[0] = max(most[0], slots.in_use)
            except Unavailable:
                continue

    threads = [threading.Thread(target=take, args=(str(number % 3),)) for number in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert slots.in_use == 0
    assert 0 < most[0] <= 4


def test_requests_for_live_pages_pass_a_full_budget_only_while_there_are_places(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(thread_budgets.calls, "limit", 10)
    monkeypatch.setattr(thread_budgets.streams, "limit", 5)
    monkeypatch.setattr(thread_budgets.calls, "in_threads", 14)
    assert thread_budgets.may_pass(thread_budgets.streams)
    monkeypatch.setattr(thread_budgets.calls, "in_threads", 15)
    assert not thread_budgets.may_pass(thread_budgets.streams), "five are on their way already"
    monkeypatch.setattr(thread_budgets.streams, "in_use", 5)
    assert not thread_budgets.may_pass(thread_budgets.streams), "all five have their place, and ten calls are answered"
