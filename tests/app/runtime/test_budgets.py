"""Places for long requests: bounded, given back, and shared out among owners."""

from __future__ import annotations

import threading

import pytest

from app.limits.thread_budgets import Calls, CountedRequest, Slots, answering, may_arrive
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


def test_as_many_requests_are_on_their_way_to_slots_as_are_free() -> None:
    slots = Slots("live pages", 3, 30)
    arriving = [CountedRequest(slots.arriving) for _ in range(2)]
    for request in arriving:
        assert may_arrive(slots)
        request.enter_thread()
    slots.acquire()
    assert not may_arrive(slots), "two are on their way to the last two"
    arriving[0].leave_thread()
    assert may_arrive(slots)


def test_a_request_counts_as_a_call_until_it_has_a_slot() -> None:
    calls, slots = Calls(10, 5), Slots("images", 2, 30)
    request = CountedRequest(calls)
    request.enter_thread()
    assert calls.in_use == 1
    with answering(request):
        slots.acquire()
        assert (calls.in_use, slots.in_use) == (0, 1)
    request.leave_thread()
    request.enter_thread()  # a slow client has read a part of the answer
    assert calls.in_use == 0
    request.leave_thread()
    slots.free()
    assert calls.in_use == 0


def test_slots_whose_requests_have_no_thread_hide_no_calls() -> None:
    """Open live pages share a thread. When they were subtracted from the requests in threads, each let one more call
    through a full budget."""
    calls, slots = Calls(10, 5), Slots("live pages", 100, 30)
    for _ in range(50):
        slots.acquire()
    CountedRequest(calls).enter_thread()
    assert calls.in_use == 1
