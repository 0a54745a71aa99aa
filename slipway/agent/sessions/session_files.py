"""Play sessions on this server, one file per session. The agent, launch scripts and eviction all use these files."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from slipway.agent.cache.cache_layout import CacheLayout
from slipway.agent.cache.locks import file_lock
from slipway.agent.cache.next_actions import BuildsInUse
from slipway.agent.path_names import BuildKey
from slipway.client.durable import read_json, write_json


@dataclass(frozen=True)
class Session:
    """`build` is None while the session starts: it may then use any build of its game."""

    id: str
    game_id: str
    build: int | None
    pid: int
    process: str  # process_identity(pid) at the start of the session
    started_at: str  # ISO 8601, UTC, whole seconds

    @property
    def alive(self) -> bool:
        return process_identity(self.pid) == self.process


def process_identity(pid: int) -> str | None:
    """Identifies this process, as opposed to a later one with the same pid. None if it has exited (or is a zombie).

    It is the kernel's start tick and boot id. psutil's create_time depends on the wall clock, so a clock that is set
    right after boot would make every running session look ended.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name in parentheses may hold anything, so count fields from the last ')': state is the 3rd field
    # of proc(5), starttime the 22nd.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in {"Z", "X"} else f"{boot}/{fields[19]}"


def now_iso() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class SessionFiles:
    def __init__(self, layout: CacheLayout) -> None:
        self._layout = layout

    def locked(self) -> AbstractContextManager[None]:
        """A lock between eviction and the start of sessions. Hold it briefly, never during network calls."""
        return file_lock(self._layout.sessions_lock)

    def all(self) -> list[Session]:
        sessions = []
        for path in sorted(self._layout.sessions.glob("[!.]*.json")):
            with contextlib.suppress(KeyError, TypeError, ValueError):
                document = read_json(path)
                if document is not None:
                    sessions.append(Session(**document))
        return sessions

    def get(self, session_id: str) -> Session | None:
        return next((session for session in self.all() if session.id == session_id), None)

    def write(self, session: Session) -> None:
        write_json(self._layout.session(session.id), asdict(session))

    def remove(self, session_id: str) -> None:
        self._layout.session(session_id).unlink(missing_ok=True)

    def in_use(self) -> BuildsInUse:
        """The builds and games that running sessions use. Call it, and act on the result, under `locked()`."""
        live = [session for session in self.all() if session.alive]
        return BuildsInUse(
            builds={BuildKey(session.game_id, session.build) for session in live if session.build is not None},
            games={session.game_id for session in live if session.build is None},
        )
