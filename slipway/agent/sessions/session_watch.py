"""Ends sessions whose process has exited. A killed launch script cannot end its session itself."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

from slipway.agent import logs
from slipway.agent.crash_points import fault_point
from slipway.agent.platform_client import PlatformClient, PlatformRefused, PlatformUnreachable
from slipway.agent.sessions.session_files import Session, SessionFiles


class SessionWatch:
    """`on_change` is called when the set of running sessions changes."""

    def __init__(
        self,
        sessions: SessionFiles,
        client: PlatformClient,
        every_seconds: float,
        stopping: Event,
        on_change: Callable[[], None],
    ) -> None:
        self._sessions = sessions
        self._client = client
        self._every_seconds = every_seconds
        self._stopping = stopping
        self._on_change = on_change
        self._known: set[tuple[str, int | None]] = set()

    def run(self) -> None:
        while not self._stopping.is_set():
            fault_point("session-watch")
            try:
                self.end_dead_sessions()
            except OSError as error:
                logs.warning("the session files cannot be read", reason=error.strerror, path=error.filename)
            self._stopping.wait(self._every_seconds)

    def end_dead_sessions(self) -> None:
        sessions = self._sessions.all()
        gone = [session for session in sessions if not session.alive]
        for session in gone:
            # The file first: eviction and the next report depend on it, even if the platform is not reachable now.
            self._sessions.remove(session.id)
        live = {(session.id, session.build) for session in sessions if session not in gone}
        if live != self._known:
            self._known = live
            self._on_change()
        for session in gone:
            self._tell(session)

    def _tell(self, session: Session) -> None:
        logs.info("session ended: its process has exited", session=session.id, game=session.game_id, pid=session.pid)
        try:
            self._client.end_session(session.id)
        except (PlatformUnreachable, PlatformRefused) as error:
            logs.info("the next report will end the session", session=session.id, reason=error)
