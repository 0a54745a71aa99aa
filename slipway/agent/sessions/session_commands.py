"""`slipway-agent session start` and `end`, for launch scripts. They work with and without a running agent."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from pathlib import Path

from slipway.agent.cache.build_store import BuildMarker, Inventory
from slipway.agent.cache.cache_layout import CacheLayout
from slipway.agent.exit_codes import ExitCode
from slipway.agent.path_names import BuildKey, parse_identifier
from slipway.agent.platform_client import (
    PlatformClient,
    PlatformRefused,
    PlatformUnreachable,
    make_platform_pool,
)
from slipway.agent.sessions.connection_file import NoConnection, read_connection
from slipway.agent.sessions.session_files import Session, SessionFiles, now_iso, process_identity

# A player is waiting: starting on the active build is better than a long wait for the platform.
_PLATFORM_TIMEOUT_SECONDS = 3.0


class SessionRefused(Exception):
    """No session was started or ended. `exit_code` is the command's exit code."""

    def __init__(self, exit_code: ExitCode, message: str) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True)
class StartedSession:
    """`path` is the absolute directory that contains `launcher`. `note` is set if the platform was not reachable."""

    id: str
    game_id: str
    build: int
    path: Path
    launcher: str
    registered: bool
    note: str | None = None


class SessionCommands:
    def __init__(self, cache: Path) -> None:
        self._layout = CacheLayout(cache)
        self._sessions = SessionFiles(self._layout)
        self._inventory = Inventory(self._layout)
        self._client = _platform_client(self._layout)

    def start(self, game_id: str, pid: int) -> StartedSession:
        """Start a session of `game_id` for process `pid`. Raises SessionRefused."""
        try:
            parse_identifier(game_id, "game id")
        except ValueError as error:
            raise SessionRefused(ExitCode.USAGE, str(error)) from error
        stamp = process_identity(pid)
        if stamp is None:
            raise SessionRefused(ExitCode.USAGE, f"there is no process {pid}: pass the process id of the game")
        session = Session(f"s{uuid.uuid4().hex}", game_id, None, pid, stamp, now_iso())
        with self._sessions.locked():
            self._sessions.write(session)  # From here on no build of this game is evicted.
        try:
            return self._register(session)
        except BaseException:
            self._sessions.remove(session.id)
            raise

    def end(self, session_id: str) -> str | None:
        """End a session. Returns a note if the platform was not reachable. Raises SessionRefused."""
        try:
            parse_identifier(session_id, "session id")
        except ValueError as error:
            raise SessionRefused(ExitCode.USAGE, str(error)) from error
        was_here = self._sessions.get(session_id) is not None
        self._sessions.remove(session_id)
        try:
            known = self._client.end_session(session_id)
        except PlatformUnreachable as error:
            return f"the platform is not reachable ({error}); the agent's next reports end the session there"
        except PlatformRefused as refusal:
            raise SessionRefused(ExitCode.REFUSED, f"the platform refused: {refusal}") from refusal
        if not known and not was_here:
            raise SessionRefused(ExitCode.NOT_FOUND, f"there is no session {session_id}")
        return None

    def _register(self, session: Session) -> StartedSession:
        # A report without this session, composed a moment ago, may reach the platform after this call. The platform
        # therefore ends a session only after two reports without it.
        try:
            build = self._client.start_session(session.id, session.game_id)
        except PlatformUnreachable as error:
            return self._start_locally(session, str(error))
        except PlatformRefused as refusal:
            raise _session_refusal(refusal, session.game_id) from refusal
        key = BuildKey(session.game_id, build)
        marker = self._inventory.get(key)
        if marker is None:
            self._end_on_platform(session)
            raise SessionRefused(
                ExitCode.NOT_CACHED,
                f"the platform chose build {build} of {session.game_id}, which is not complete in this cache",
            )
        return self._begin(session, key, marker, registered=True)

    def _start_locally(self, session: Session, reason: str) -> StartedSession:
        key = self._inventory.current(session.game_id)
        marker = self._inventory.get(key) if key else None
        if key is None or marker is None:
            raise SessionRefused(
                ExitCode.NOT_CACHED,
                f"the platform is not reachable ({reason}) and no build of {session.game_id} is active here",
            )
        note = (
            f"the platform is not reachable ({reason}); started on build {key.build}, which is active here. "
            "The agent's next report registers the session"
        )
        return self._begin(session, key, marker, registered=False, note=note)

    def _begin(
        self, session: Session, key: BuildKey, marker: BuildMarker, *, registered: bool, note: str | None = None
    ) -> StartedSession:
        self._sessions.write(replace(session, build=key.build))
        path = (self._layout.build(key) / marker.top_directory).absolute()
        return StartedSession(session.id, key.game_id, key.build, path, marker.launcher, registered, note)

    def _end_on_platform(self, session: Session) -> None:
        try:
            self._client.end_session(session.id)
        except (PlatformUnreachable, PlatformRefused):
            return  # The agent's reports do not list it, which ends it too.


def _platform_client(layout: CacheLayout) -> PlatformClient:
    try:
        connection = read_connection(layout)
    except NoConnection as error:
        raise SessionRefused(ExitCode.NO_AGENT, str(error)) from error
    pool = make_platform_pool(ca_file=connection.ca_file)
    return PlatformClient(pool, connection.url, connection.token, timeout_seconds=_PLATFORM_TIMEOUT_SECONDS)


def _session_refusal(refusal: PlatformRefused, game_id: str) -> SessionRefused:
    if refusal.status == 404:
        return SessionRefused(ExitCode.NOT_FOUND, f"the game {game_id} does not exist, or was deleted: {refusal}")
    if refusal.code == "not_cached":
        return SessionRefused(ExitCode.NOT_CACHED, f"no released build of {game_id} is cached here: {refusal}")
    return SessionRefused(ExitCode.REFUSED, f"the platform refused ({refusal.status}): {refusal}")
