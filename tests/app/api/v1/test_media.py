"""Images are served for ever and to anybody, in pieces if wanted, and never as anything but an image."""

from __future__ import annotations

import hashlib

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.data.extensions import db
from app.images.variant_jobs import derive, due_derivations
from app.limits import thread_budgets
from tests.app.api.v1.calling import Studio
from tests.app.images.images import picture

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

DATA = picture(200, 280)


@pytest.fixture
def address(studio: Studio) -> str:
    return str(studio.upload(DATA)["publicUrl"])


def test_the_whole_image(client: FlaskClient, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 200
    assert answer.data == DATA
    digest = hashlib.sha256(DATA).hexdigest()
    expected = {
        "Content-Type": "image/png",
        "Content-Length": str(len(DATA)),
        "ETag": f'"{digest}"',
        "Cache-Control": "public, max-age=31536000, immutable",
        "Accept-Ranges": "bytes",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Content-Disposition": f'inline; filename="image-{digest[:12]}.png"',
    }
    assert {name: answer.headers[name] for name in expected} == expected
    assert "Set-Cookie" not in answer.headers


def test_head_is_the_same_without_the_bytes(client: FlaskClient, address: str) -> None:
    head, whole = client.head(address), client.get(address)
    assert head.status_code == 200
    assert head.data == b""
    same = {"Content-Type", "Content-Length", "ETag", "Cache-Control", "Accept-Ranges", "Content-Security-Policy"}
    assert {name: head.headers[name] for name in same} == {name: whole.headers[name] for name in same}


def test_what_the_browser_has_is_not_sent_again(client: FlaskClient, address: str) -> None:
    etag = client.get(address).headers["ETag"]
    for value in (etag, f'"other", {etag}', "*"):
        answer = client.get(address, headers={"If-None-Match": value})
        assert answer.status_code == 304
        assert answer.data == b""
        assert answer.headers["ETag"] == etag
        assert "immutable" in answer.headers["Cache-Control"]
    assert client.get(address, headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=10-99", 10, 99),
        ("bytes=100-", 100, len(DATA) - 1),
        ("bytes=-7", len(DATA) - 7, len(DATA) - 1),
        ("bytes=5-99999999", 5, len(DATA) - 1),
        ("bytes=-99999999", 0, len(DATA) - 1),
        (f"bytes={len(DATA) - 1}-", len(DATA) - 1, len(DATA) - 1),
    ],
)
def test_a_range(client: FlaskClient, address: str, asked: str, first: int, last: int) -> None:
    for method in ("GET", "HEAD"):
        answer = client.open(address, method=method, headers={"Range": asked})
        assert answer.status_code == 206
        assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(DATA)}"
        assert answer.headers["Content-Length"] == str(last - first + 1)
        assert answer.data == (DATA[first : last + 1] if method == "GET" else b"")


@pytest.mark.parametrize("asked", [f"bytes={len(DATA)}-", "bytes=99999999-"])
def test_a_range_that_is_not_there(client: FlaskClient, address: str, asked: str) -> None:
    answer = client.get(address, headers={"Range": asked})
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(DATA)}"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "bytes=9-3", "bytes=-0", "lines=1-2", "nonsense"])
def test_what_is_no_single_range_gets_everything(client: FlaskClient, address: str, asked: str) -> None:
    answer = client.get(address, headers={"Range": asked})
    assert answer.status_code == 200
    assert answer.data == DATA


def test_a_range_of_another_version_gets_everything(client: FlaskClient, address: str) -> None:
    etag = client.get(address).headers["ETag"]
    headers = {"Range": "bytes=0-3", "If-Range": etag}
    assert client.get(address, headers=headers).status_code == 206
    for other in ('"other"', f"W/{etag}", "Sat, 21 Nov 2026 10:00:00 GMT"):
        assert client.get(address, headers=headers | {"If-Range": other}).status_code == 200


def test_sizes_are_webp_with_a_name_and_etag_of_their_own(client: FlaskClient, studio: Studio, address: str) -> None:
    for blob_id in due_derivations(db.session()):
        derive(blob_id)
    source, variant = client.get(address), client.get(f"{address}.v1-256.webp")
    assert variant.headers["Content-Type"] == "image/webp"
    assert variant.headers["ETag"] == f'"{hashlib.sha256(variant.data).hexdigest()}"' != source.headers["ETag"]
    assert variant.headers["Content-Disposition"].endswith('.webp"')
    assert client.get(f"{address}.v1-2048.webp").status_code == 404  # the same as 768: not made twice


@pytest.mark.parametrize(
    "name", ["nothing", "sha256-", "..%2f..%2fetc", "sha256-" + "A" * 43, "sha256-" + "A" * 43 + ".nobody", "%00"]
)
def test_what_is_not_there_is_a_plain_404(client: FlaskClient, address: str, name: str) -> None:
    answer = client.get(f"/uploads/sh/{name}")
    assert answer.status_code == 404
    assert "immutable" not in answer.headers.get("Cache-Control", "")


def test_another_partners_name_for_the_same_bytes_is_not_there(client: FlaskClient, address: str) -> None:
    stem, _, partner = address.rpartition(".")
    assert client.get(f"{stem}.{'0' * len(partner)}").status_code == 404


def test_no_place_stays_taken(client: FlaskClient, address: str) -> None:
    for _ in range(3):
        client.get(address)
        client.get(address, headers={"Range": "bytes=0-9"})
        client.head(address)
        client.get(address, buffered=False).close()
    assert thread_budgets.images.in_use == 0


def test_when_all_places_are_taken_the_answer_says_when_to_come_again(
    client: FlaskClient, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thread_budgets.images, "limit", 0)
    answer = client.get(address)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_one_place_on_the_network_has_half_of_the_places(
    client: FlaskClient, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One customer has all networks of an IPv6 site."""
    monkeypatch.setattr(thread_budgets.images, "limit", 2)

    def read(reader: str) -> TestResponse:
        return client.get(address, buffered=False, environ_overrides={"REMOTE_ADDR": reader})

    first, second, other = (read(f"2001:db8:{host}") for host in ("1:2::1", "1:3::1", "2:2::1"))
    assert [first.status_code, second.status_code, other.status_code] == [200, 503, 200]
    assert "Your address uses 1 of the 2 places for images that are being sent" in second.text
    for answer in (first, second, other):
        answer.close()


@pytest.mark.settings(ASSET_BASE_URL="https://cdn.example/images/")
def test_with_a_cdn_addresses_lead_to_it(client: FlaskClient, studio: Studio) -> None:
    presigned = studio.upload(DATA)
    assert presigned["publicUrl"] == f"https://cdn.example/images/{presigned['key']}"
    assert studio.assets()[0]["sourceUrl"] == presigned["publicUrl"]
    assert client.get(f"/{presigned['key']}").data == DATA  # where the CDN fetches it


@pytest.mark.settings(SLIPWAY_BASE_URL="http://slipway.lan:8000")
def test_addresses_lead_to_where_the_app_is_known(studio: Studio) -> None:
    presigned = studio.upload(DATA)
    assert presigned["publicUrl"] == f"http://slipway.lan:8000/{presigned['key']}"
