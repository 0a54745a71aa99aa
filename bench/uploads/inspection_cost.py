"""What the inspection of an archive costs beyond gunzip, in CPU time of one thread, which a busy machine changes
little."""

from __future__ import annotations

import time
from pathlib import Path

from app.config.settings import MIB
from app.uploads.raw.incoming_body import PIECE
from bench.harness.bench_server import verdict
from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.gunzip import Gunzip
from slipway.archive.inspection import Inspector


def inspection_cost(archive: Path) -> bool:
    """Whether the rules cost at most a tenth of gunzip, for an archive with the launcher game.sh."""
    gunzip, inspection = _gunzip_seconds(archive), _inspection_seconds(archive)
    size = archive.stat().st_size / MIB
    print(f"  of one core: gunzip alone {size / gunzip:.0f} MiB/s, the inspection {size / inspection:.0f} MiB/s")
    return verdict("CPU of the inspection over gunzip alone", inspection / gunzip, 1.1, least=False)


def _gunzip_seconds(archive: Path) -> float:
    gunzip = Gunzip(lambda _chunk: None)
    begun = time.thread_time()
    with archive.open("rb") as file:
        while piece := file.read(PIECE):
            gunzip.feed(piece)
    gunzip.finish()
    return time.thread_time() - begun


def _inspection_seconds(archive: Path) -> float:
    inspector = Inspector(ArchiveLimits(), "game.sh")
    begun = time.thread_time()
    with archive.open("rb") as file:
        while piece := file.read(PIECE):
            inspector.feed(piece)
    inspector.finish()
    return time.thread_time() - begun
