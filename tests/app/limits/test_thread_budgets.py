"""Budgets of threads: what counts as a call, and what is on its way to a slot."""

from __future__ import annotations

from app.limits.counted_requests import CountedRequest, answering
from app.limits.slots import Slots
from app.limits.thread_budgets import Calls, may_arrive


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
