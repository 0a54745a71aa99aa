"""Places for long requests: bounded, given back, and shared out among owners."""

from __future__ import annotations

import threading

import pytest

from app.limits.slots import Owner, Slots
from app.refusals import Unavailable

A, B = Owner.partner("a", "Studio A"), Owner.partner("b", "Studio B")


@pytest.mark.parametrize(("limit", "share"), [(1, 1), (2, 1), (3, 2), (8, 4)])
def test_one_owner_has_half_of_the_places_and_at_least_one(limit: int, share: int) -> None:
    slots = Slots("uploads", limit, 30)
    for _ in range(share):
        slots.acquire(A)
    with pytest.raises(Unavailable) as refused:
        slots.acquire(A)
    assert refused.value.retry_after == 30
    if limit > share:
        assert f"Studio A uses {share} of the {limit} places for uploads" in refused.value.message
        slots.acquire(B)


def test_beyond_the_last_place_everybody_is_told_the_limit() -> None:
    slots = Slots("uploads", 2, 30)
    slots.acquire(A)
    slots.acquire(B)
    with pytest.raises(Unavailable, match=r"All 2 places for uploads are in use\. Try again in 30 seconds\."):
        slots.acquire(Owner.partner("c", "Studio C"))


def test_a_place_that_was_given_back_can_be_taken_again() -> None:
    slots = Slots("uploads", 2, 30)
    for _ in range(3):
        with slots.acquired(A):
            assert slots.in_use == 1
    assert slots.in_use == 0


def test_many_threads_never_take_more_than_there_are() -> None:
    slots, most, lock = Slots("uploads", 4, 30), [0], threading.Lock()

    def take(owner: str) -> None:
        for _ in range(500):
            try:
                with slots.acquired(Owner(owner)), lock:
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


def test_a_member_has_fewer_places_than_their_partner() -> None:
    slots = Slots("live pages", 10, 3)
    mira, jonas, ada = (Owner(name, "Your account", "account", 2) for name in ("mira", "jonas", "ada"))
    for _ in range(2):
        slots.acquire(mira, A)
    with pytest.raises(Unavailable) as refused:
        slots.acquire(mira, A)
    assert refused.value.message == (
        "Your account uses 2 of the 10 places for live pages, the maximum for one account. Try again in 3 seconds."
    )
    for owner in (jonas, jonas, ada):
        slots.acquire(owner, A)
    with pytest.raises(Unavailable, match="Studio A uses 5 of the 10 places for live pages, the maximum for one part"):
        slots.acquire(ada, A)
    slots.acquire(ada, B)
    slots.free(mira, A)
    slots.acquire(mira, A)


def test_a_refused_request_uses_no_share() -> None:
    slots = Slots("live pages", 4, 3)
    member = Owner("mira", "Your account", "account", 1)
    for _ in range(2):
        slots.acquire(A)
    assert not slots.try_acquire(member, A)
    assert slots.try_acquire(member, B)
