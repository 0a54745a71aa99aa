"""What a process counts: requests, refusals, uploads, failures of storage, sweeps."""

from __future__ import annotations

import re
import threading

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.config.settings import Settings
from app.limits import thread_budgets
from app.runtime.jobs import jobs
from app.runtime.web_server.early_errors import early_response
from app.storage.bucket import Bucket, StorageError
from tests.app.api.v1.calling import Studio
from tests.app.api.v1.conftest import studio as studio
from tests.app.images.images import picture
from tests.app.monitoring.scraping import scrape
from tests.app.runtime.processes import free_port, wait_until
from tests.app.uploads.resumable.sending import Sender
from tests.app.web.conftest import Visitor
from tests.conftest import GAME, Cast, bearer
from tests.game_archives import game_archive
from tests.running_workers import running_workers

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
UPLOAD = "/api/partners/games/<slug>/upload"


def put_archive(client: FlaskClient, key: str, data: bytes) -> int:
    headers = bearer(key) | {"Content-Type": "application/gzip"}
    return client.put("/api/partners/games/paper-lanterns/upload", data=data, headers=headers).status_code


def test_requests_are_counted_by_route_and_status(client: FlaskClient, cast: Cast) -> None:
    before = scrape(client)
    for slug in ("one", "two", "three"):
        client.get(f"/api/partners/games/{slug}", headers=bearer(cast.starlight.key))
    client.get("/api/partners/games", headers=bearer(cast.starlight.key))
    after = scrape(client)

    def more(name: str, **labels: str) -> float:
        return after.value(name, **labels) - before.value(name, **labels)

    one_game = {"method": "GET", "route": "/api/partners/games/<slug>"}
    assert more("slipway_requests_total", **one_game, status="404") == 3
    assert more("slipway_requests_total", method="GET", route="/api/partners/games", status="200") == 1
    assert more("slipway_request_seconds_count", **one_game) == 3
    assert more("slipway_request_seconds_bucket", **one_game, le="+Inf") == 3
    assert more("slipway_request_seconds_sum", **one_game) > 0
    assert (
        more("slipway_refusals_total", reason="game_not_found") + more("slipway_refusals_total", reason="not_found")
        == 3
    )


def test_the_time_of_a_request_lasts_until_its_answer_begins(app: Flask, client: FlaskClient, cast: Cast) -> None:
    began = threading.Event()
    app.view_functions["health.livez"] = lambda: {"waited": began.wait(0.3)}
    labels = {"method": "GET", "route": "/livez"}
    before = scrape(client)

    client.get("/livez")

    took = scrape(client).value("slipway_request_seconds_sum", **labels) - before.value(
        "slipway_request_seconds_sum", **labels
    )
    assert took >= 0.3


def test_what_a_client_writes_never_becomes_a_label(client: FlaskClient, cast: Cast) -> None:
    for number in range(20):
        client.get(f"/nothing/{number}")
        client.open("/livez", method=f"M{number}")
        client.get(f"/api/nothing-{number}")
    found = scrape(client)

    assert found.labels("slipway_requests_total", "method") <= {
        *("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other")
    }
    routes = found.labels("slipway_requests_total", "route")
    assert "none" in routes
    assert not [route for route in routes if "nothing" in route]


def test_no_name_of_a_partner_game_or_server_is_in_a_scrape(client: FlaskClient, cast: Cast) -> None:
    key = bearer(cast.starlight.key)
    client.post("/api/partners/games", json=GAME, headers=key)
    put_archive(client, cast.starlight.key, game_archive())
    client.get("/api/servers/self/plan", headers=bearer(cast.servers["srv-01"]))
    client.get("/operator/servers/srv-01")

    found = scrape(client).text.lower()

    for secret in (cast.starlight.name, cast.starlight.partner_id, "paper-lanterns", "srv-0", "ci ·", "example"):
        assert secret.lower() not in found, secret


def test_uploads_through_the_app_are_counted_with_their_bytes(client: FlaskClient, cast: Cast) -> None:
    client.post("/api/partners/games", json=GAME, headers=bearer(cast.starlight.key))
    archive, before = game_archive(), scrape(client)

    assert put_archive(client, cast.starlight.key, archive) == 200
    assert put_archive(client, cast.starlight.key, archive) == 200
    assert put_archive(client, cast.starlight.key, b"no archive at all") == 400

    after = scrape(client)
    for result, count in (("stored", 1), ("unchanged", 1), ("refused", 1)):
        labels = {"kind": "raw", "result": result}
        assert after.value("slipway_uploads_total", **labels) - before.value("slipway_uploads_total", **labels) == count
    sent = after.value("slipway_upload_bytes_total", kind="raw") - before.value(
        "slipway_upload_bytes_total", kind="raw"
    )
    assert sent == 2 * len(archive) + len(b"no archive at all")
    refused = {"reason": "invalid_archive"}
    assert after.value("slipway_refusals_total", **refused) - before.value("slipway_refusals_total", **refused) == 1


def test_a_failure_in_our_code_and_a_request_that_is_not_http_are_refusals_too(
    app: Flask, client: FlaskClient, cast: Cast
) -> None:
    def broken() -> str:
        raise RuntimeError("broken")

    app.testing = False
    app.view_functions["health.livez"] = broken
    before = scrape(client)

    assert client.get("/livez").status_code == 500
    early_response(b"GET /a b HTTP/1.1\r\n", 414, "too long")

    after = scrape(client)
    for reason in ("internal_error", "uri_too_long"):
        assert (
            after.value("slipway_refusals_total", reason=reason)
            == before.value("slipway_refusals_total", reason=reason) + 1
        )


