"""Game servers of a running app, whose agents can be killed: what must be true when they are back."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from app.data.extensions import db
from app.data.models.game import Build
from app.data.models.pack import BuildPack
from app.data.models.server import Replica
from app.fleet.servers import add_server, retire_server, set_keep_previous
from slipway.packs.tree_modes import remove_tree
from tests.app.runtime.processes import wait_until
from tests.app.uploads.raw.live import STUDIO, Gunicorn, World
from tests.app.uploads.raw.sending import upload
from tests.faults.agents import RealAgent
from tests.faults.packing import TOP, Packed, packed_game

SIZE = 3 * 1024**2
_servers = itertools.count(10)


@dataclass
class Platform:
    """A running app with one game."""

    world: World
    gunicorn: Gunicorn
    slug: str
    game_id: str
    released: dict[int, Packed]

    def release(self, packed: Packed) -> int:
        """Send an archive, which goes live; returns its number."""
        answer = upload(self.gunicorn.port, self.world.key, self.slug, packed.archive)
        assert answer.status == 200, answer.json
        number: int = answer.json["build"]
        self.released[number] = packed
        return number

    def phases(self, server_id: str) -> dict[int, str]:
        """Phase of each build on one server, as the platform knows it, without those that are gone."""
        with self.world.app.app_context():
            rows = db.session.execute(
                select(Build.number, Replica.phase)
                .join(Replica.build)
                .where(Replica.server_id == server_id, Replica.phase != "removed")
            ).all()
        return dict(rows)

    def what_is_in_view_is_whole(self, cache: Path) -> bool:
        """Whoever looks now finds each build complete or not at all, and `current` on a complete one."""
        game = cache / self.game_id
        current = game / "current"
        builds = [path for path in game.iterdir() if path.name.isdecimal()] if game.exists() else []
        return all(self.released[int(path.name)].lies_in(path / TOP) for path in builds) and (
            not current.is_symlink() or current.resolve().parent in builds
        )

    def has_arrived(self, agent: RealAgent, server_id: str, number: int) -> None:
        """Wait until the build is cached and active there, and everything else is gone; then look at the files."""
        wait_until(
            lambda: self.phases(server_id) == {number: "cached"},
            45,
            f"build {number} and nothing else is cached; its log: {agent.log}",
        )
        game = agent.cache / self.game_id
        wait_until(lambda: {path.name for path in game.iterdir()} == {str(number), "current"}, 15, "the rest is gone")
        assert (game / "current").resolve() == (game / str(number) / TOP).resolve()
        assert self.released[number].lies_in(game / "current")
        private = agent.cache / ".slipway"
        left = [*(private / "downloads").iterdir(), *(private / "unpack").iterdir(), *(private / "trash").iterdir()]
        assert left == []

    def pack_is_ready(self, number: int) -> None:
        """Wait until the pack of a build can be used."""

        def state() -> str | None:
            with self.world.app.app_context():
                query = select(BuildPack.state).join(Build, Build.id == BuildPack.build_id)
                return db.session.scalar(query.where(Build.game_id == self.game_id, Build.number == number))

        wait_until(lambda: state() == "ready", 120, f"the pack of build {number} is ready; now: {state()}")


@dataclass
class Machine:
    id: str
    agent: RealAgent


@contextmanager
def new_machine(platform: Platform, folder: Path) -> Iterator[Machine]:
    """A new game server that keeps only what is live. Its agent has not been started."""
    server_id = f"srv-{next(_servers)}"
    with platform.world.app.app_context():
        _, token = add_server(server_id, "fra", STUDIO)
        set_keep_previous(server_id, 0, STUDIO)
    agent = RealAgent(platform.gunicorn.address, token, folder / "games")
    yield Machine(server_id, agent)
    agent.kill()
    with platform.world.app.app_context():
        retire_server(server_id, STUDIO)
    if agent.cache.exists():
        remove_tree(agent.cache)


def survives_kills(platform: Platform, machine: Machine, seed: int, kills: int) -> None:
    """Release a build now and then, and kill the agent again and again at some moment after its start."""
    print(f"seed {seed}")  # noqa: T201 - what a failed run is repeated with
    chance = random.Random(seed)
    number = max(platform.released)
    begun = time.monotonic()
    machine.agent.start()
    platform.has_arrived(machine.agent, machine.id, number)
    takes = time.monotonic() - begun
    for kill in range(kills):
        if chance.random() < 0.6:
            number = platform.release(packed_game(seed + kill, SIZE))
        dies_at = time.monotonic() + chance.uniform(0, 1.2 * takes)
        wait_until(lambda moment=dies_at: time.monotonic() > moment, 60, "the moment")  # type: ignore[misc]
        machine.agent.kill()
        assert platform.what_is_in_view_is_whole(machine.agent.cache)
        machine.agent.start()
    platform.has_arrived(machine.agent, machine.id, number)
