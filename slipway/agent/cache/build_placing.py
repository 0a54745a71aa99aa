"""Puts a complete build in its place in the cache. A crash between the steps loses nothing."""

from __future__ import annotations

import os

from slipway.agent.cache.build_store import Inventory
from slipway.agent.cache.cache_layout import CacheLayout
from slipway.agent.cache.download import FetchFailed
from slipway.agent.cache.locks import BuildInUse
from slipway.agent.cache.ready_build import ReadyBuild
from slipway.agent.crash_points import crash_point
from slipway.agent.path_names import BuildKey
from slipway.agent.sessions.session_files import SessionFiles
from slipway.client.durable import fsync_path
from slipway.packs.tree_modes import remove_tree


class BuildPlacing:
    def __init__(self, layout: CacheLayout, inventory: Inventory, sessions: SessionFiles) -> None:
        self._layout = layout
        self._inventory = inventory
        self._sessions = sessions

    def place(self, key: BuildKey, ready: ReadyBuild) -> None:
        """Index and marker first, then the rename: see BuildMarker. Raises FetchFailed or OSError."""
        self._clear_place(key)
        game = self._layout.game(key.game_id)
        if not game.is_dir():
            game.mkdir()
            game.chmod(0o755)
            fsync_path(game.parent)
        if ready.index:
            # Linked and not moved: after a crash before the rename, `ready` is still complete.
            self._layout.index(key).unlink(missing_ok=True)
            os.link(ready.index, self._layout.index(key))
        self._inventory.write_marker(key, ready.marker)
        crash_point("before-rename")
        ready.tree.rename(self._layout.build(key))
        fsync_path(game)
        crash_point("after-rename")

    def _clear_place(self, key: BuildKey) -> None:
        """Remove what is in the build's place: a directory without a marker, or other bytes with the same number."""
        with self._sessions.locked():
            if not self._layout.build(key).exists():
                return
            if self._sessions.in_use().blocks(key):
                raise FetchFailed("a session still uses an earlier archive of this build")
            try:
                with self._inventory.removing(key):
                    trashed = self._inventory.discard(key)
            except BuildInUse:
                raise FetchFailed("an update or verify still reads an earlier archive of this build") from None
        if trashed is not None:
            remove_tree(trashed)
