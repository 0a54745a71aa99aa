"""The bytes of an update are one number: in the preview, the API, the command's sentence, and on the wire."""

from __future__ import annotations

import json
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
from app.data.models.pack import BuildPack, PackState, PackUpdate
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

# The agent as ever; it also writes down how many bytes it has read from each object of packs.
COUNTING = """
import json, os, sys
from collections import Counter
from pathlib import Path
from threading import Lock
from urllib.parse import urlsplit
from slipway.agent.command import main
from slipway.agent.packs.storage_client import OpenRange, StorageClient

open_range, readinto = StorageClient.open_range, OpenRange.readinto
lock, counts = Lock(), Counter()

def opened(self, stored, *arguments):
    found = open_range(self, stored, *arguments)
    found.path = urlsplit(stored.url).path
    return found

def counted(self, view):
    count = readinto(self, view)
    with lock:
        counts[self.path] += count
        Path(os.environ["COUNTED"] + ".new").write_text(json.dumps(counts))
        os.replace(os.environ["COUNTED"] + ".new", os.environ["COUNTED"])
    return count

StorageClient.open_range, OpenRange.readinto = opened, counted
sys.exit(main())
"""


@dataclass
class Server:
    """A real agent whose copy of the live build came as an archive."""

    cache: Path
    counter: Path

    def read(self, world: World, slug: str) -> int:
        """Bytes from the packs and updates of this game. The server holds other tests' games too."""
        with world.app.app_context():
            builds = select(Build.id).where(Build.game_id == world.game_id(slug))
            packs = db.session.scalars(select(BuildPack.folder).where(BuildPack.build_id.in_(builds))).all()
            updates = db.session.scalars(select(PackUpdate.folder).where(PackUpdate.build_id.in_(builds))).all()
        counts = json.loads(self.counter.read_text()) if self.counter.exists() else {}
        return sum(count for path, count in counts.items() if any(f"/{one}/" in path for one in [*packs, *updates]))

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
    assert server.read(world, slug) == 0
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

    before = server.read(world, slug)
    assert slipway("release", 2, "--game", slug, "--yes").code == ExitCode.OK
    wait_until(lambda: server.plays(world, slug, 2), 90, "build 2 came as an update")
    assert server.read(world, slug) - before == listed

    def sent_bytes() -> int:
        return int(urllib3.request("GET", f"{url}/builds/2", headers=bearer(world.key)).json()["sentBytes"])

    wait_until(lambda: sent_bytes() > 0, 30, "the transfer was counted")
    assert sent_bytes() == listed
