"""An update file whose archive is assembled, with the app killed at every named point and at random moments: the build
is the one that an undisturbed assembly makes, and nothing is left over."""

from __future__ import annotations

import hashlib
import io
import os
import random
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.config.settings import MIB
from app.refusals import Refusal
from app.storage.bucket import bucket
from app.storage.object_source import ObjectSource
from app.uploads.updates.base_builds import BaseBuild, find_base
from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.unpacking import unpack
from slipway.packs.assembling.archive_assembling import assemble_archive
from slipway.packs.assembling.update_reading import read_update
from tests.app.runtime.processes import wait_until
from tests.app.uploads.raw.live import World
from tests.app.uploads.resumable.resuming import Client, Platform
from tests.app.uploads.updates.packed_bases import update_of
from tests.faults.killing import crashed
from tests.faults.packing import LAUNCHER, TOP, packed_game
from tests.faults.test_resumable_kills import everything_expires
from tests.slipway.packs.builds import BytesSource

pytestmark = pytest.mark.slow

ASSEMBLING = ("check-claimed", "update-read", "assembly-begun", "assembly-opened", "mid-assembly", "assembly-written")
PUBLISHING = ("archive-read", "in-publish", "check-published", "upload-tidied")
SECONDS = 120.0  # a killed process may have been making a pack, which others take over when its lease is over


@dataclass
class Studio:
    """A game whose files are below `root`, and a script that sends updates of it."""

    world: World
    client: Client
    root: Path
    builds: int = 0

    def begin(self, archive: bytes) -> None:
        """The first build."""
        unpack(io.BytesIO(archive), self.root, ArchiveLimits(), LAUNCHER)
        assert self.client.deliver(archive)["phase"] == "done"
        self.builds = 1

    def base(self) -> BaseBuild:
        """The newest build, once it has a pack."""
        game_id = self.world.game_id(self.client.slug)
        found: list[BaseBuild] = []

        def is_ready() -> bool:
            with self.world.app.app_context():
                try:
                    found[:] = [find_base(game_id, self.builds)]
                except Refusal:
                    return False
            return True

        wait_until(is_ready, SECONDS, f"build {self.builds} has a pack")
        return found[0]

    def next_update(self, text: str) -> tuple[bytes, str]:
        """An update file with another script, and the SHA-256 of the archive that it stands for."""
        (self.root / TOP / "game/script.rpy").write_text(text)
        base = self.base()
        with self.world.app.app_context():
            table = base.read_table()
            file = update_of(self.root, table)
            pack = ObjectSource(bucket(), base.pack.pack_key)
            update = read_update(BytesSource(file), len(file), table, pack, ArchiveLimits(), LAUNCHER)
            archive = io.BytesIO()
            assemble_archive(update, archive, lambda _: None)
        return file, hashlib.sha256(archive.getvalue()).hexdigest()


@pytest.fixture
def studio(platform: Platform, world: World, tmp_path: Path) -> Studio:
    (tmp_path / "game").mkdir()
    studio = Studio(world, Client(platform, world.new_game()), tmp_path / "game")
    studio.begin(packed_game(1, 20 * MIB).archive)
    return studio


@pytest.mark.parametrize("point", [*ASSEMBLING, *PUBLISHING])
def test_killed_while_an_archive_is_assembled(platform: Platform, world: World, studio: Studio, point: str) -> None:
    file, sha256 = studio.next_update("label start:\n")
    client = studio.client
    upload = client.begin(file, base=1, note="kept")
    client.send(upload, file)
    pid = platform.crash_at(point)
    client.complete(upload)
    crashed(platform, pid, point)

    done = client.finished(upload)
    assert (done["phase"], done["build"], done["released"], done["note"]) == ("done", 2, True, "kept")
    assert world.builds(client.slug)[1] == (2, sha256)
    everything_expires(world)


def survives_kills(platform: Platform, world: World, studio: Studio, seed: int, kills: int) -> None:
    """Send one update after another, and kill the process at some moment of each."""
    print(f"seed {seed}")  # noqa: T201 - what a failed run is repeated with
    chance = random.Random(seed)
    made: list[tuple[int, str]] = []
    for number in range(2, kills + 2):
        file, sha256 = studio.next_update(f"label start:\n    # {seed} {number}\n")
        killer = threading.Timer(chance.uniform(0, 1.5), platform.kill)
        killer.start()
        done = studio.client.deliver(file, base=studio.builds)
        killer.join()
        assert (done["phase"], done["build"]) == ("done", number), done
        made.append((number, sha256))
        studio.builds = number
    assert world.builds(studio.client.slug)[1:] == made
    everything_expires(world)


def test_killed_at_two_random_moments(platform: Platform, world: World, studio: Studio) -> None:
    survives_kills(platform, world, studio, seed=20_261_129, kills=2)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_killed_at_two_hundred_random_moments(platform: Platform, world: World, studio: Studio) -> None:
    seed = int(os.environ.get("SLIPWAY_SOAK_SEED") or random.SystemRandom().randrange(10**9))
    survives_kills(platform, world, studio, seed, kills=int(os.environ.get("SLIPWAY_SOAK_KILLS") or 200))
