"""Packs: bytes of five updates beside other tools, installing beside `igzip | tar`, publishing, and memory.

By hand, sizes and tools can be chosen: `python -m bench.packs --size 1024 --no-rivals`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.harness.bench_server import verdict
from bench.packs import rivals
from bench.packs.sample_games import CHANGES, MIB, Game
from slipway.packs.chunk_content import LocalContent
from slipway.packs.format.chunk_places import ChunkPlaces
from slipway.packs.format.index import Index
from slipway.packs.format.index_decoding import decode_index
from slipway.packs.format.index_transfer import compress_index, reference_to
from slipway.packs.format.patch_format import decode_patch
from slipway.packs.making.build_writing import OlderBuild, WrittenBuild, write_build
from slipway.packs.transfer_plan import plan_transfer
from slipway.packs.tree_modes import remove_tree

SIZE = 150 * MIB
MEMORY = Path("/dev/shm")
ROUNDS = 3
# Beside xdelta3, by change; everything is to be less than rsync.
LIMITS = dict(zip(CHANGES, (1.0, 1.1, 1.1, 1.0, 1.0), strict=True))
APPLY = Path(__file__).with_name("apply_step.py")


def run(directory: Path, size: int = SIZE, *, rivals: bool = True) -> bool:
    """The bench. It works on memory-backed disk where there is room, so that the disk is not what is measured."""
    with _room(directory, size) as work:
        game = Game(work / "v1", size)
        shown = f"{game.media.real} files of free games" if game.media.real else "pseudo-random bytes"
        print(f"  a game of {size // MIB} MiB in {work}; media: {shown}")
        first, met = _publish(work, game)
        _tar(game.root, work / "v1.tar")
        met = _installs(work, first) and met
        (work / "pack1").unlink()
        for name, change in CHANGES.items():
            met = _update(work, game, first, name, change, rivals=rivals) and met
    return met


@contextmanager
def _room(directory: Path, size: int) -> Iterator[Path]:
    enough = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 10 * size
    with tempfile.TemporaryDirectory(prefix="slipway-bench-packs-", dir=MEMORY if enough else directory) as name:
        yield Path(name)


@dataclass(frozen=True)
class Published:
    """A version's folder and its index; the pack is in a file."""

    root: Path
    index: Index
    encoded: bytes


def _publish(work: Path, game: Game) -> tuple[Published, bool]:
    """The first version, in a process of its own, whose memory is measured."""
    seconds, peak = _measured("write", work, game.root)
    encoded = (work / "index1").read_bytes()
    first = Published(game.root, decode_index(encoded), encoded)
    size, stored = first.index.content_bytes / MIB, first.index.pack_bytes / MIB
    print(
        f"  {size:.0f} MiB in {first.index.chunk_count} chunks: pack {stored:.0f} MiB, "
        f"index {len(compress_index(encoded)) / 1000:.0f} kB"
    )
    met = verdict("publishing, cutting and writing", size / seconds, 100, least=True, unit=" MiB/s")
    return first, verdict("its peak RSS", peak, 500, least=False, unit=" MiB") and met


