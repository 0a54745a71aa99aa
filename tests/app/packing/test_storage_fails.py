"""Storage that loses requests or is away while a pack is made: the pack is made in the end, and nothing is left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.config.settings import Settings
from app.maintenance.build_sweep import check
from app.packing import pack_writing
from app.packing.pack_making import Outcome, make_pack
from app.packing.pack_work import make_due_packs
from app.storage import bucket as storage_bucket
from app.storage import whole_objects
from app.storage.embedded_server import StorageAccess
from tests.app.packing.scenes import Studio, game_files, pack_of, ready_pack, update_of
from tests.app.uploads.raw.proxy import FaultyNetwork, Lost
from tests.app.uploads.resumable.databases import one_database
from tests.conftest import settings_for

pytestmark = [pytest.mark.slow, one_database]

FIRST, SECOND = game_files(), game_files(scripts=2, media=400_000)


@pytest.fixture(scope="module")
def network(storage: StorageAccess) -> Iterator[FaultyNetwork]:
    network = FaultyNetwork(storage.endpoint)
    yield network
    network.close()


@pytest.fixture
def settings(database_url: str, tmp_path: Path, storage: StorageAccess, network: FaultyNetwork) -> Settings:
    """Those of `app`, with storage behind the network that fails."""
    network.come_back()
    behind = replace(storage, endpoint=network.endpoint)
    return settings_for(tmp_path / "instance", behind, DATABASE_URL=database_url)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once."""
    monkeypatch.setattr(whole_objects, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(pack_writing, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(storage_bucket, "COMPLETE_PAUSE_SECONDS", 0.01)


REQUESTS = {
    "reading the archive": ("GET", "archives/"),
    "reading the older index": ("GET", "/index"),
    "opening the pack": ("POST", "/pack", "uploads"),
    "a part of the pack": ("PUT", "/pack", "partNumber"),
    "joining the pack": ("POST", "/pack", "uploadId"),
    "the index": ("PUT", "/index"),
    "the delta": ("PUT", "/delta."),
}


@pytest.mark.parametrize("lost", ["request", "answer"])
@pytest.mark.parametrize("what", REQUESTS)
@pytest.mark.parametrize("times", [1, 100], ids=["once", "for long"])
def test_a_request_that_is_lost(studio: Studio, network: FaultyNetwork, what: str, lost: Lost, times: int) -> None:
    first = studio.publish(FIRST)
    make_due_packs()
    second = studio.publish(SECOND)
    network.lose(lost, *REQUESTS[what], times=times)

    outcome = make_pack(second.id)

    assert network.struck
    assert outcome in {Outcome.READY, Outcome.LATER}
    network.come_back()
    pack = pack_of(second)
    assert pack is not None
    assert (pack.state, pack.makings_begun) in {("ready", 1), ("waiting", 0)}, "such an attempt does not count"
    make_due_packs()
    ready_pack(second)
    assert update_of(first, second) is not None
    found = check()
    assert (found.missing, found.orphans, found.transfers) == ([], [], [])


def test_a_storage_that_is_away_is_waited_for(studio: Studio, network: FaultyNetwork) -> None:
    build = studio.publish(FIRST)
    network.go_down()
    make_due_packs()
    pack = pack_of(build)
    assert pack is not None
    assert (pack.state, pack.makings_begun) == ("waiting", 0)
    network.come_back()
    make_due_packs()
    ready_pack(build)
