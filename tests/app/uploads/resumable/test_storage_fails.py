"""Storage that loses requests, is away for a while, or dies: an upload goes on where it was."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from app.config.settings import Settings
from app.data.claims import ClaimLost
from app.maintenance.build_sweep import sweep
from app.storage import whole_objects
from app.storage.embedded_server import EmbeddedStorage, StorageAccess
from app.uploads.resumable.archive_check import Outcome, examine, read_archive
from app.uploads.resumable.check_claims import Heartbeat, claim_check, free_claim
from app.uploads.resumable.completion import join_parts
from tests.app.api.calling import body, refused
from tests.app.runtime.processes import free_port
from tests.app.uploads.raw.proxy import FaultyNetwork
from tests.app.uploads.resumable.databases import one_database
from tests.app.uploads.resumable.rows import builds, is_clean, row, transfers
from tests.app.uploads.resumable.sending import MIB, Sender, put_all, put_parts
from tests.conftest import settings_for
from tests.game_archives import big_archive, game_archive

pytestmark = [pytest.mark.slow, one_database]

ARCHIVE = big_archive(20 * MIB)  # two parts


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


def done(sender: Sender, upload_id: str) -> None:
    """It became a build of exactly what was sent."""
    assert sender.state(upload_id)["phase"] == "done"
    (build,) = builds()
    assert build.sha256 == hashlib.sha256(ARCHIVE).hexdigest()
    assert is_clean()


def test_a_transfer_whose_opening_was_not_heard_of_is_taken_back(
    app: Flask, sender: Sender, network: FaultyNetwork
) -> None:
    network.lose("answer", "POST", "uploads=")
    refused(sender.begin(ARCHIVE), 503, "service_unavailable")
    assert transfers() == []
    assert body(sender.uploads())["uploads"] == []
    assert is_clean()


def test_a_question_that_storage_does_not_answer_changes_nothing(
    app: Flask, sender: Sender, network: FaultyNetwork
) -> None:
    upload = sender.begun(ARCHIVE)
    put_parts(upload, ARCHIVE)
    network.lose("request", "GET", "uploadId", times=2)
    refused(sender.look(upload["id"]), 503, "service_unavailable")
    refused(sender.complete(upload["id"]), 503, "service_unavailable")
    body(sender.complete(upload["id"]))
    examine(upload["id"])
    done(sender, upload["id"])


def test_parts_that_were_joined_without_an_answer_are_not_joined_again(
    app: Flask, sender: Sender, network: FaultyNetwork
) -> None:
    upload_id = sender.sent(ARCHIVE)
    network.lose("answer", "POST", "uploadId")
    assert examine(upload_id) is Outcome.DONE
    assert network.struck
    done(sender, upload_id)


def test_reading_goes_on_where_it_was_broken_off(app: Flask, sender: Sender, network: FaultyNetwork) -> None:
    upload_id = sender.sent(ARCHIVE)
    taken = claim_check(upload_id)
    assert taken is not None
    join_parts(taken)
    heartbeat = Tripwire(app, taken, at=7 * MIB, trip=lambda: blink(network))
    received = read_archive(taken, heartbeat)
    assert heartbeat.tripped
    assert (received.size, received.sha256) == (len(ARCHIVE), hashlib.sha256(ARCHIVE).hexdigest())
    free_claim(taken)
    assert examine(upload_id) is Outcome.DONE


def test_reading_that_breaks_because_the_upload_was_cancelled_ends_at_once(
    app: Flask, sender: Sender, network: FaultyNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Storage may end an answer in its midst when the object is deleted under it."""
    monkeypatch.setattr(whole_objects, "PAUSE_SECONDS", 600)
    upload_id = sender.sent(ARCHIVE)
    taken = claim_check(upload_id)
    assert taken is not None
    join_parts(taken)

    def cancel() -> None:
        assert sender.cancel(upload_id).status_code == 204
        blink(network)

    with pytest.raises(ClaimLost):
        read_archive(taken, Tripwire(app, taken, at=7 * MIB, trip=cancel))
    assert is_clean()


