"""Event streams of one page that share a thread.

A stream that has sent the present state waits for the next one. A thousand threads that wake for the same change keep
each other from the interpreter for longer than their work takes. Where the web server can hold a connection without a
thread, one thread per page waits, and writes the event to every connection.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from flask import Flask, current_app

from app.data.outages import outage_in
from app.topics.event_hub import hub
from app.web.live import live_parts
from app.web.live.live_parts import HEARTBEAT, LiveParts, RenderedParts, Subject

log = logging.getLogger(__name__)


class StreamClient(Protocol):
    """A connection that the web server holds without a thread (app/runtime/web_server/held_streams.py)."""

    def send(self, data: bytes) -> bool:
        """Send without waiting. Returns whether the client accepted everything. If not, the web server sends the rest
        after `resume`, or finds that the connection is broken."""

    def resume(self) -> None:
        """Return the connection to the web server, which continues the stream's generator in a thread."""


@dataclass(eq=False)
class SharedStream:
    """One stream. `seen`: the state that its page shows. `stays`: whether its page is open and its reader signed in.
    `ends_at`: time.monotonic() of its planned end."""

    seen: RenderedParts
    stays: Callable[[], bool]
    reader: str
    ends_at: float
    client: StreamClient | None = None


class SharedStreams:
    """All shared streams. One per process; thread-safe."""

    def __init__(self, parts: LiveParts) -> None:
        self._parts = parts
        self._lock = threading.Lock()
        self._groups: dict[Subject, _Group] = {}

    def join(self, subject: Subject, stream: SharedStream, client: StreamClient) -> None:
        """From now on the subject's thread sends the stream's events to `client`, until it resumes it."""
        stream.client = client
        with self._lock:
            group = self._groups.get(subject)
            if group is None:
                group = _Group(subject, self._parts)
                # Its thread waits for the lock. If it cannot be started, no other stream may find the group.
                threading.Thread(target=self._run, args=(group,), name="live-page", daemon=True).start()
                self._groups[subject] = group
            group.add(stream)

    def _run(self, group: _Group) -> None:
        try:
            while not self._is_over(group):
                group.turn()
        except Exception as error:
            if outage_in(error) is None:  # an outage has its own line in the log, and ends the streams
                log.exception("the live parts of a page could not be sent; its streams continue by themselves")
            with self._lock:
                del self._groups[group.subject]
            group.resume_all()

    def _is_over(self, group: _Group) -> bool:
        with self._lock:
            if group.streams:
                return False
            del self._groups[group.subject]
            return True


class _Group:
    """The streams of one subject. Other threads only add streams; the group's own thread does everything else."""

    def __init__(self, subject: Subject, parts: LiveParts) -> None:
        self.subject = subject
        self.streams: dict[SharedStream, None] = {}
        self._parts = parts
        self._lock = threading.Lock()  # held while events are written, which does not wait for clients
        self._sent: RenderedParts | None = None  # the last state that was sent to all
        self._version: int | None = None  # of the last rendering
        self._beat_at = time.monotonic() + live_parts.HEARTBEAT_SECONDS

    def add(self, stream: SharedStream) -> None:
        """Add a stream, and send what it missed on its way here."""
        with self._lock:
            self.streams[stream] = None
            if self._sent is not None and self._sent.version > stream.seen.version:
                self._update(stream, self._sent)

    def turn(self) -> None:
        """Send what is new, then wait for the next change, heartbeat or check."""
        present = None if hub.stopping else self._parts.of(self.subject)
        if present is None:
            self.resume_all()  # each of them ends
            return
        self._resume_leavers()
        is_rendered_again = self._version not in {None, present.version}
        self._version = present.version
        if self._send(present) or is_rendered_again:
            time.sleep(live_parts.MIN_EVENT_INTERVAL_SECONDS)
            return
        seconds = min(live_parts.CHECK_SECONDS, self._beat_at - time.monotonic(), present.seconds_to_change())
        hub.wait(self.subject.topic, present.version, max(0.0, seconds), {stream.reader for stream in self._all()})

    def resume_all(self) -> None:
        """Return every stream to the web server."""
        with self._lock:
            for stream in self._all():
                self._resume(stream)

    def _all(self) -> list[SharedStream]:
        return list(self.streams)  # in one step, because other threads add streams

    def _resume_leavers(self) -> None:
        """Return the streams that are to end."""
        now = time.monotonic()
        leavers = [stream for stream in self._all() if now >= stream.ends_at or not stream.stays()]
        with self._lock:
            for stream in leavers:
                self._resume(stream)

    def _send(self, present: RenderedParts) -> bool:
        """Returns whether any stream was sent an event."""
        is_beat = time.monotonic() >= self._beat_at
        if is_beat:
            self._beat_at = time.monotonic() + live_parts.HEARTBEAT_SECONDS
        with self._lock:
            self._sent = present
            outdated = [stream for stream in self.streams if stream.seen.etag != present.etag]
            if is_beat:
                for stream in self.streams.keys() - outdated:
                    self._write(stream, HEARTBEAT)
            for stream in outdated:
                self._update(stream, present)
        return bool(outdated)

    def _update(self, stream: SharedStream, present: RenderedParts) -> None:
        event = present.event(stream.seen)
        stream.seen = present
        self._write(stream, event)

    def _write(self, stream: SharedStream, data: bytes) -> None:
        assert stream.client is not None
        if not stream.client.send(data):
            self._resume(stream)

    def _resume(self, stream: SharedStream) -> None:
        assert stream.client is not None
        if stream in self.streams:  # otherwise it was resumed already
            del self.streams[stream]
            stream.client.resume()


def shared_streams() -> SharedStreams:
    """The shared streams of the current app."""
    found: SharedStreams = current_app.extensions["slipway_shared_streams"]
    return found


def init_app(app: Flask) -> None:
    """Create the shared streams. After `live_parts.init_app`."""
    app.extensions["slipway_shared_streams"] = SharedStreams(app.extensions["slipway_live"])
