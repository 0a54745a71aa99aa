"""Whose request it is, from its head alone."""

from __future__ import annotations

import pytest

from app.limits.counted_requests import Credential, Requester
from app.runtime.web_server import known_callers
from app.runtime.web_server.known_callers import KnownCallers

PEER = "192.0.2.7"
SESSION = "Cookie: session=payload.t1.s1"
MIRA = Requester("partner a", "member mira")


def head(*headers: str) -> bytearray:
    lines = ("GET /games HTTP/1.1", "Host: here", *headers, "", "body: with\r\ncookie: session=of.the.body")
    return bytearray("\r\n".join(lines).encode())


def session_of(callers: KnownCallers, *headers: str) -> bytes:
    """The hash of the session in these headers."""
    return callers.look_up(head(*headers), PEER)[1][Credential.SESSION]


@pytest.fixture
def callers() -> KnownCallers:
    return KnownCallers("session", 0)


def test_nobody_is_known_at_first(callers: KnownCallers) -> None:
    assert callers.look_up(head(), PEER) == (Requester(f"address {PEER}"), {})


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ("Cookie: theme=dark; session=payload.t1.s1", "cookie: session=payload.t2.s2; theme=light"),
        ("Cookie: session=.zipped.t1.s1", "Cookie: session=.zipped.t2.s2"),
        ("Authorization: Bearer pp_secret", "authorization:  bearer   pp_secret"),
    ],
)
def test_a_caller_that_the_app_recognised_is_known_by_their_next_request(
    callers: KnownCallers, first: str, later: str
) -> None:
    unknown, credentials = callers.look_up(head(first), PEER)
    assert unknown.group == f"address {PEER}"
    (credential,) = credentials.values()
    callers.remember(credential, MIRA)
    assert callers.look_up(head(later), "198.51.100.1") == (MIRA, credentials)
    assert "secret" not in repr(callers.__dict__)


@pytest.mark.parametrize(
    "other",
    [
        "Cookie: session=another.t1.s1",
        "Cookie: sessions=payload.t1.s1",
        "Cookie: x=session=payload.t1.s1",
        "Accept: */*",
    ],
)
def test_nobody_else_is_taken_for_them(callers: KnownCallers, other: str) -> None:
    callers.remember(session_of(callers, SESSION), MIRA)
    assert callers.look_up(head(other), PEER)[0].group == f"address {PEER}"


def test_made_up_keys_share_what_their_address_has(callers: KnownCallers) -> None:
    groups = {callers.look_up(head(f"Authorization: Bearer {number}"), PEER)[0].group for number in range(20)}
    assert groups == {f"address {PEER}"}


@pytest.mark.parametrize(
    ("proxies", "headers", "address"),
    [
        (0, ["X-Forwarded-For: 203.0.113.1"], PEER),
        (1, ["X-Forwarded-For: 203.0.113.1"], "203.0.113.1"),
        (1, ["X-Forwarded-For: 198.51.100.9, 203.0.113.1"], "203.0.113.1"),
        (2, ["X-Forwarded-For: 198.51.100.9, 203.0.113.1"], "198.51.100.9"),
        (2, ["X-Forwarded-For: 198.51.100.9", "X-Forwarded-For: 203.0.113.1"], "198.51.100.9"),
        (2, ["X-Forwarded-For: 203.0.113.1"], PEER),
        (1, [], PEER),
        (1, ["X-Forwarded-For: 2001:db8:1:2:3:4:5:6"], "2001:db8:1::/48"),
        (1, ["X-Forwarded-For: ::ffff:203.0.113.1"], "203.0.113.1"),
        (1, ["X-Forwarded-For: 1:2"], "1:2"),
    ],
)
def test_the_address_is_the_one_that_the_app_sees(proxies: int, headers: list[str], address: str) -> None:
    found, _ = KnownCallers("session", proxies).look_up(head(*headers), PEER)
    assert found == Requester(f"address {address}")


def test_the_caller_that_was_away_for_longest_is_forgotten_first(
    callers: KnownCallers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_callers, "MAX_KNOWN", 2)
    requests = [head(f"Authorization: Bearer {number}") for number in range(3)]
    for number, request in enumerate(requests):
        _, credentials = callers.look_up(request, PEER)
        callers.remember(credentials[Credential.KEY], Requester("partner a", str(number)))
        callers.look_up(requests[0], PEER)
    known = [callers.look_up(request, PEER)[0].group for request in requests]
    assert known == ["partner a", f"address {PEER}", "partner a"]


def test_what_a_proxy_adds_to_the_requests_of_everybody_makes_nobody_known(callers: KnownCallers) -> None:
    """A proxy that asks for a password may pass it on, with the session of each member."""
    password = "Authorization: Basic dGVhbTpwYXNzd29yZA=="
    callers.remember(session_of(callers, password, SESSION), MIRA)
    assert callers.look_up(head(password, SESSION), PEER)[0] == MIRA
    visitor = callers.look_up(head(password, "Cookie: session=another.t1.s1"), PEER)[0]
    another = callers.look_up(head(password), PEER)[0]
    assert visitor.group == another.group == f"address {PEER}"
    assert visitor.name != another.name


def test_a_made_up_key_hides_no_member(callers: KnownCallers) -> None:
    callers.remember(session_of(callers, SESSION), MIRA)
    assert callers.look_up(head("Authorization: Bearer made-up", SESSION), PEER)[0] == MIRA


def test_whoever_is_not_recognised_any_more_uses_the_share_of_nobody(callers: KnownCallers) -> None:
    """A key that was revoked because it leaked must not take the threads of its partner."""
    credential = session_of(callers, SESSION)
    callers.remember(credential, MIRA)
    callers.remember(credential, None)
    callers.remember(credential, None)
    assert callers.look_up(head(SESSION), PEER)[0].group == f"address {PEER}"


def test_a_caller_is_known_for_some_minutes(callers: KnownCallers, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that ended, with requests whose views look at no key."""
    callers.remember(session_of(callers, SESSION), MIRA)
    monkeypatch.setattr(known_callers, "KNOWN_SECONDS", -1.0)
    assert callers.look_up(head(SESSION), PEER)[0].group == f"address {PEER}"
    assert not callers.__dict__["_known"]