def test_failures_of_storage_are_counted_and_an_outage_is_seen(
    app: Flask, client: FlaskClient, settings: Settings
) -> None:
    labels = {"operation": "looking for the bucket", "kind": "failed"}
    before = scrape(client)
    assert before.value("slipway_storage_up") == 1
    where = settings.storage_settings
    away = Bucket(type(where)(**{**vars(where), "endpoint": f"http://127.0.0.1:{free_port()}"}))

    with pytest.raises(StorageError):
        away.ping()

    after = scrape(client)
    assert (
        after.value("slipway_storage_errors_total", **labels)
        == before.value("slipway_storage_errors_total", **labels) + 1
    )
    assert after.value("slipway_storage_up") == 0
    app.extensions["slipway_bucket"].ping()
    assert scrape(client).value("slipway_storage_up") == 1


def test_a_bucket_that_is_not_there_is_counted_without_its_name(app: Flask, client: FlaskClient) -> None:
    app.extensions["slipway_bucket"].name = "never-made"

    with pytest.raises(StorageError, match="the bucket 'never-made', which does not exist"):
        app.extensions["slipway_bucket"].ping()

    assert "never-made" not in scrape(client).text


def sweeps(client: FlaskClient, result: str) -> float:
    return scrape(client).value("slipway_sweeps_total", result=result)


def test_requests_that_wait_for_their_turn_are_a_gauge(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert scrape(client).value("slipway_requests_waiting") == 0
    monkeypatch.setattr(thread_budgets.requesters, "waiting", 3)
    assert scrape(client).value("slipway_requests_waiting") == 3


def test_sweeps_are_counted_with_what_they_freed(app: Flask, client: FlaskClient, cast: Cast) -> None:
    before = scrape(client)

    with running_workers(app):
        jobs(app).sweep_soon()
        wait_until(
            lambda: sweeps(client, "done") > before.value("slipway_sweeps_total", result="done"), 60, "a sweep ended"
        )

    after = scrape(client)
    assert after.value("slipway_sweep_last_success_timestamp_seconds") > 1.7e9
    assert after.value("slipway_sweep_freed_bytes_total") >= before.value("slipway_sweep_freed_bytes_total")
    assert after.labels("slipway_sweep_removed_total", "what") == {"uploads", "packs", "objects", "games"}


def test_a_sweep_that_fails_is_counted(app: Flask, client: FlaskClient, cast: Cast) -> None:
    app.extensions["slipway_bucket"].name = "never-made"
    before = sweeps(client, "failed")

    with running_workers(app):
        jobs(app).sweep_soon()
        wait_until(lambda: sweeps(client, "failed") > before, 60, "a sweep failed")


def test_every_metric_says_what_it_is(client: FlaskClient, cast: Cast) -> None:
    text = scrape(client).text
    names = set(re.findall(r"^# TYPE (slipway_\S+)", text, re.MULTILINE))
    described = set(re.findall(r"^# HELP (slipway_\S+) \S", text, re.MULTILINE))

    assert names == described
    assert len(names) > 25


def test_uploads_in_parts_are_counted_when_their_check_ends(client: FlaskClient, cast: Cast) -> None:
    sender, archive = Sender(client, cast.starlight.key), game_archive()
    sender.register()
    before = scrape(client)

    sender.published(archive)
    sender.published(archive)
    sender.published(b"no archive at all")

    after = scrape(client)
    for result in ("stored", "unchanged", "refused"):
        labels = {"kind": "resumable", "result": result}
        assert after.value("slipway_uploads_total", **labels) - before.value("slipway_uploads_total", **labels) == 1
    labels = {"kind": "resumable"}
    sent = after.value("slipway_upload_bytes_total", **labels) - before.value("slipway_upload_bytes_total", **labels)
    assert sent == 2 * len(archive) + len(b"no archive at all")
    refused = {"reason": "invalid_archive"}
    assert after.value("slipway_refusals_total", **refused) == before.value("slipway_refusals_total", **refused) + 1


def test_images_are_counted_when_they_are_confirmed(client: FlaskClient, cast: Cast, studio: Studio) -> None:
    before, image = scrape(client), picture()

    studio.upload(image)

    after, labels = scrape(client), {"kind": "image", "result": "stored"}
    assert after.value("slipway_uploads_total", **labels) == before.value("slipway_uploads_total", **labels) + 1
    sent = after.value("slipway_upload_bytes_total", kind="image") - before.value(
        "slipway_upload_bytes_total", kind="image"
    )
    assert sent == len(image)


def test_refusals_that_a_page_shows_are_counted_too(client: FlaskClient, cast: Cast) -> None:
    visitor, before = Visitor(client), scrape(client)

    assert visitor.sign_in(cast.starlight.owner, "not the password").status_code == 422
    assert client.get("/invitations/inv_unknown").status_code == 404

    after = scrape(client)
    for reason in ("wrong_password", "not_found"):
        assert (
            after.value("slipway_refusals_total", reason=reason)
            == before.value("slipway_refusals_total", reason=reason) + 1
        )
