"""What each thread of an applying keeps for itself: buffers, open files, a decompressor."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from slipway.packs.chunk_content import LocalContent
from slipway.packs.chunk_fetching import RangeFetcher
from slipway.packs.format.chunk_places import ChunkPlaces
from slipway.packs.format.index import Index
from slipway.packs.local_reuse import OldChunks
from slipway.packs.placing import Placer, TargetFiles
from slipway.packs.range_sources import RangeSource


class Tools:
    """Each is made when it is first needed. For one thread."""

    def __init__(self, box: ToolBox) -> None:
        self._box = box
        self._placer: Placer | None = None
        self._fetcher: RangeFetcher | None = None
        self._old: LocalContent | None = None

    @cached_property
    def view(self) -> memoryview:
        """Room for any chunk."""
        return memoryview(bytearray(max(self._box.index.chunks.lengths, default=0)))

    @property
    def placer(self) -> Placer:
        if self._placer is None:
            self._placer = Placer(self._box.root, self._box.places, self._box.targets)
        return self._placer

    @property
    def fetcher(self) -> RangeFetcher:
        if self._fetcher is None:
            self._fetcher = RangeFetcher(self._box.index, self._box.pack, self._box.received)
        return self._fetcher

    @property
    def old_content(self) -> LocalContent:
        """The older build's chunks."""
        old = self._box.old
        assert old is not None, "only asked for when there is one"
        if self._old is None:
            self._old = LocalContent(old.build.root, old.build.index, old.places)
        return self._old

    def close(self) -> None:
        for tool in (self._placer, self._old):
            if tool:
                tool.close()


class ToolBox:
    """What the tools are made of, and those that were made."""

    def __init__(
        self,
        index: Index,
        root: Path,
        pack: RangeSource,
        old: OldChunks | None,
        targets: TargetFiles,
        received: Callable[[int], None],
    ) -> None:
        self.index, self.root, self.pack, self.old = index, root, pack, old
        self.targets, self.received = targets, received
        self.places = ChunkPlaces(index)
        self._own = threading.local()
        self._made: list[Tools] = []

    def mine(self) -> Tools:
        """The tools of the thread that asks."""
        tools: Tools | None = getattr(self._own, "tools", None)
        if tools is None:
            tools = self._own.tools = Tools(self)
            self._made.append(tools)
        return tools

    def close(self) -> None:
        """Close what all threads have open; none of them runs any more."""
        while self._made:
            self._made.pop().close()
