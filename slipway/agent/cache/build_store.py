"""The contents of the cache: markers of complete builds, the `current` links, and repair after a crash."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from slipway.agent.cache.cache_layout import CacheLayout
from slipway.agent.cache.locks import build_lock
from slipway.agent.cache.next_actions import CacheContents
from slipway.agent.cache.tree_sync import fsync_tree
from slipway.agent.crash_points import crash_point
from slipway.agent.fetch_source import FetchSource, read_source
from slipway.agent.path_names import BuildKey, parse_build_key
from slipway.client.durable import fsync_path, read_json, write_json
from slipway.packs.tree_modes import make_read_only, remove_tree


@dataclass(frozen=True)
class BuildMarker:
    """Marks a build as complete. It is written before the directory is renamed into place, so a build is complete if
    both exist. A directory without a marker is not trusted.

    `read_only` is False for builds of older agents, `source` is None for them."""

    sha256: str
    size: int
    unpacked_bytes: int
    top_directory: str
    launcher: str
    read_only: bool = False
    source: FetchSource | None = None


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
        marker = _parse_marker(document) if document else None
        return marker if marker and (self._layout.build(key) / marker.top_directory).is_dir() else None

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
        source = marker.source.document() if marker.source else None
        write_json(self._layout.marker(key), {**asdict(marker), "source": source})

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

    @contextmanager
    def removing(self, key: BuildKey) -> Iterator[None]:
        """Keeps updates and `verify` from starting to read the build. Raises BuildInUse if one reads it."""
        with ExitStack() as stack:
            with suppress(FileNotFoundError):  # nobody reads a build without a marker
                stack.enter_context(build_lock(self._layout.marker(key), exclusive=True))
            yield

    def discard(self, key: BuildKey) -> Path | None:
        """Move a build to the trash by one rename; returns its path there. The caller must hold the sessions lock and
        `removing`. The directory goes first: a marker without a directory has no effect, and repair() removes it."""
        if self.current(key.game_id) == key:
            self._layout.current(key.game_id).unlink()
        trashed: Path | None = None
        if self._layout.build(key).is_dir():
            trashed = self._layout.build(key).rename(self._layout.trash / f"{key}.{uuid.uuid4().hex}")
        crash_point("after-evict-rename")
        self._layout.marker(key).unlink(missing_ok=True)
        self._layout.index(key).unlink(missing_ok=True)
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
                done.append(f"removed {path.name}, whose build does not exist")
        for path in self._layout.cache.glob("*/current"):
            if path.is_symlink() and not path.exists():
                path.unlink()
                done.append(f"removed {path.parent.name}/current, whose target does not exist")
        return done

    def make_read_only(self) -> list[BuildKey]:
        """Make the builds of older agents read-only. Returns their keys. Raises OSError."""
        done = []
        for key, marker in self.complete_builds().items():
            if not marker.read_only:
                make_read_only(self._layout.build(key))
                fsync_tree(self._layout.build(key), between=lambda: None)
                self.write_marker(key, replace(marker, read_only=True))
                done.append(key)
        return done

    def _drop_unfinished_writes(self) -> None:
        layout = self._layout
        for directory in (layout.downloads, layout.assembling, layout.markers):  # only this agent writes there
            for path in directory.glob(".*.new"):
                path.unlink(missing_ok=True)
        an_hour_ago = time.time() - 3600  # A launch script may be writing its session right now.
        for path in self._layout.sessions.glob(".*.new"):
            if path.stat().st_mtime < an_hour_ago:
                path.unlink(missing_ok=True)

    def empty_trash(self) -> None:
        for path in self._layout.trash.iterdir():
            remove_tree(path)


def _parse_marker(document: dict[str, Any]) -> BuildMarker | None:
    try:
        return BuildMarker(**{**document, "source": read_source(document.get("source"))})
    except TypeError:
        return None
