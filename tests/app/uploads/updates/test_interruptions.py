"""An assembly that storage, a person or another worker interrupts: it goes on, or leaves nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from app.config.settings import Settings
from app.maintenance.build_sweep import check, sweep
from app.process import shutdown
from app.storage import whole_objects
from app.storage.embedded_server import StorageAccess
from app.uploads.resumable.archive_check import Outcome, examine
from app.uploads.updates import assembly
from tests.app.uploads.raw.proxy import FaultyNetwork
from tests.app.uploads.resumable.databases import one_database
from tests.app.uploads.resumable.rows import builds, change, is_clean, row, transfers
from tests.app.uploads.resumable.sending import Sender
from tests.app.uploads.updates.packed_bases import PackedBase

pytestmark = [pytest.mark.slow, one_database]


@pytest.fixture(scope="module")
def network(storage: StorageAccess) -> Iterator[FaultyNetwork]:
    network = FaultyNetwork(storage.endpoint)
    yield network
    network.close()


@pytest.fixture
def settings(database_url: str, tmp_path: Path, settings: Settings, network: FaultyNetwork) -> Settings:
    """Those of `app`, with storage behind the network that fails."""
    network.come_back()
    assert settings.storage
    return settings.model_copy(update={"storage": replace(settings.storage, endpoint=network.endpoint)})


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once."""
    monkeypatch.setattr(whole_objects, "PAUSE_SECONDS", 0.01)


@pytest.fixture
def upload_id(app: Flask, sender: Sender, base: PackedBase) -> str:
    """An update that was sent and waits for its check."""
    return sender.sent(base.update_file(script=b"label start:\n"), base=1)


def at(monkeypatch: pytest.MonkeyPatch, point: str, act: Callable[[], object]) -> None:
    """Do something when an assembly reaches a point, once."""
    left = [point]

    def reached(name: str) -> None:
        if name in left:
            left.remove(name)
            act()

    monkeypatch.setattr(assembly, "crash_point", reached)


def test_ranges_that_break_are_read_again(upload_id: str, network: FaultyNetwork) -> None:
    network.lose("answer", "GET", "/pack?", times=2)
    assert examine(upload_id) is Outcome.DONE
    assert network.struck
    assert is_clean()


def test_an_assembly_that_storage_breaks_off_is_made_later(upload_id: str, network: FaultyNetwork) -> None:
    network.lose("request", "PUT", "partNumber", times=20)
    assert examine(upload_id) is Outcome.LATER
    left = row(upload_id)
    assert left is not None
    assert (left.state, left.checker, left.checks_begun) == ("checking", None, 0)
    network.come_back()
    assert examine(upload_id) is Outcome.DONE
    assert is_clean()


def test_each_attempt_writes_to_a_key_of_its_own(
    upload_id: str, network: FaultyNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that was frozen and wakes up must not touch the object of the one that took over."""
    keys: list[str] = []

    def note_key() -> None:
        found = row(upload_id)
        assert found is not None
        assert found.archive_key
        keys.append(found.archive_key)

    network.lose("request", "PUT", "partNumber", times=20)
    at(monkeypatch, "assembly-begun", note_key)
    assert examine(upload_id) is Outcome.LATER
    network.come_back()
    assert transfers() == keys
    assert examine(upload_id) is Outcome.DONE
    assert builds()[1].object_key not in keys
    assert is_clean()


def test_a_cancelled_assembly_ends_and_leaves_nothing(
    upload_id: str, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, "assembly-begun", lambda: sender.cancel(upload_id))
    assert examine(upload_id) in {Outcome.NOT_OURS, Outcome.LATER}
    assert len(builds()) == 1
    assert row(upload_id) is None
    sweep(timedelta(0))
    assert is_clean()


def test_a_worker_whose_claim_was_taken_over_publishes_nothing(upload_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, "mid-assembly", lambda: change(upload_id, checker="another"))
    assert examine(upload_id) is Outcome.NOT_OURS
    assert len(builds()) == 1
    change(upload_id, checker=None)
    assert examine(upload_id) is Outcome.DONE
    sweep(timedelta(0))
    assert check().orphans == []
    assert is_clean()


def test_a_process_that_stops_leaves_the_assembly_to_the_next(upload_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, "assembly-begun", shutdown.stopping.set)
    try:
        assert examine(upload_id) is Outcome.LATER
    finally:
        shutdown.stopping.clear()
    assert examine(upload_id) is Outcome.DONE
    assert is_clean()


def test_what_a_dead_assembly_left_is_swept_with_the_upload(
    upload_id: str, sender: Sender, network: FaultyNetwork
) -> None:
    network.lose("request", "PUT", "partNumber", times=20)
    assert examine(upload_id) is Outcome.LATER
    network.come_back()
    assert len(transfers()) == 1
    assert check().transfers == []  # the row names it
    assert sender.cancel(upload_id).status_code == 204
    assert transfers() == []
    assert is_clean()
