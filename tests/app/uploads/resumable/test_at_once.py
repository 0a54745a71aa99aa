"""Several at the same moment: clients that complete, workers that check, a person who cancels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from flask import Flask

from app.data import claims
from app.data.extensions import db
from app.runtime.jobs import jobs
from app.storage import bucket as storage_bucket
from app.storage import whole_objects
from app.topics.names import game_topic
from app.topics.versions import stored_version
from app.uploads.resumable.archive_check import Outcome, examine
from app.uploads.resumable.check_claims import Heartbeat, claim_check
from tests.app.api.calling import body
from tests.app.runtime.processes import wait_until
from tests.app.uploads.resumable.rows import builds, is_clean, row
from tests.app.uploads.resumable.sending import MIB, Sender, put_parts
from tests.conftest import Cast
from tests.game_archives import big_archive, game_archive
from tests.running_workers import running_workers

ARCHIVE = big_archive(20 * MIB)


def together(app: Flask, count: int, work: Callable[[], object]) -> list[object]:
    """Call it from so many threads at once, each in an app context of its own."""

    def run(_: int) -> object:
        with app.app_context():
            return work()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def test_one_build_comes_of_many_clients_and_workers(app: Flask, sender: Sender, cast: Cast) -> None:
    upload = sender.begun(ARCHIVE)
    put_parts(upload, ARCHIVE)

    def complete() -> object:
        return body(Sender(app.test_client(), cast.starlight.key).complete(upload["id"]))["phase"]

    assert set(together(app, 4, complete)) == {"checking"}
    outcomes = Counter(together(app, 4, lambda: examine(upload["id"])))
    assert outcomes == {Outcome.DONE: 1, Outcome.NOT_OURS: 3}
    assert [build.number for build in builds()] == [1]
    assert is_clean()


def test_two_uploads_of_one_archive_make_one_build(app: Flask, sender: Sender) -> None:
    ids = [sender.sent(ARCHIVE) for _ in range(2)]
    waiting = iter(ids)
    assert together(app, 2, lambda: examine(next(waiting))) == [Outcome.DONE] * 2
    assert [sender.state(upload_id)["build"] for upload_id in ids] == [1, 1]
    assert len(builds()) == 1
    assert is_clean()


def test_cancelling_beside_the_check_leaves_a_whole_build_or_nothing(
    app: Flask, sender: Sender, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A worker that asks again and again for what was taken away would be seen here.
    monkeypatch.setattr(whole_objects, "PAUSE_SECONDS", 600)
    monkeypatch.setattr(storage_bucket, "COMPLETE_PAUSE_SECONDS", 600)
    for seed in range(3):
        upload_id = sender.sent(game_archive(seed=seed))
        deeds: Iterator[Callable[[str], object]] = iter([examine, lambda sent: cancel(app, cast, sent)])
        together(app, 2, partial(do_next, deeds, upload_id))
        assert row(upload_id) is None
        assert is_clean()


def do_next(deeds: Iterator[Callable[[str], object]], upload_id: str) -> object:
    return next(deeds)(upload_id)


def cancel(app: Flask, cast: Cast, upload_id: str) -> int:
    return Sender(app.test_client(), cast.starlight.key).cancel(upload_id).status_code


def test_the_heartbeat_tells_progress_and_hears_of_the_end(
    app: Flask, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "HEARTBEAT_SECONDS", 0.05)
    upload_id = sender.sent(game_archive())
    taken = claim_check(upload_id)
    assert taken is not None
    before = stored_version(game_topic(taken.required_game_id))
    heartbeat = Heartbeat(app, taken)
    heartbeat.bytes_read, heartbeat.files_read = 1000, 7
    with heartbeat:
        wait_until(lambda: sender.state(upload_id)["check"] == {"bytesRead": 1000, "filesRead": 7}, 30, "it was told")
        db.session.rollback()
        told = stored_version(game_topic(taken.required_game_id))
        assert told == before + 1
        touched = row(upload_id).touched_at  # type: ignore[union-attr]  # it is there
        wait_until(lambda: row(upload_id).touched_at > touched, 30, "it says so without news too")  # type: ignore[union-attr]
        assert stored_version(game_topic(taken.required_game_id)) == told
        assert not heartbeat.lost.is_set()
        assert sender.cancel(upload_id).status_code == 204
        assert heartbeat.lost.wait(10)


def test_workers_check_what_was_completed(app: Flask, sender: Sender) -> None:
    waited = sender.sent(game_archive(seed=1))  # before there is a worker
    with running_workers(app):
        wait_until(lambda: sender.state(waited)["phase"] == "done", 20, "what waited is checked")
        upload_id = sender.sent(game_archive(seed=2))
        wait_until(lambda: sender.state(upload_id)["phase"] == "done", 20, "what is completed is checked")
        wait_until(jobs(app).worker_answers, 20, "a worker that is not sweeping answers")
    assert [build.number for build in builds()] == [1, 2]