def _installs(work: Path, first: Published) -> bool:
    """In turns: the pack from a file in memory, and `igzip | tar` of the same build."""
    if not shutil.which("igzip"):
        print("  igzip is not installed (apt-get install isal): installing is not compared")
        return True
    subprocess.run(f"gzip -6 < {work}/v1.tar > {work}/v1.tar.gz", shell=True, check=True)
    times: dict[str, list[float]] = {"pack": [], "tar": []}
    peak = 0.0
    for _ in range(ROUNDS):
        seconds, peak = _measured("apply", work, work / "installed")
        times["pack"].append(seconds)
        started = time.perf_counter()
        (work / "unpacked").mkdir()
        subprocess.run(f"igzip -dc {work}/v1.tar.gz | tar -x -C {work}/unpacked", shell=True, check=True)
        times["tar"].append(time.perf_counter() - started)
        subprocess.run(["diff", "-r", "--no-dereference", work / "installed", work / "unpacked"], check=True)
        for name in ("installed", "unpacked"):
            remove_tree(work / name)
    (work / "v1.tar.gz").unlink()
    pack, tar = (sorted(seconds)[ROUNDS // 2] for seconds in times.values())
    size = first.index.content_bytes / MIB
    print(f"  installing: {pack:.2f} s ({size / pack:.0f} MiB/s), igzip | tar {tar:.2f} s, medians of {ROUNDS}")
    met = verdict("as fast as igzip | tar", tar / pack, 3.5, least=True, unit=" times")
    return verdict("peak RSS of installing", peak, 200, least=False, unit=" MiB") and met


def _update(
    work: Path, game: Game, first: Published, name: str, change: Callable[[Game, Path], None], *, rivals: bool
) -> bool:
    root = game.copy(work / "v2")
    change(game, root)
    started = time.perf_counter()
    second = _publish_update(work, root, first)
    seconds = time.perf_counter() - started
    sent = _sent(first, second)
    print(f"  {name}: {sum(sent)} bytes (index {sent[0]}, patch {sent[1]}, pack {sent[2]}), made in {seconds:.1f} s")
    met = _update_times(work, second) if name == next(iter(CHANGES)) else True
    if rivals:
        _tar(root, work / "v2.tar", changed="rebuilt" in name)
        met = _compare(work, first.root, root, sum(sent), LIMITS[name]) and met
        (work / "v2.tar").unlink()
    shutil.rmtree(root)
    return met


def _publish_update(work: Path, root: Path, first: Published) -> WrittenBuild:
    index = first.index
    with LocalContent(first.root, index, ChunkPlaces(index)) as content, (work / "pack2").open("wb") as sink:
        return write_build(root, sink, build=2, older=OlderBuild(index, first.encoded, content))


def _update_times(work: Path, second: WrittenBuild) -> bool:
    """An agent that has the first version: every byte of it is read and hashed, and copied or linked."""
    (work / "index2").write_bytes(second.encoded)
    (work / "patch2").write_bytes(second.patch or b"")
    # Linked files become read-only, in both builds. The other tools would send the modes of `v1` with each change.
    shutil.copytree(work / "v1", work / "held")
    met = True
    for way in ("copy", "hard-link"):
        seconds, peak = _measured(way, work, work / "updated")
        remove_tree(work / "updated")
        print(f"    applied by {way}: peak RSS {peak:.0f} MiB")
        met = verdict("seconds", seconds, 1, least=False) and met
    remove_tree(work / "held")
    return met


def _sent(first: Published, second: WrittenBuild) -> tuple[int, int, int]:
    """What an agent with the first version fetches, exact to the byte."""
    patch = None
    if second.patch:
        old = reference_to(first.encoded).sha256
        patch = decode_patch(second.patch, first.index, old, second.index, second.reference.sha256)
    plan = plan_transfer(second.index, first.index, patch)
    assert second.delta is not None
    return len(second.delta), len(second.patch or b""), plan.fetched_bytes


def _compare(work: Path, old: Path, new: Path, sent: int, limit: float) -> bool:
    tars = work / "v1.tar", work / "v2.tar"
    met = True
    for name, rival, sides, target in (
        ("xdelta3", rivals.xdelta3, tars, limit),
        ("rsync", rivals.rsync, (old, new), 1.0),
        ("casync", rivals.casync, (old, new), None),
        ("zstd --patch-from", rivals.zstd, tars, None),
    ):
        other = rival(*sides, work)
        if other is None:
            print(f"    {name} is not installed: not compared")
        elif target is None:
            print(f"           bytes beside {name} ({other}): {sent / other:.3g}")
        else:
            met = verdict(f"bytes beside {name} ({other})", sent / other, target, least=False) and met
    return met


def _tar(root: Path, place: Path, *, changed: bool = False) -> None:
    """A tar as a person would make it; `changed` has the members in another order."""
    names = sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())
    listed = "\n".join(reversed(names) if changed else names)
    subprocess.run(["tar", "-C", root, "-cf", place, "-T", "-"], input=listed, text=True, check=True)


def _measured(what: str, work: Path, root: Path) -> tuple[float, float]:
    """Seconds and peak RSS in MiB of a step in a process of its own."""
    done = subprocess.run([sys.executable, APPLY, what, work, root], check=True, capture_output=True, text=True)
    seconds, peak = done.stdout.split()
    return float(seconds), float(peak)
