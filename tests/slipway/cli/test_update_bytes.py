"""The bytes of an update are one number: in the preview, the API, the command's sentence, and on the wire."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import urllib3
from sqlalchemy import select

from app.data.database import announce, writing
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.game import Build
from app.data.models.pack import BuildPack, PackState
from app.fleet.servers import add_server, retire_server
from app.packing.pack_topics import topics_of
from slipway.cli.exit_codes import ExitCode
from slipway.client.sizes import format_size
from slipway.packs.tree_modes import remove_tree
from tests.app.packing.scenes import archive_of, game_files
from tests.app.runtime.processes import wait_until
from tests.app.uploads.raw.live import STUDIO, Gunicorn, World
from tests.conftest import bearer
from tests.slipway.agent.agent_process import AgentProcess
from tests.slipway.cli.cli_process import Slipway

pytestmark = pytest.mark.slow
NAME = "srv-bytes"

# The agent as ever; it also writes down how many bytes of packs it has read.
COUNTING = """
import os, sys
from pathlib import Path
from threading import Lock
from slipway.agent.command import main
from slipway.agent.packs.storage_client import OpenRange

read, lock, total = OpenRange.readinto, Lock(), 0

def counted(self, view):
    global total
    count = read(self, view)
    with lock:
        total += count
        Path(os.environ["COUNTED"]).write_text(str(total))
    return count

OpenRange.readinto = counted
sys.exit(main())
"""


@dataclass
class Server:
    """A real agent whose copy of the live build came as an archive."""

    cache: Path
    counter: Path

    @property
    def read(self) -> int:
        return int(self.counter.read_text()) if self.counter.exists() else 0

    def plays(self, world: World, slug: str, number: int) -> bool:
        link = self.cache / world.game_id(slug) / "current"
        return link.is_symlink() and link.readlink().parts[0] == str(number)


@pytest.fixture
def server(world: World, gunicorn: Gunicorn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    found = Server(tmp_path / "games", tmp_path / "counted")
    monkeypatch.setenv("COUNTED", str(found.counter))
    with world.app.app_context():
        _, token = add_server(NAME, "", STUDIO)
    agent = AgentProcess(gunicorn.address, found.cache, tmp_path / "agent.log", program=COUNTING, token=token)
    yield found
    agent.signal(signal.SIGTERM)
    agent.wait()
    with world.app.app_context():
        retire_server(NAME, STUDIO)
    remove_tree(found.cache)


def set_pack(world: World, slug: str, number: int, state: PackState) -> None:
    with world.app.app_context():
        query = select(Build.id).where(Build.game_id == world.game_id(slug), Build.number == number)
        build_id = db.session.scalars(query).one()
        with writing() as session:
            pack = session.get_one(BuildPack, build_id)
            pack.state = state
            # While it is being made by a worker that still lives, no other one makes it.
            pack.maker, pack.touched_at = (
                ("a worker", now() + timedelta(hours=1)) if state == "making" else (None, now())
            )
            announce(*topics_of(session, build_id))


def pushed(slipway: Slipway, slug: str, archive: bytes, folder: Path, *options: str) -> dict[str, object]:
    file = folder / "game.tar.gz"
    file.write_bytes(archive)
    done = slipway("push", file, "--game", slug, "--json", *options)
    assert done.code == ExitCode.OK, done.err
    result: dict[str, object] = done.result
    return result


def test_the_forecast_is_what_a_server_with_an_archive_copy_then_fetches(
    slipway: Slipway, world: World, gunicorn: Gunicorn, slug: str, server: Server, tmp_path: Path
) -> None:
    pushed(slipway, slug, archive_of(game_files()), tmp_path, "--no-release")
    wait_until(lambda: slipway("diff", 1, slug, "--against", 1).code == ExitCode.OK, 90, "the pack is ready")
    set_pack(world, slug, 1, "making")
    assert slipway("release", 1, "--game", slug, "--yes").code == ExitCode.OK
    wait_until(lambda: server.plays(world, slug, 1), 90, "build 1 came as an archive")
    assert server.read == 0
    set_pack(world, slug, 1, "ready")
    index = server.cache / ".slipway" / "whole" / f"{world.game_id(slug)}.1.index"
    wait_until(index.exists, 90, "the agent has fetched the index of build 1")

    sent = archive_of(game_files(scripts=3000))
    result = pushed(slipway, slug, sent, tmp_path, "--no-release")
    url = f"{gunicorn.address}/api/partners/games/{slug}"
    listed = urllib3.request("GET", f"{url}/builds/2", headers=bearer(world.key)).json()["update"]["bytes"]
    preview = urllib3.request("GET", f"{url}/releases/preview?build=2", headers=bearer(world.key)).json()
    (forecast,) = [row["bytesToFetch"] for row in preview["servers"] if row["id"] == NAME]
    assert forecast == listed
    assert f"Servers with build 1 fetch {format_size(listed)} instead of {format_size(len(sent))}." in str(
        result["message"]
    )

    before = server.read
    assert slipway("release", 2, "--game", slug, "--yes").code == ExitCode.OK
    wait_until(lambda: server.plays(world, slug, 2), 90, "build 2 came as an update")
    assert server.read - before == listed

    def sent_bytes() -> int:
        return int(urllib3.request("GET", f"{url}/builds/2", headers=bearer(world.key)).json()["sentBytes"])

    wait_until(lambda: sent_bytes() > 0, 30, "the transfer was counted")
    assert sent_bytes() == listed
