"""Play sessions on this server, one file each: the truth for the agent, the launch scripts and eviction alike."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from slipway.agent.cache.cache_layout import CacheLayout
from slipway.agent.cache.locks import file_lock
from slipway.agent.cache_actions import BuildsInUse
from slipway.agent.path_names import BuildKey
from slipway.client.durable import read_json, write_json


@dataclass(frozen=True)
class Session:
    """`build` is None while it starts: until then the session may take any build of its game."""

    id: str
    game_id: str
    build: int | None
    pid: int
    process: str  # what process_identity(pid) said when the session began
    started_at: str  # ISO 8601, UTC, whole seconds

    @property
    def alive(self) -> bool:
        return process_identity(self.pid) == self.process


def process_identity(pid: int) -> str | None:
    """What tells this process from a later one of the same pid; None when it is gone (or a zombie).

    Kernel start tick and boot id, not psutil's create_time: that is derived from the wall clock, so a clock set
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
        """Keeps eviction and the beginning of sessions apart. Held for moments only, never across the network."""
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
        """What live sessions hold on to. Decide and act on it under `file_lock()`."""
        live = [session for session in self.all() if session.alive]
        return BuildsInUse(
            builds={BuildKey(session.game_id, session.build) for session in live if session.build is not None},
            games={session.game_id for session in live if session.build is None},
        )
