"""The memory of an agent that installs and updates large builds from packs, two at a time."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.slipway.agent.agent_process import AgentProcess
from tests.slipway.agent.packed_games import pack_game
from tests.slipway.agent.platform_server import Platform
from tests.slipway.agent.sample_games import Game, game_of, make_game
from tests.slipway.agent.wait_for import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MAX_MEBIBYTES = 200


def large(name: str, size: int) -> tuple[Game, Game]:
    """Two versions of a game: a large archive of images, 1,000 small files, and a library with edits everywhere."""
    noise = random.Random(name)
    first = make_game(1, 1 << 20, top=name)
    library = noise.randbytes(20 << 20)
    edited = b"".join(library[at : at + 9000] + b"edit" for at in range(0, len(library), 9004))
    files = first.files | {f"game/small/{number}": b"%d\n" % number * 300 for number in range(1000)}
    files |= {"game/images.rpa": noise.randbytes(size), "lib/linux-x86_64/libpython.so": library}
    return game_of(first, files), game_of(first, files | {"lib/linux-x86_64/libpython.so": edited})


def peak_mebibytes(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def test_installs_and_updates_of_two_large_games_stay_within_200_mebibytes(
    platform: Platform, start_process: Callable[..., AgentProcess], tmp_path: Path
) -> None:
    games = {name: large(name, size << 20) for name, size in (("g1", 64), ("g2", 24))}
    firsts = {name: pack_game(tmp_path / name, 1, versions[0]) for name, versions in games.items()}
    seconds = {name: pack_game(tmp_path / name, 2, versions[1], (1, firsts[name])) for name, versions in games.items()}
    assert all(packed.updates[1].patch for packed in seconds.values())
    process = start_process()
    for number, packs in ((1, firsts), (2, seconds)):
        with platform.changed:
            for name, versions in games.items():
                platform.release(name, number, versions[number - 1])
                platform.publish_pack(name, number, packs[name])
        for name in games:
            wait_for(lambda key=(name, number): platform.phase(*key) == "cached", "cached", seconds=170)  # type: ignore[misc]
        print(f"build {number}: {peak_mebibytes(process.pid):.0f} MiB at most")  # noqa: T201 - the figure
    kinds = [(platform.row(name, 2) or {})["source"]["kind"] for name in games]
    assert kinds == ["update", "update"]
    assert peak_mebibytes(process.pid) < MAX_MEBIBYTES
