"""The paths in a cache directory. docs/agents.md shows the same layout."""

from __future__ import annotations

import os
from pathlib import Path

from slipway.agent.path_names import BuildKey
from slipway.client.printable import one_line

PRIVATE = ".slipway"
MAX_SHOWN_PATH = 200  # characters; the platform stores 500 of a reason


class CacheLayout:
    """Everyone may read games (0755). `.slipway` contains the token and only the agent's user may enter it (0700)."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self.private = cache / PRIVATE
        self.agent_lock = self.private / "agent.lock"
        self.sessions_lock = self.private / "sessions.lock"
        self.connection = self.private / "connection.json"
        self.state = self.private / "state.json"
        self.downloads = self.private / "downloads"
        self.unpack = self.private / "unpack"
        self.assembling = self.private / "assembling"
        self.mending = self.private / "mending"
        self.verify_lock = self.private / "verify.lock"
        self.markers = self.private / "whole"
        self.trash = self.private / "trash"
        self.sessions = self.private / "sessions"

    def create(self) -> None:
        """Create missing directories. chmod() sets their modes, because mkdir() applies the umask."""
        self.cache.mkdir(parents=True, exist_ok=True)
        private = (self.downloads, self.unpack, self.assembling, self.mending, self.markers, self.trash, self.sessions)
        for directory in (self.private, *private):
            directory.mkdir(exist_ok=True)
            directory.chmod(0o700)

    def part(self, key: BuildKey) -> Path:
        return self.downloads / f"{key}.part"

    def part_metadata(self, key: BuildKey) -> Path:
        """The archive that the `.part` file beside it belongs to."""
        return self.downloads / f"{key}.json"

    def unpacking(self, key: BuildKey) -> Path:
        return self.unpack / str(key)

    def marker(self, key: BuildKey) -> Path:
        return self.markers / f"{key}.json"

    def index(self, key: BuildKey) -> Path:
        return self.markers / f"{key}.index"

    def game(self, game_id: str) -> Path:
        return self.cache / game_id

    def build(self, key: BuildKey) -> Path:
        return self.cache / key.game_id / str(key.build)

    def current(self, game_id: str) -> Path:
        return self.cache / game_id / "current"

    def session(self, session_id: str) -> Path:
        return self.sessions / f"{session_id}.json"

    def error_words(self, error: OSError) -> str:
        """What an error of the disk is about, for people on the platform: `Operation not permitted at g1/4 in the
        cache`. A path that is not below the cache directory is left out."""
        words = error.strerror or type(error).__name__
        paths = [path for name in (error.filename, error.filename2) if (path := self._below(name))]
        return f"{words} at {' to '.join(paths)} in the cache" if paths else words

    def _below(self, name: object) -> str:
        """The path from the cache directory on, or "". Of a long path the end is kept, which names the file."""
        if not isinstance(name, str | bytes):
            return ""
        path = Path(os.path.normpath(os.fsdecode(name)))
        if path == self.cache or not path.is_relative_to(self.cache):
            return ""
        below = str(path.relative_to(self.cache))
        return one_line(below if len(below) <= MAX_SHOWN_PATH else f"…{below[-MAX_SHOWN_PATH:]}")
