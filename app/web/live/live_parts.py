"""The live parts of a page, for streams and polls. They are rendered once per change and shared by all readers with the
same rights.

Designed for 1,000 streams in one process at one event per second: the first thread that needs a change renders it, and
all others use the same bytes; a stream waits in the event hub without a database connection; and a stream that has sent
the previous state sends only the parts that changed.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from flask import Flask, current_app
from markupsafe import escape

from app.data.database import DatabaseError
from app.data.models.base import now
from app.data.outages import outage_in
from app.topics.event_hub import hub
from app.web.frame.shown_text import shown

HEARTBEAT_SECONDS = 12.0
CHECK_SECONDS = 3.0  # between two checks that the page is still open and its reader signed in
# Between two renderings of an open page, and so between two events of its stream, however often servers report: several
# servers' reports become one. Without it, a page of one server would be rendered after each report of the others.
MIN_EVENT_INTERVAL_SECONDS = 0.5
STREAM_LIFETIME_SECONDS = 600.0  # then the browser reconnects and is authenticated again
MAX_CACHED_PAGES = 512
HEARTBEAT = b"event: beat\ndata:\n\n"


@dataclass(frozen=True)
class Part:
    """One element of the page, swapped by its id. `row`: a section, row or cell of a table, which htmx needs inside a
    template. `inner`: elements in it, in their order, which are sent alone when only some of them change."""

    id: str
    html: str
    row: bool = False
    inner: tuple[Part, ...] = ()

    @property
    def swap(self) -> str:
        """The part as an out-of-band swap of htmx."""
        html = self.html.replace(f' id="{self.id}"', f' hx-swap-oob="morph" id="{self.id}"', 1)
        return f"<template>{html}</template>" if self.row else html

    def changed_since(self, before: Part | None) -> list[Part]:
        """The smallest parts that bring a page from `before` to this state. None: the page has no such part."""
        if before is None:
            return [self]
        if before.html == self.html:
            return []
        if not self.inner or before._frame() != self._frame():
            return [self]
        pairs = zip(self.inner, before.inner, strict=True)
        return [part for after, earlier in pairs for part in after.changed_since(earlier)]

    def _frame(self) -> tuple[str, ...]:
        """What is around the inner parts, and their ids."""
        pieces, rest = [], self.html
        for part in self.inner:
            piece, _, rest = rest.partition(part.html)
            pieces += [piece, part.id]
        return (*pieces, rest)


@dataclass
class RenderedParts:
    """All live parts of a page in one state. `etag` names that state."""

    title: str
    parts: tuple[Part, ...]  # all live elements of the page
    rows: tuple[Part, ...]  # the inner parts of the last part
    version: int
    changes_at: datetime | None = None  # when the passing of time makes it outdated
    etag: str = ""

    def __post_init__(self) -> None:
        if self.rows:
            self.parts = (*self.parts[:-1], replace(self.parts[-1], inner=self.rows))
        content = "\0".join((self.title, *(render_part.html for render_part in self.parts)))
        self.etag = f'"{hashlib.sha256(content.encode()).hexdigest()[:20]}"'
        self._events: dict[str, bytes] = {}

    def is_current(self, version: int) -> bool:
        """Whether this is the state at `version` of the page's topic."""
        return self.version == version and (self.changes_at is None or now() < self.changes_at)

    def seconds_to_change(self) -> float:
        """When the passing of time makes it outdated; not beyond the next heartbeat."""
        return HEARTBEAT_SECONDS if self.changes_at is None else (self.changes_at - now()).total_seconds()

    def html(self, part_id: str) -> str:
        """The HTML of one part, for the page."""
        return next(render_part.html for render_part in self.parts if render_part.id == part_id)

    def fragment(self) -> str:
        """All parts as swaps, for a poll."""
        return "".join((self._title(), *(render_part.swap for render_part in self.parts)))

    def event(self, seen: RenderedParts | None) -> bytes:
        """The server-sent event that updates a page from `seen` (None: from any state) to this state."""
        key = seen.etag if seen else ""
        if key not in self._events:
            html = self.fragment() if seen is None else self._difference(seen)
            # A carriage return ends a line of an event too. An agent's words may contain it.
            lines = "".join(f"data: {line}\n" for line in html.replace("\r", "\n").split("\n") if line)
            self._events[key] = f"id: {self.etag}\nevent: live\n{lines}\n".encode()
        return self._events[key]

    def _difference(self, seen: RenderedParts) -> str:
        before = {render_part.id: render_part for render_part in seen.parts}
        changed = [part for each in self.parts for part in each.changed_since(before.get(each.id))]
        return "".join((self._title(), *(part.swap for part in changed)))

    def _title(self) -> str:
        return f"<title>{escape(shown(self.title))}</title>"


GAME_GONE = "This game no longer exists."
"""Of subjects that are part of a game."""


