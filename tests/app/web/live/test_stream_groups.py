"""When a shared stream is sent an event, and when its connection goes back to the web server."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from flask import Flask

from app.data.models.base import now
from app.topics.event_hub import hub
from app.web.games.live_game import GameSubject
from app.web.live.live_parts import MIN_EVENT_INTERVAL_SECONDS, LiveParts, RenderedParts
from app.web.live.shared_streams import SharedStream, SharedStreams, shared_streams
from app.web.operator.server_page import ServerSubject
from tests.app.runtime.processes import wait_until
from tests.app.web import fleet_scenes, scenes
from tests.app.web.conftest import ONE_DATABASE
from tests.app.web.scenes import On, Sent
from tests.conftest import Cast

pytestmark = ONE_DATABASE
LATER = 1e9


class Receiver:
    """A connection that keeps what it is sent. `accepts`: whether its client reads."""

    def __init__(self, *, accepts: bool = True) -> None:
        self.sent: list[bytes] = []
        self.resumed = threading.Event()
        self._accepts = accepts

    def send(self, data: bytes) -> bool:
        assert not self.resumed.is_set(), "the connection belongs to the web server"
        self.sent.append(data)
        return self._accepts

    def resume(self) -> None:
        assert not self.resumed.is_set()
        self.resumed.set()


@pytest.fixture
def streams(app: Flask) -> Iterator[SharedStreams]:
    with app.app_context():
        yield shared_streams()
    hub.stop()  # ends the threads


@pytest.fixture
def subject(cast: Cast) -> GameSubject:
    on = [On("srv-01", "downloading", 10, 1_000_000)]
    return GameSubject(scenes.add_game(cast.starlight.partner_id, "Low Tide", "low-tide", [Sent(on=on)]), True)


def present(app: Flask, subject: GameSubject) -> RenderedParts:
    parts: LiveParts = app.extensions["slipway_live"]
    found = parts.of(subject)
    assert found
    return found


def stream(seen: RenderedParts, ends_at: float = LATER) -> SharedStream:
    return SharedStream(seen, lambda: True, "reader", ends_at)


def change(subject: GameSubject) -> None:
    scenes.change(subject.game_id, 1, "srv-01", bytes_done=7_000_000_000)


def test_a_stream_that_joins_after_a_change_is_sent_it_at_once(
    app: Flask, streams: SharedStreams, subject: GameSubject
) -> None:
    old = present(app, subject)
    first, late = Receiver(), Receiver()
    streams.join(subject, stream(old), first)
    change(subject)
    wait_until(lambda: first.sent, 30, "the first stream was sent the change")
    streams.join(subject, stream(old), late)
    assert late.sent == first.sent


def test_a_client_that_accepts_no_more_goes_back_once(app: Flask, streams: SharedStreams, subject: GameSubject) -> None:
    slow, quick = Receiver(accepts=False), Receiver()
    shared = stream(present(app, subject))
    streams.join(subject, shared, slow)
    streams.join(subject, stream(shared.seen), quick)
    change(subject)
    assert slow.resumed.wait(30)
    wait_until(lambda: quick.sent, 30, "the other one was sent the change")
    assert len(slow.sent) == 1
    assert shared.seen.etag == present(app, subject).etag, "its page shows what was sent"
    assert not quick.resumed.is_set()


def test_a_stream_goes_back_at_its_planned_end(app: Flask, streams: SharedStreams, subject: GameSubject) -> None:
    ending = Receiver()
    streams.join(subject, stream(present(app, subject), time.monotonic()), ending)
    assert ending.resumed.wait(30)
    assert ending.sent == []


def test_every_stream_goes_back_when_the_process_stops(
    app: Flask, streams: SharedStreams, subject: GameSubject
) -> None:
    receivers = [Receiver() for _ in range(3)]
    for receiver in receivers:
        streams.join(subject, stream(present(app, subject)), receiver)
    hub.stop()
    assert all(receiver.resumed.wait(30) for receiver in receivers)


def test_an_open_page_is_not_rendered_after_each_report_that_changes_nothing_in_it(
    app: Flask, streams: SharedStreams, six_servers: list[str]
) -> None:
    """Hundreds of servers report every second, and each report announces the topic of all servers."""
    parts, page, receiver = app.extensions["slipway_live"], ServerSubject("srv-01"), Receiver()
    seen = parts.of(page)
    assert seen
    streams.join(page, stream(seen), receiver)
    before, begun, reports = parts.renderings, time.monotonic(), 0
    while reports < 20 or time.monotonic() < begun + 4 * MIN_EVENT_INTERVAL_SECONDS:
        fleet_scenes.noticed()
        reports += 1
    rendered, seconds = parts.renderings - before, time.monotonic() - begun
    assert 0 < rendered <= seconds / MIN_EVENT_INTERVAL_SECONDS + 2
    assert receiver.sent == []
    fleet_scenes.columns("srv-01", paused_at=now())
    wait_until(lambda: receiver.sent, 30, "what changes the page is sent")


def test_a_page_that_cannot_be_rendered_gives_its_streams_back(
    app: Flask, streams: SharedStreams, subject: GameSubject, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver, seen = Receiver(), present(app, subject)

    def fails(_parts: LiveParts, _subject: object) -> RenderedParts:
        raise RuntimeError("fails on purpose")

    monkeypatch.setattr(LiveParts, "of", fails)
    streams.join(subject, stream(seen), receiver)
    assert receiver.resumed.wait(30)
