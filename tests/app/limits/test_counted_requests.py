"""Requests in threads: each requester and each group has a share."""

from __future__ import annotations

from app.limits.counted_requests import (
    CountedRequest,
    Credential,
    InThreads,
    Requester,
    RequesterShares,
    answering,
    not_recognised,
    recognised,
)
from app.limits.slots import Slots

MIRA, JONAS, CI = (Requester("partner a", name) for name in ("mira", "jonas", "ci"))


def test_a_requester_has_a_share_and_so_has_their_group() -> None:
    shares = RequesterShares(2, 3)
    for _ in range(2):
        shares.add(MIRA, 1)
    assert not shares.has_room(MIRA)
    assert shares.has_room(JONAS)
    shares.add(JONAS, 1)
    assert not shares.has_room(JONAS)
    assert not shares.has_room(CI)
    assert shares.has_room(Requester("partner b", "mira"))
    shares.add(MIRA, -1)
    assert shares.has_room(CI)


def test_requests_without_a_name_have_the_share_of_their_group() -> None:
    shares, address = RequesterShares(1, 3), Requester("address 192.0.2.1")
    shares.add(address, 2)
    assert shares.has_room(address)
    shares.add(address, 1)
    assert not shares.has_room(address)


def test_a_request_with_a_slot_uses_no_share_any_more_and_whoever_waits_is_told() -> None:
    shares, slots, told = RequesterShares(1, 1), Slots("polls", 5, 1), list[str]()
    shares.when_free = lambda: told.append("free")
    request = CountedRequest(InThreads(), MIRA, shares)
    request.enter_thread()
    assert not shares.has_room(MIRA)
    shares.waiting = 1
    with answering(request):
        slots.acquire()
    assert shares.has_room(MIRA)
    assert told == ["free"]
    request.leave_thread()
    assert shares.is_idle("partner a")


def test_the_web_server_is_told_whose_request_it_was() -> None:
    request = CountedRequest(InThreads())
    with answering(request):
        recognised(Credential.SESSION, MIRA)
        not_recognised(Credential.KEY)
    assert request.recognised == {Credential.SESSION: MIRA, Credential.KEY: None}
    recognised(Credential.SESSION, JONAS)  # without a web server that counts
    not_recognised(Credential.SESSION)
    assert request.recognised[Credential.SESSION] == MIRA