class Subject(Protocol):
    """The live content of a page. Equal subjects share one rendering, so its fields hold all that differs by reader."""

    @property
    def gone(self) -> str:
        """The message when the object is deleted."""

    @property
    def topic(self) -> str:
        """The topic that is published when the content changes."""

    def render(self, app: Flask, version: int) -> RenderedParts | None:
        """The current parts, or None if the object is deleted. Called in an app context without a request."""


class Shared(Protocol):
    """A stream that another thread sends (app/web/live/shared_streams.py). `seen`: the state that its page shows."""

    seen: RenderedParts


# Takes the state that the page shows and time.monotonic() of the stream's planned end.
Share = Callable[[RenderedParts, float], Shared]


class _Entry:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.rendered: RenderedParts | None = None


class LiveParts:
    """A cache of rendered parts. One per process; thread-safe."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._entries: OrderedDict[Subject, _Entry] = OrderedDict()
        self.renderings = 0

    def of(self, subject: Subject) -> RenderedParts | None:
        """The current parts, or None if the object is deleted. The caller must hold no database connection: it may wait
        for the rendering thread, which needs one."""
        entry = self._entry(subject)
        version = hub.version(subject.topic)
        ready = entry.rendered
        if ready and ready.is_current(version):  # without the lock, on which a thousand streams would queue
            return ready
        with entry.lock:
            found = entry.rendered
            if found and found.is_current(version):
                return found
            fresh = self._render(subject, version)
            if found and fresh and fresh.etag == found.etag:
                found.version, found.changes_at = fresh.version, fresh.changes_at
                return found
            entry.rendered = fresh
            return fresh

    def _entry(self, subject: Subject) -> _Entry:
        with self._lock:
            entry = self._entries.setdefault(subject, _Entry())
            # The page that nobody reads for longest goes first. Searches with made-up words, of which each is a page of
            # its own, must not push out the pages that are open.
            self._entries.move_to_end(subject)
            if len(self._entries) > MAX_CACHED_PAGES:
                self._entries.popitem(last=False)
            return entry

    def _render(self, subject: Subject, version: int) -> RenderedParts | None:
        # Its own context: a stream no longer has one, and threads must not share the database objects of a page.
        with self._app.app_context():
            self.renderings += 1
            return subject.render(self._app, version)

    def stream_of(
        self,
        subject: Subject,
        seen_etag: str | None,
        stays: Callable[[], bool] = lambda: True,
        reader: str = "",
        share: Share | None = None,
    ) -> Generator[bytes]:
        """The body of an event stream: an event when parts change, and heartbeats. It ends when `stays` returns False.

        `stays` is called before each event, at least every CHECK_SECONDS, and when the hub wakes `reader`. It also ends
        when the database is away: the page reconnects, and gets 503. `share`, if the web server can hold the connection
        without a thread, lets another thread send what follows: the stream yields once more, and is continued when it
        is to send itself again or to end."""
        try:
            yield from self._events(subject, seen_etag, stays, reader, share)
        except DatabaseError as error:
            if outage_in(error) is None:
                raise

    def _events(
        self,
        subject: Subject,
        seen_etag: str | None,
        stays: Callable[[], bool],
        reader: str,
        share: Share | None,
    ) -> Generator[bytes]:
        ends = time.monotonic() + STREAM_LIFETIME_SECONDS * random.uniform(0.8, 1.2)  # noqa: S311 (spreads reconnections)
        yield b"retry: 2000\n" + HEARTBEAT
        seen: RenderedParts | None = None
        version: int | None = None
        wrote_at = time.monotonic()
        while not hub.stopping and time.monotonic() < ends:
            if not stays():
                return
            present = self.of(subject)
            if present is None:
                return  # deleted: the browser reconnects and gets 404
            is_rendered_again = version not in {None, present.version}
            version = present.version
            if seen is None and present.etag == seen_etag:
                seen = present
            elif seen is None or present.etag != seen.etag:
                yield present.event(seen)
                seen, wrote_at, is_rendered_again = present, time.monotonic(), True
            elif time.monotonic() - wrote_at >= HEARTBEAT_SECONDS:
                yield HEARTBEAT
                wrote_at = time.monotonic()
            if share is not None:
                shared = share(seen, ends)
                yield b""
                seen, wrote_at = shared.seen, time.monotonic()
                continue
            if is_rendered_again:
                time.sleep(MIN_EVENT_INTERVAL_SECONDS)
                continue
            heartbeat_in = wrote_at + HEARTBEAT_SECONDS - time.monotonic()
            check_in = min(CHECK_SECONDS, heartbeat_in, present.seconds_to_change())
            hub.wait(subject.topic, present.version, max(0.0, check_in), {reader})


def live_parts() -> LiveParts:
    """The cache of the current app."""
    found: LiveParts = current_app.extensions["slipway_live"]
    return found


def init_app(app: Flask) -> None:
    """Create the cache of rendered parts."""
    app.extensions["slipway_live"] = LiveParts(app)


def render_part(app: Flask, part_id: str, template: str, *, row: bool = False, **context: object) -> Part:
    """Render one part. Its template sets the id. There is no request: all readers get the same bytes."""
    return Part(part_id, app.jinja_env.get_template(template).render(**context).strip(), row)
