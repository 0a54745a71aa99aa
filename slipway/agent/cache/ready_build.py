"""A build that is complete on disk and not yet in its place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from slipway.agent.cache.build_store import BuildMarker


@dataclass(frozen=True)
class ReadyBuild:
    """`tree` is the directory that holds the top directory; everything in it is read-only and flushed to disk. `index`
    is the file with the build's index, if it was made from a pack."""

    tree: Path
    marker: BuildMarker
    index: Path | None = None
