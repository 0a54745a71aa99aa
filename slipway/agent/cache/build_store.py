"""The contents of the cache: markers of complete builds, the `current` links, and repair after a crash."""

from __future__ import annotations

import shutil
import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

from slipway.agent.cache.cache_layout import CacheLayout
from slipway.agent.cache.next_actions import CacheContents
from slipway.agent.crash_points import crash_point
from slipway.agent.path_names import BuildKey, parse_build_key
from slipway.client.durable import fsync_path, read_json, write_json


@dataclass(frozen=True)
class BuildMarker:
    """Marks a build as complete. It is written before the directory is renamed into place, so a build is complete if
    both exist. A directory without a marker is not trusted."""

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
            if key is not None and (marker := self.get(key)):
                found[key] = marker
        return found

    def get(self, key: BuildKey) -> BuildMarker | None:
        """The marker of `key` if its directory exists too."""
        document = read_json(self._layout.marker(key))
        if document is None:
            return None
        try:
            marker = BuildMarker(**document)
        except TypeError:
            return None
        return marker if (self._layout.build(key) / marker.top_directory).is_dir() else None

    def current(self, game_id: str) -> BuildKey | None:
        """The build that `current` points to, complete or not."""
        try:
            target = self._layout.current(game_id).readlink()
        except OSError:
            return None
        return parse_build_key(f"{game_id}.{target.parts[0]}") if target.parts else None

    def scan(self) -> tuple[dict[BuildKey, BuildMarker], CacheContents]:
        marker = self.complete_builds()
        links = {key.game_id: self.current(key.game_id) for key in marker}
        return marker, CacheContents(frozenset(marker), {game: key for game, key in links.items() if key})

    def write_marker(self, key: BuildKey, marker: BuildMarker) -> None:
        write_json(self._layout.marker(key), asdict(marker))

    def activate(self, key: BuildKey, marker: BuildMarker) -> None:
        """Atomically point `current` to `<build>/<topDirectory>`. The target is relative, so that a moved or
        bind-mounted cache still works."""
        link = self._layout.current(key.game_id)
        fresh = self._layout.unpack / f"{key.game_id}.current"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(Path(str(key.build)) / marker.top_directory)
        crash_point("before-current")
        fresh.replace(link)
        fsync_path(link.parent)
        crash_point("after-current")

    def discard(self, key: BuildKey) -> Path | None:
        """Move a build to the trash by one rename; returns its path there. The caller must hold the sessions lock. The
        directory goes first: a marker without a directory has no effect, and repair() removes it."""
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
            return  # Not empty: it contains other builds.

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
        """Undo steps that a crash interrupted. Returns one sentence per repair. Runs before any thread starts."""
        done = []
        self._drop_unfinished_writes()
        for path in self._layout.unpack.iterdir():
            remove_tree(path)
            done.append(f"removed the interrupted unpacking {path.name}")
        for path in self._layout.markers.glob("[!.]*"):
            key = parse_build_key(path.stem)
            if key is None or self.get(key) is None:
                path.unlink()
                done.append(f"removed the marker of {path.stem}, whose directory does not exist")
        for path in self._layout.cache.glob("*/current"):
            if path.is_symlink() and not path.exists():
                path.unlink()
                done.append(f"removed {path.parent.name}/current, whose target does not exist")
        return done

    def _drop_unfinished_writes(self) -> None:
        for directory in (self._layout.downloads, self._layout.markers):  # only this agent writes there
            for path in directory.glob(".*.new"):
                path.unlink(missing_ok=True)
        an_hour_ago = time.time() - 3600  # A launch script may be writing its session right now.
        for path in self._layout.sessions.glob(".*.new"):
            if path.stat().st_mtime < an_hour_ago:
                path.unlink(missing_ok=True)

    def empty_trash(self) -> None:
        for path in self._layout.trash.iterdir():
            remove_tree(path)


def remove_tree(path: Path) -> None:
    """Delete a directory tree, a file or a link; never the target of a link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
