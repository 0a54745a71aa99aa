"""One archive through the app, compared with the same file sent to a presigned URL, in turns.

Ratios with and without the inspection, and the web process's peak RSS at 1 GiB and at 4 GiB. The cost of gunzip depends
on the packer: gzip and tar store incompressible data, which unpacks ten times as fast as the Huffman codes that igzip
writes for it. The targets are for the first; the second is printed too, as the worst case.
"""

from __future__ import annotations

import gzip
import os
import random
import resource
import statistics
import subprocess
import tarfile
import time
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

from isal import igzip

from app.config.settings import GIB, MIB, load_settings
from app.storage.bucket import Bucket
from app.storage.url_signing import presign
from bench.harness.bench_server import (
    BenchServer,
    cpu_seconds,
    peak_mib,
    register_game,
    reset_peak,
    rss_mib,
    running_server,
    verdict,
)
from bench.uploads.inspection_cost import inspection_cost

ROUNDS = 5
INCOMPRESSIBLE = 0.8


def run(directory: Path) -> bool:
    """Whether every target was met. SLIPWAY_BENCH_MIB sets a smaller size, to try the bench itself."""
    one, coded, four = (directory / f"{name}.tar.gz" for name in ("one", "coded", "four"))
    size = int(os.environ.get("SLIPWAY_BENCH_MIB", GIB // MIB)) * MIB
    make_archive(one, size, by_gzip=True)
    make_archive(coded, size)
    make_archive(four, 4 * size)
    print(f"  archives of {', '.join(f'{path.stat().st_size / MIB:.0f}' for path in (one, coded, four))} MiB")
    met = inspection_cost(coded)
    for name, application, target in (
        ("inspection off", "bench.uploads.without_inspection:app", 0.85),
        ("inspection on", "wsgi:app", 0.5),
    ):
        (directory / name).mkdir()
        with running_server(directory / name, application) as stage:
            met &= verdict(f"through the app over direct, {name}", _ratio(stage, one), target, least=True)
            if name == "inspection on":
                ratio = _ratio(stage, coded, "coded")
                met &= verdict("the same, with an archive all of Huffman codes", ratio, 0.6, least=True)
            met &= _memory(stage, [coded, four])
    return met


def make_archive(path: Path, size: int, *, by_gzip: bool = False, file_size: int = 20 * MIB) -> None:
    """A packaged game of at most about `size` packed bytes, in files of `file_size`: four fifths of it random, the rest
    text that packs well. igzip makes it in seconds, gzip in half a minute a GiB."""
    noise = random.Random(7)
    text = b"the lanterns rise over the river, one for every name " * 20_000
    packer: Any = gzip if by_gzip else igzip  # the second carries no types
    level = 6 if by_gzip else 1
    with packer.open(path, "wb", compresslevel=level) as packed, tarfile.open(fileobj=packed, mode="w|") as tar:
        for directory in ("game", "game/game", "game/lib", "game/renpy"):
            member = tarfile.TarInfo(directory)
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(member)
        _add(tar, "game/game.sh", b"#!/bin/sh\n", 0o755)
        for number in range(size // file_size):
            content = noise.randbytes(file_size) + (text * 6)[: int(file_size * (1 - INCOMPRESSIBLE) / INCOMPRESSIBLE)]
            _add(tar, f"game/game/scene-{number}.rpa", content)


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), mode
    tar.addfile(member, BytesIO(content))


def _ratio(stage: BenchServer, archive: Path, prefix: str = "round") -> float:
    where = load_settings(stage.environment).storage_settings
    register_game(stage, f"{prefix}-warm-up")
    _through(stage, archive, f"{prefix}-warm-up")
    through, direct, spent = [], [], []
    for number in range(ROUNDS):
        register_game(stage, f"{prefix}-{number}")
        direct.append(_seconds(presign(where, "PUT", f"bench/{number}", {}, timedelta(hours=1)), archive))
        Bucket(where).delete([f"bench/{number}"])
        before = _cpu_times(stage)
        through.append(_through(stage, archive, f"{prefix}-{number}"))
        spent.append([after - earlier for after, earlier in zip(_cpu_times(stage), before, strict=True)])
    size = archive.stat().st_size / MIB
    print(f"  MiB/s direct {[round(size / s) for s in direct]}, through the app {[round(size / s) for s in through]}")
    web, storage, curl = (statistics.median(times) for times in zip(*spent, strict=True))
    seconds = statistics.median(through)
    print(
        f"  CPU seconds of one through the app ({seconds:.2f} s): web process {web:.2f}, storage {storage:.2f}, "
        f"curl {curl:.2f}; together {(web + storage + curl) / seconds:.2f} cores"
    )
    return statistics.median(direct) / seconds


def _cpu_times(stage: BenchServer) -> tuple[float, float, float]:
    """Of the web process, of storage, and of all curls so far."""
    curls = resource.getrusage(resource.RUSAGE_CHILDREN)
    return cpu_seconds(stage.worker), cpu_seconds(stage.storage), curls.ru_utime + curls.ru_stime


def _through(stage: BenchServer, archive: Path, slug: str) -> float:
    return _seconds(
        f"{stage.url}/api/partners/games/{slug}/upload",
        archive,
        "-H",
        f"Authorization: Bearer {stage.key}",
        "-H",
        "Content-Type: application/gzip",
    )


def _seconds(url: str, archive: Path, *options: str) -> float:
    begun = time.monotonic()
    # The options go in on standard input: what is in argv, every user of the machine can read.
    config = "\n".join(f'header = "{value}"' for value in options if value != "-H")
    answer = subprocess.run(
        ["curl", "-sS", "--fail-with-body", "-T", str(archive), "-K", "-", "-H", "Expect:", url],
        input=config,
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode:
        raise SystemExit(f"upload failed: {answer.stdout} {answer.stderr}")
    return time.monotonic() - begun


def _memory(stage: BenchServer, archives: list[Path]) -> bool:
    idle = rss_mib(stage.worker)
    peaks = []
    for archive in archives:
        register_game(stage, f"memory-{archive.stem.removesuffix('.tar')}")
        reset_peak(stage.worker)
        _through(stage, archive, f"memory-{archive.stem.removesuffix('.tar')}")
        peaks.append(peak_mib(stage.worker))
    print(f"  RSS idle {idle:.0f} MiB, peaks {[round(p) for p in peaks]} MiB for {[a.name for a in archives]}")
    met = verdict("peak RSS above idle at 1 GiB", peaks[0] - idle, 120, least=False, unit=" MiB")
    return verdict("peak RSS above idle at 4 GiB", peaks[1] - idle, 120, least=False, unit=" MiB") and met
