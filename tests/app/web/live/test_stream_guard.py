"""A live stream ends with its reader: signed out everywhere, with another password or role, or no member any more."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from sqlalchemy import select

from app.accounts.members import change_role, remove_member
from app.accounts.passwords import change_password
from app.accounts.sign_ins import begin_sign_in, sign_out_everywhere
from app.data.extensions import db
from app.data.models.partner import Member, Partner
from app.topics.event_hub import hub
from app.topics.names import partner_topic
from app.web.live import live_parts, stream_guard
from app.web.live.stream_guard import SignInWatch, StreamReader, Visit
from tests.app.fleet.counting import statements
from tests.app.runtime.processes import wait_until
from tests.app.web.conftest import HTMX, ONE_DATABASE, Visitor
from tests.app.web.reading import plain
from tests.conftest import CAST, PASSWORD, Cast

pytestmark = ONE_DATABASE

Ending = Callable[[Member], None]


def removed(member: Member) -> None:
    remove_member(db.session.get_one(Partner, member.partner_id), member.id, CAST)


def made_developer(member: Member) -> None:
    change_role(db.session.get_one(Partner, member.partner_id), member.id, "developer", CAST)


ENDINGS: list[Ending] = [
    removed,
    made_developer,
    lambda member: sign_out_everywhere(member, CAST),
    lambda member: change_password(member, PASSWORD, "another battery horse", CAST),
]


def member_with(email: str) -> Member:
    return db.session.scalars(select(Member).where(Member.email == email)).one()


@contextmanager
def waiting(visitor: Visitor) -> Iterator[threading.Thread]:
    """A thread that reads a live page of a visitor until it ends."""
    answer = visitor.get("/catalog/live", buffered=False)
    assert answer.status_code == 200
    thread = threading.Thread(target=lambda: list(answer.iter_encoded()), daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        hub.stop()
        thread.join(20)
        answer.close()


def waiters() -> int:
    """How many streams of Moonbase's list of games wait for a change. The hub belongs to the process: threads of other
    tests may wait for other topics."""
    moonbase = db.session.scalars(select(Partner.id).where(Partner.name == "Moonbase")).one()
    db.session.rollback()
    channel = hub._channels.get(partner_topic(moonbase))
    return channel.waiters if channel else 0


@pytest.fixture
def looking_often(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (live_parts, stream_guard):
        monkeypatch.setattr(module, "CHECK_SECONDS", 0.05)


@pytest.mark.parametrize("end", ENDINGS, ids=["removed", "another role", "signed out everywhere", "another password"])
def test_whoever_is_out_hears_nothing_more(
    cast: Cast, signed_in: Callable[[str], Visitor], looking_often: None, end: Ending
) -> None:
    answer = signed_in(cast.moonbase.viewer).get("/catalog/live", buffered=False)
    leaves = iter(answer.iter_encoded())
    assert b"beat" in next(leaves)
    assert b"event: live" in next(leaves)
    end(member_with(cast.moonbase.viewer))
    assert list(leaves) == []
    answer.close()


@pytest.mark.parametrize("end", ENDINGS, ids=["removed", "another role", "signed out everywhere", "another password"])
def test_a_waiting_stream_of_whoever_is_out_ends_at_once_and_no_other(
    cast: Cast, signed_in: Callable[[str], Visitor], monkeypatch: pytest.MonkeyPatch, end: Ending
) -> None:
    """Without a look by time: the ending itself wakes it. LIFETIME and beats are far away as well."""
    for module in (live_parts, stream_guard):
        monkeypatch.setattr(module, "CHECK_SECONDS", 600.0)
    monkeypatch.setattr(live_parts, "HEARTBEAT_SECONDS", 600.0)
    with waiting(signed_in(cast.moonbase.viewer)) as leaving, waiting(signed_in(cast.moonbase.owner)) as staying:
        wait_until(lambda: waiters() == 2, 20, "both streams wait")
        end(member_with(cast.moonbase.viewer))
        leaving.join(20)
        assert not leaving.is_alive()
        assert staying.is_alive()
        wait_until(lambda: waiters() == 1, 20, "the other stream alone waits")
        assert staying.is_alive()


def test_signing_out_ends_the_streams_of_that_browser(
    cast: Cast, signed_in: Callable[[str], Visitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (live_parts, stream_guard):
        monkeypatch.setattr(module, "CHECK_SECONDS", 600.0)
    here, elsewhere = signed_in(cast.moonbase.viewer), signed_in(cast.moonbase.viewer)
    with waiting(here) as leaving, waiting(elsewhere) as staying:
        wait_until(lambda: waiters() == 2, 20, "both streams wait")
        here.post("/sign-out")
        leaving.join(20)
        assert not leaving.is_alive()
        assert staying.is_alive()


def test_a_sign_in_that_ended_in_another_process_is_noticed_when_topics_are_read_again(
    app: Flask, cast: Cast, signed_in: Callable[[str], Visitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (live_parts, stream_guard):
        monkeypatch.setattr(module, "CHECK_SECONDS", 600.0)
    with waiting(signed_in(cast.moonbase.viewer)) as leaving:
        wait_until(lambda: waiters() == 1, 20, "the stream waits")
        monkeypatch.setattr(hub, "notify", lambda versions: None)  # this process is not told
        sign_out_everywhere(member_with(cast.moonbase.viewer), CAST)
        leaving.join(20)
        assert not leaving.is_alive()


def test_one_query_looks_at_every_stream(app: Flask, cast: Cast) -> None:
    watch = SignInWatch(app)
    everybody = [
        Visit(begin_sign_in(member, None, "Firefox")[0].id, member.role)
        for member in db.session.scalars(select(Member)).all()
    ]
    for visit in everybody:
        watch.add_stream(visit)
    with statements() as sent:
        assert all(watch.is_active(visit) for visit in everybody)
    assert sent.queries == 1


def test_a_closed_connection_is_noticed_without_a_write(
    app: Flask, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_guard, "CHECK_SECONDS", 0.2)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        visit = Visit(begin_sign_in(member_with(cast.starlight.owner), None, "Firefox")[0].id, "owner")
        reader = StreamReader(SignInWatch(app), visit, ours)
        assert reader.stays()
        theirs.close()
        wait_until(lambda: not reader.stays(), 30, "it is noticed at the next look")


def test_a_page_of_an_old_role_is_reloaded_and_says_why(cast: Cast, signed_in: Callable[[str], Visitor]) -> None:
    """Polls and streams of a page name its role. After 403, the script reloads the page."""
    viewer = signed_in(cast.moonbase.viewer)
    page = viewer.get("/servers").text
    stream, poll = (
        re.findall(rf'{name}="([^"]+)"', page)[0].replace("&amp;", "&") for name in ("sse-connect", "data-poll")
    )
    assert "as_role=viewer" in stream
    assert viewer.get(poll, headers=HTMX).status_code == 200
    made_developer(member_with(cast.moonbase.viewer))
    for address in (stream, poll):
        answer = viewer.get(address, headers=HTMX)
        assert answer.status_code == 403
        assert answer.text == "Your role was changed. It is now developer.\n"
    page = viewer.get("/servers").text
    assert plain(page).count("Your role was changed. It is now developer") == 1
    assert "as_role=developer" in page
