"""The rendered parts behind streams and polls."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import QueuePool

from app.data.database import writing
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.game import Game
from app.data.models.server import Server
from app.topics.event_hub import hub
from app.web.games.live_game import GameSubject
from app.web.live import live_parts
from app.web.live.live_parts import LiveParts, Part, RenderedParts
from tests.app.web import scenes
from tests.app.web.scenes import On, Sent
from tests.conftest import Cast


@pytest.fixture
def parts(app: Flask) -> LiveParts:
    found: LiveParts = app.extensions["slipway_live"]
    return found


@pytest.fixture
def game_id(cast: Cast) -> str:
    """Two builds, the newer one live and arriving."""
    found = scenes.add_game(
        cast.starlight.partner_id,
        "Low Tide",
        "low-tide",
        [
            Sent(on=[On("srv-01"), On("srv-02"), On("srv-03")]),
            Sent(on=[On("srv-01"), On("srv-02", "downloading", 10, 1_000_000), On("srv-03", "pending", 0)]),
        ],
    )
    scenes.servers_report()
    return found


def rendered(title: str, fleet: str, *rows: str, version: int = 1) -> RenderedParts:
    pieces = tuple(Part(f"row-{n}", f'<tbody id="row-{n}">{text}</tbody>', row=True) for n, text in enumerate(rows))
    whole = f'<section id="fleet">{fleet}{"".join(piece.html for piece in pieces)}</section>'
    return RenderedParts(title, (Part("head", '<p id="head">x</p>'), Part("fleet", whole)), pieces, version)


def test_a_page_that_saw_the_state_before_is_sent_only_the_rows_that_changed() -> None:
    before, after = rendered("T", "", "a", "b"), rendered("T", "", "a", "c")
    event = after.event(before).decode()
    assert '<template><tbody hx-swap-oob="morph" id="row-1">c</tbody></template>' in event
    assert 'id="row-0"' not in event
    assert 'id="head"' not in event


def test_a_new_row_brings_the_whole_table() -> None:
    before, after = rendered("T", "", "a"), rendered("T", "", "a", "b")
    event = after.event(before).decode()
    assert '<section hx-swap-oob="morph" id="fleet">' in event
    assert "<template>" not in event


def test_what_changes_around_the_rows_brings_the_whole_table() -> None:
    """Such as the number of pages, when a row was added on another one."""
    before, after = rendered("T", "1–2 of 2", "a", "b"), rendered("T", "1–2 of 3", "a", "b")
    assert '<section hx-swap-oob="morph" id="fleet">1–2 of 3' in after.event(before).decode()


def test_a_row_with_cells_is_sent_when_more_than_its_cells_changed() -> None:
    def row(note: str, *cells: str) -> Part:
        inner = tuple(Part(f"c{n}", f'<td id="c{n}">{text}</td>', row=True) for n, text in enumerate(cells))
        return Part("row", f'<tr id="row"><th>{note}</th>{"".join(cell.html for cell in inner)}</tr>', True, inner)

    def changed(after: Part) -> list[str]:
        return [part.id for part in after.changed_since(row("1 of 2", "a", "b"))]

    assert changed(row("1 of 2", "a", "b")) == []
    assert changed(row("1 of 2", "a", "c")) == ["c1"]
    assert changed(row("2 of 2", "a", "c")) == ["row"]
    assert changed(row("1 of 2", "a", "b", "c")) == ["row"]


def test_the_last_part_of_a_page_without_rows_is_sent_when_it_changes() -> None:
    event = rendered("T", "srv-04 reports").event(rendered("T", "no report yet")).decode()
    assert '<section hx-swap-oob="morph" id="fleet">srv-04 reports</section>' in event
    assert 'id="head"' not in event


def test_a_page_that_saw_nothing_is_sent_everything() -> None:
    event = rendered("T", "", "a").event(None).decode()
    assert 'id="head"' in event
    assert 'id="fleet"' in event


def test_events_are_well_formed_and_carry_the_state_they_lead_to() -> None:
    found = rendered("One\nTwo", "x\n\ny\r\rretry: 999999\rid: z", "a")
    assert "\r" not in found.event(None).decode(), "it would end a line too"
    lines = found.event(None).decode().split("\n")
    assert lines[0] == f"id: {found.etag}"
    assert lines[1] == "event: live"
    assert lines[-2:] == ["", ""]
    assert all(line.startswith("data: ") for line in lines[2:-2])


def test_a_title_with_markup_stays_text() -> None:
    assert "<title>&lt;b&gt;</title>" in rendered("<b>", "").fragment()


def test_the_same_event_is_made_once_for_all_streams() -> None:
    before, after = rendered("T", "", "a"), rendered("T", "", "b")
    assert after.event(before) is after.event(before)


def test_a_change_makes_a_new_state_and_reading_does_not(parts: LiveParts, game_id: str) -> None:
    first = parts.of(GameSubject(game_id, True))
    assert parts.of(GameSubject(game_id, True)) is first
    scenes.change(game_id, 2, "srv-02", bytes_done=720_000_000 * 5)
    second = parts.of(GameSubject(game_id, True))
    assert first
    assert second
    assert second.etag != first.etag
    assert "50\u00a0%" in second.fragment()
    event = second.event(first).decode()
    assert re.findall(r' id="([^"]+)"', event) == ["fleet-to-send", "c2-srv-02"], "only the cells that changed"


def test_lost_contact_shows_without_any_report(parts: LiveParts, game_id: str) -> None:
    first = parts.of(GameSubject(game_id, True))
    assert first
    assert first.changes_at
    assert first.changes_at > now()
    # As if the 30 seconds had passed: the reports are older now, and nothing was announced.
    with writing() as session:
        for server in session.query(Server):
            server.last_report_at = now() - timedelta(seconds=31)
    first.changes_at = now()
    second = parts.of(GameSubject(game_id, True))
    assert second
    assert "No contact" in second.fragment()


def test_a_deleted_game_has_no_parts_and_ends_its_streams(parts: LiveParts, game_id: str) -> None:
    with closing(parts.stream_of(GameSubject(game_id, True), None)) as stream:
        next(stream)
        with writing() as session:
            session.get_one(Game, game_id).deleted_at = now()
        assert list(stream) == []


def test_a_page_that_is_up_to_date_is_sent_nothing_until_something_changes(parts: LiveParts, game_id: str) -> None:
    present = parts.of(GameSubject(game_id, True))
    assert present
    with closing(parts.stream_of(GameSubject(game_id, True), present.etag)) as stream:
        assert b"beat" in next(stream)
        heard = _in_thread(stream)
        scenes.change(game_id, 2, "srv-02", bytes_done=7_000_000_000)
        assert b"97" in heard()


def test_waiting_streams_hold_no_database_connection(app: Flask, parts: LiveParts, game_id: str) -> None:
    pool = db.engine.pool
    assert isinstance(pool, QueuePool)
    db.session.remove()
    streams = [parts.stream_of(GameSubject(game_id, True), None) for _ in range(20)]
    waiting = []
    for stream in streams:
        next(stream)
        next(stream)
        waiting.append(_in_thread(stream))
    assert _before(5, lambda: pool.checkedout() == 0)
    scenes.change(game_id, 2, "srv-02", bytes_done=7_000_000_000)
    assert all(b"97" in heard() for heard in waiting)
    for stream in streams:
        stream.close()


def test_streams_end_when_the_process_stops(parts: LiveParts, game_id: str) -> None:
    stream = parts.stream_of(GameSubject(game_id, True), None)
    next(stream)
    next(stream)
    ended = threading.Event()

    def drain() -> None:
        for _ in stream:
            pass
        ended.set()

    thread = threading.Thread(target=drain)
    thread.start()
    try:
        hub.stop()
        assert ended.wait(30)
    finally:
        hub.stopping = False
        thread.join()


def _in_thread(stream: Iterator[bytes]) -> Callable[[], bytes]:
    """Ask a stream for its next piece in a thread, as a server does; call the result to get it."""
    pieces: list[bytes] = []
    thread = threading.Thread(target=lambda: pieces.append(next(stream)))
    thread.start()

    def result() -> bytes:
        thread.join(15)
        assert pieces, "the stream said nothing within 15 s"
        return pieces[0]

    return result


def _before(seconds: float, condition: Callable[[], bool]) -> bool:
    """Whether the condition came true within the time."""
    ended = threading.Event()
    for _ in range(int(seconds * 50)):
        if condition():
            return True
        ended.wait(0.02)
    return False


def test_pages_that_somebody_reads_are_not_pushed_out_by_made_up_ones(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_parts, "MAX_CACHED_PAGES", 3)
    parts, open_page = LiveParts(app), NamedPage("open")
    parts.of(open_page)
    for number in range(10):
        parts.of(NamedPage(f"made up {number}"))
        parts.of(open_page)
    assert parts.renderings == 11


@dataclass(frozen=True)
class NamedPage:
    name: str
    gone: str = ""

    @property
    def topic(self) -> str:
        return "nothing-changes"

    def render(self, app: Flask, version: int) -> RenderedParts | None:
        return RenderedParts(self.name, (Part("only", self.name),), (), version)
