"""`slipway push` of an archive until it is stored, compared with curl of the same file to one presigned URL, in
turns."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

from app.config.settings import GIB, MIB, load_settings
from app.storage.bucket import Bucket
from app.storage.url_signing import presign
from bench.harness.bench_server import ROOT, BenchServer, register_game, running_server, verdict
from bench.uploads.upload import make_archive

ROUNDS = 3
TARGET = 0.9


def run(directory: Path) -> bool:
    """Whether the target was met. SLIPWAY_BENCH_MIB sets a smaller size, to try the bench itself."""
    size = int(os.environ.get("SLIPWAY_BENCH_MIB", GIB // MIB)) * MIB
    archive = directory / "game.tar.gz"
    make_archive(archive, size)
    print(f"  archive of {archive.stat().st_size / MIB:.0f} MiB")
    (directory / "stage").mkdir()
    with running_server(directory / "stage") as stage:
        return _compared(stage, archive, directory / "home")


def _compared(stage: BenchServer, archive: Path, home: Path) -> bool:
    where = load_settings(stage.environment).storage_settings
    register_game(stage, "warm-up")
    _push(stage, archive, "warm-up", home)
    pushed, direct = [], []
    for number in range(ROUNDS):
        slug = f"round-{number}"
        register_game(stage, slug)
        direct.append(curl_seconds(presign(where, "PUT", f"bench/{number}", {}, timedelta(hours=1)), archive))
        Bucket(where).delete([f"bench/{number}"])
        pushed.append(_push(stage, archive, slug, home))
    size = archive.stat().st_size / MIB
    print(f"  MiB/s curl {[round(size / s) for s in direct]}, slipway push {[round(size / s) for s in pushed]}")
    return verdict("slipway push over curl", statistics.median(direct) / statistics.median(pushed), TARGET, least=True)


def _push(stage: BenchServer, archive: Path, slug: str, home: Path) -> float:
    """Seconds from start to end, including imports: the time that a pipeline waits."""
    environment = os.environ | {
        "SLIPWAY_URL": stage.url,
        "SLIPWAY_KEY": stage.key,
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_CACHE_HOME": str(home / "cache"),
    }
    command = [sys.executable, "-m", "slipway.cli", "push", str(archive), "--game", slug, "--quiet", "--wait"]
    begun = time.monotonic()
    subprocess.run([*command, "stored"], cwd=ROOT, env=environment, check=True)
    seconds = time.monotonic() - begun
    # Wait for the check, which would take a core from the next round. It does not count.
    subprocess.run([*command, "checked"], cwd=ROOT, env=environment, check=True)
    return seconds


def curl_seconds(url: str, archive: Path) -> float:
    """Seconds for one PUT of a file, as curl does it."""
    begun = time.monotonic()
    subprocess.run(
        ["curl", "-sS", "--fail-with-body", "-o", os.devnull, "-T", str(archive), "-H", "Expect:", url], check=True
    )
    return time.monotonic() - begun
