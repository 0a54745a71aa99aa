"""What the cache holds: markers of whole builds, the `current` links, and repair after a crash."""

from __future__ import annotations

import shutil
import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from slipway.agent.cache.cache_layout import CacheLayout
from slipway.agent.cache_actions import CacheContents
from slipway.agent.crash_points import crash_point
from slipway.agent.path_names import BuildKey, parse_build_key
from slipway.client.durable import fsync_path, read_json, write_json


@dataclass(frozen=True)
class BuildMarker:
    """The marker of a build that is complete. It is written before the directory is renamed into place, so a build
    is whole when it has both; a directory without marker is not ours to trust."""

    sha256: str
    size: int
    unpacked_bytes: int
    top_directory: str
    launcher: str


class Inventory:
    def __init__(self, layout: CacheLayout) -> None:
        self._layout = layout

    def complete_builds(self) -> dict[BuildKey, BuildMarker]:
        found = {}
        for path in self._layout.markers.glob("[!.]*.json"):
            key = parse_build_key(path.stem)
            if key is not None and (whole := self.get(key)):
                found[key] = whole
        return found

    def get(self, key: BuildKey) -> BuildMarker | None:
        """The marker of `key` if its tree is there too."""
        document = read_json(self._layout.marker(key))
        if document is None:
            return None
        try:
            whole = BuildMarker(**document)
        except TypeError:
            return None
        return whole if (self._layout.build(key) / whole.top_directory).is_dir() else None

    def current(self, game_id: str) -> BuildKey | None:
        """The build `current` points at, whole or not."""
        try:
            target = self._layout.current(game_id).readlink()
        except OSError:
            return None
        return parse_build_key(f"{game_id}.{target.parts[0]}") if target.parts else None

    def scan(self) -> tuple[dict[BuildKey, BuildMarker], CacheContents]:
        whole = self.complete_builds()
        links = {key.game_id: self.current(key.game_id) for key in whole}
        return whole, CacheContents(frozenset(whole), {game: key for game, key in links.items() if key})

    def write_marker(self, key: BuildKey, whole: BuildMarker) -> None:
        write_json(self._layout.marker(key), asdict(whole))

    def activate(self, key: BuildKey, whole: BuildMarker) -> None:
        """Point `current` at `<build>/<topDirectory>`, in one step for whoever looks. Relative, so that a moved or
        bind-mounted cache still works."""
        link = self._layout.current(key.game_id)
        fresh = self._layout.unpack / f"{key.game_id}.current"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(Path(str(key.build)) / whole.top_directory)
        crash_point("before-current")
        fresh.replace(link)
        fsync_path(link.parent)
        crash_point("after-current")

    def discard(self, key: BuildKey) -> Path | None:
        """Take a build out of view by one rename; returns where it lies until deleted. The caller holds the
        sessions lock. The directory goes first: a marker without directory is nothing, and repaired anywhere."""
        if self.current(key.game_id) == key:
            self._layout.current(key.game_id).unlink()
        trashed: Path | None = None
        if self._layout.build(key).is_dir():
            trashed = self._layout.build(key).rename(self._layout.trash / f"{key}.{uuid.uuid4().hex}")
        crash_point("after-evict-rename")
        self._layout.marker(key).unlink(missing_ok=True)
        return trashed

    def drop_empty_game(self, game_id: str) -> None:
        try:
            self._layout.game(game_id).rmdir()
        except OSError:
            return  # Not empty: it holds other builds.

    def drop_part(self, key: BuildKey) -> None:
        self._layout.part(key).unlink(missing_ok=True)
        self._layout.part_metadata(key).unlink(missing_ok=True)

    def part_length(self, key: BuildKey) -> int:
        try:
            return self._layout.part(key).stat().st_size
        except FileNotFoundError:
            return 0

    def parts(self) -> set[BuildKey]:
        found = (parse_build_key(path.stem) for path in self._layout.downloads.iterdir())
        return {key for key in found if key is not None}

    def repair(self) -> list[str]:
        """Undo what a crash left half done; says in words what it did. Runs before anything else, alone."""
        done = []
        self._drop_unfinished_writes()
        for path in self._layout.unpack.iterdir():
            remove_tree(path)
            done.append(f"removed the interrupted unpacking {path.name}")
        for path in self._layout.markers.glob("[!.]*"):
            key = parse_build_key(path.stem)
            if key is None or self.get(key) is None:
                path.unlink()
                done.append(f"forgot {path.stem}, whose directory is not there")
        for path in self._layout.cache.glob("*/current"):
            if path.is_symlink() and not path.exists():
                path.unlink()
                done.append(f"removed {path.parent.name}/current, which pointed at nothing")
        return done

    def _drop_unfinished_writes(self) -> None:
        for directory in (self._layout.downloads, self._layout.markers):  # where nobody writes but this agent
            for path in directory.glob(".*.new"):
                path.unlink(missing_ok=True)
        an_hour_ago = time.time() - 3600  # A launch script may be writing its session this very moment.
        for path in self._layout.sessions.glob(".*.new"):
            if path.stat().st_mtime < an_hour_ago:
                path.unlink(missing_ok=True)

    def empty_trash(self) -> None:
        for path in self._layout.trash.iterdir():
            remove_tree(path)


def remove_tree(path: Path) -> None:
    """Delete a directory tree, a file or a link; never what a link points at."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