def blink(network: FaultyNetwork) -> None:
    network.go_down()
    network.come_back()


class Tripwire(Heartbeat):
    """A heartbeat that does something as soon as so many bytes were read."""

    def __init__(self, app: Flask, upload: Any, at: int, trip: Callable[[], object]) -> None:
        self.tripped = False
        self.at, self.trip = at, trip
        super().__init__(app, upload)

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name == "bytes_read" and not self.tripped and self.bytes_read >= self.at:
            self.tripped = True
            self.trip()


def test_storage_that_is_away_puts_the_check_off_and_nobody_is_told_a_failure(
    app: Flask, sender: Sender, network: FaultyNetwork
) -> None:
    upload_id = sender.sent(ARCHIVE)
    network.go_down()
    assert [examine(upload_id) for _ in range(12)] == [Outcome.LATER] * 12  # more often than a check may be begun
    assert body(sender.complete(upload_id))["phase"] == "checking"
    assert body(sender.uploads())["uploads"][0]["phase"] == "checking"
    network.come_back()
    assert examine(upload_id) is Outcome.DONE
    done(sender, upload_id)


def test_a_cancelled_upload_is_gone_though_storage_is_away(app: Flask, sender: Sender, network: FaultyNetwork) -> None:
    upload = sender.begun(ARCHIVE)
    put_parts(upload, ARCHIVE, 1)
    network.go_down()
    assert sender.cancel(upload["id"]).status_code == 204
    refused(sender.look(upload["id"]), 404, "not_found")
    stored = row(upload["id"])
    assert stored is not None
    assert stored.reserved_bytes == len(ARCHIVE)  # its part still takes room
    network.come_back()
    sweep()
    assert row(upload["id"]) is None
    assert is_clean()


def test_bytes_of_a_refused_archive_go_when_storage_is_back(app: Flask, sender: Sender, network: FaultyNetwork) -> None:
    upload_id = sender.sent(b"not an archive")
    network.lose("request", "POST", "delete=")
    assert examine(upload_id) is Outcome.FAILED
    assert sender.state(upload_id)["phase"] == "failed"
    assert not is_clean()
    sweep()
    stored = row(upload_id)
    assert stored is not None
    assert stored.reserved_bytes == 0
    assert is_clean()


class TestKilledGateway:
    """The storage itself, killed as by a power cut and started again at the same address."""

    @pytest.fixture
    def gateway(self, tmp_path: Path) -> Iterator[EmbeddedStorage]:
        gateway = EmbeddedStorage(tmp_path / "storage", port=free_port())
        yield gateway
        gateway.stop()

    @pytest.fixture
    def settings(self, database_url: str, tmp_path: Path, gateway: EmbeddedStorage) -> Settings:
        return settings_for(tmp_path / "instance", gateway.start(), DATABASE_URL=database_url)

    def test_every_acknowledged_part_and_build_is_there_again(
        self, app: Flask, sender: Sender, gateway: EmbeddedStorage
    ) -> None:
        upload = sender.begun(ARCHIVE)
        put_parts(upload, ARCHIVE, 2)
        killed(gateway)
        refused(sender.look(upload["id"]), 503, "service_unavailable")
        refused(sender.begin(game_archive()), 503, "service_unavailable")
        refused(sender.complete(upload["id"]), 503, "service_unavailable")

        gateway.start()
        assert [part["partNumber"] for part in sender.state(upload["id"])["parts"]] == [2]
        put_all(sender, upload, ARCHIVE)
        body(sender.complete(upload["id"]))
        killed(gateway)
        assert examine(upload["id"]) is Outcome.LATER

        gateway.start()
        assert examine(upload["id"]) is Outcome.DONE
        killed(gateway)
        gateway.start()
        sweep()
        done(sender, upload["id"])


def killed(gateway: EmbeddedStorage) -> None:
    assert gateway.process is not None
    gateway.process.kill()
    gateway.process.wait()
