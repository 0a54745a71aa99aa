"""Storage that does not answer, as the pages say it."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from flask import Flask

from app.refusals import Unavailable
from app.storage.availability import StorageStatus, storage_status
from app.storage.bucket import Bucket
from tests.app.runtime.processes import free_port
from tests.app.web.conftest import HTMX, ONE_DATABASE, Visitor
from tests.app.web.reading import one_line
from tests.conftest import Cast

pytestmark = ONE_DATABASE


@pytest.fixture
def gone(app: Flask) -> Bucket:
    """Storage behind a port where nothing listens."""
    where = replace(app.config["SLIPWAY"].storage_settings, endpoint=f"http://127.0.0.1:{free_port()}")
    app.extensions["slipway_bucket"] = Bucket(where)
    found: Bucket = app.extensions["slipway_bucket"]
    return found


def fail(bucket: Bucket) -> None:
    with pytest.raises(Unavailable):
        bucket.ping()


def test_nothing_is_said_while_it_answers(owner: Visitor) -> None:
    assert "Storage has been unreachable" not in owner.get("/games").text


def test_every_page_says_since_when_and_looks_again(owner: Visitor, viewer: Visitor, gone: Bucket) -> None:
    fail(gone)
    for page in (owner.get("/games").text, viewer.get("/games").text):
        assert "Storage has been unreachable since <time" in page
        assert 'hx-get="/storage" hx-trigger="every 8s"' in one_line(page)


def test_the_banner_goes_when_it_answers_again(app: Flask, owner: Visitor, gone: Bucket) -> None:
    fail(gone)
    assert "unreachable since" in owner.get("/storage", headers=HTMX).text
    app.extensions["slipway_bucket"] = Bucket(app.config["SLIPWAY"].storage_settings)
    storage_status.record(answered=False)
    answer = owner.post("/storage/tries", headers=HTMX)
    assert answer.status_code == 200
    assert "unreachable since" not in answer.text
    assert 'id="storage"' in answer.text


def test_try_now_without_a_script_comes_back_and_says_the_truth(owner: Visitor, gone: Bucket) -> None:
    answer = owner.post("/storage/tries", {"next": "/games?q=x"})
    assert (answer.status_code, answer.location) == (303, "/games?q=x")
    assert "Storage has been unreachable" in owner.get("/games").text


def test_only_members_look(visitor: Visitor, cast: Cast) -> None:
    assert visitor.get("/storage").status_code == 302
    assert visitor.post("/storage/tries").status_code == 302


def test_a_refusal_of_storage_is_an_answer(app: Flask) -> None:
    where = replace(app.config["SLIPWAY"].storage_settings, secret_key="wrong")
    bucket = Bucket(where)
    storage_status.record(answered=False)
    fail(bucket)
    assert storage_status.outage(lambda: None) is None


def test_it_is_asked_in_the_background_and_not_by_every_page(app: Flask) -> None:
    asked = threading.Semaphore(0)
    found = StorageStatus()
    found.record(answered=False)
    found._due = 0
    first = found.outage(asked.release)
    assert first is not None
    assert asked.acquire(timeout=30)
    again = found.outage(asked.release)
    assert again is not None
    assert again.since == first.since
    assert not asked.acquire(blocking=False)
