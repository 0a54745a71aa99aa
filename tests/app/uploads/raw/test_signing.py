"""Presigned URLs with the length under the signature: the real storage refuses every other one."""

from __future__ import annotations

import http.client
import secrets
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
import urllib3

from app.config.storage_settings import StorageSettings
from app.data.models.base import now
from app.storage.bucket import Bucket
from app.storage.embedded_server import StorageAccess
from app.storage.url_signing import presign

LIFETIME = timedelta(minutes=5)
BODY = b"exactly these bytes"
ODD = [
    "plain.bin",
    "a b",
    "a+b",
    "ü/é/日本",
    "50%/100%25",
    "q?x=1&y=2",
    "hash#tag",
    "tilde~dash-dot.under_",
    "(brackets)[square]{curly}",
    "quote'\"double",
    "star*bang!at@colon:semi;comma,dollar$equals=",
]


@pytest.fixture
def where(storage: StorageAccess) -> StorageSettings:
    """The real storage, with a bucket of the test's own."""
    name = f"signing-{secrets.token_hex(6)}"
    endpoint = storage.endpoint
    where = StorageSettings(endpoint, storage.access_key, storage.secret_key, name, storage.region, endpoint, endpoint)
    Bucket(where).make()
    return where


def send(method: str, url: str, body: bytes = b"", **headers: str) -> int:
    """A request exactly as it is written here, and its status."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    sent = {"Content-Length": str(len(body))} | {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, f"{parts.path}?{parts.query}", body=body, headers=sent)
        return connection.getresponse().status
    finally:
        connection.close()


def signed_put(where: StorageSettings, key: str, length: int) -> str:
    return presign(where, "PUT", key, {}, LIFETIME, headers={"Content-Length": str(length)})


@pytest.mark.parametrize("key", ODD)
def test_what_was_signed_is_taken_and_can_be_read_again(where: StorageSettings, key: str) -> None:
    assert send("PUT", signed_put(where, key, len(BODY)), BODY) == 200
    found = urllib3.request("GET", presign(where, "GET", key, {}, LIFETIME))
    assert (found.status, found.data) == (200, BODY)
    assert [stored.size for stored in Bucket(where).objects("") if stored.key == key] == [len(BODY)]


@pytest.mark.parametrize("body", [b"", BODY[:-1], BODY + b"!"])
def test_another_length_is_refused(where: StorageSettings, body: bytes) -> None:
    assert send("PUT", signed_put(where, "staged", len(BODY)), body) == 403
    assert Bucket(where).stat("staged") is None


def test_another_type_is_refused_where_the_type_is_signed(where: StorageSettings) -> None:
    headers = {"Content-Length": str(len(BODY)), "Content-Type": "image/png"}
    url = presign(where, "PUT", "staged", {}, LIFETIME, headers=headers)
    assert send("PUT", url, BODY, Content_Type="text/html") == 403
    assert send("PUT", url, BODY) == 400, "a header that is signed must be there"
    assert send("PUT", url, BODY, Content_Type="image/png") == 200


def test_a_signature_is_for_one_method_one_key_and_one_time(where: StorageSettings) -> None:
    url = signed_put(where, "staged", len(BODY))
    assert send("DELETE", url) == 403
    assert send("PUT", url.replace("/staged?", "/other?"), BODY) == 403
    assert send("PUT", url.replace("Expires=300", "Expires=3000"), BODY) == 403
    earlier = now() - timedelta(minutes=6)
    old = presign(where, "PUT", "staged", {}, LIFETIME, headers={"Content-Length": str(len(BODY))}, at=earlier)
    assert send("PUT", old, BODY) == 403
    assert send("PUT", url, BODY) == 200


def test_query_parameters_are_signed_in_their_order_whatever_they_hold(where: StorageSettings) -> None:
    disposition = 'attachment; filename="a b+ü.tar.gz"'
    send("PUT", signed_put(where, "named", len(BODY)), BODY)
    query = {"response-content-disposition": disposition, "response-cache-control": "no-store"}
    found = urllib3.request("GET", presign(where, "GET", "named", query, LIFETIME))
    assert found.status == 200
    assert found.headers["Cache-Control"] == "no-store"


def test_the_signature_is_that_of_the_published_example() -> None:
    """AWS, "Authenticating Requests: Using Query Parameters", with its example's keys; its bucket is in the host."""
    where = StorageSettings(
        endpoint="https://examplebucket.s3.amazonaws.com",
        access_key="AKIAIOSFODNN7EXAMPLE",
        secret_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        bucket="test.txt",  # our URLs have the bucket in the path, the example has only this there
        region="us-east-1",
        public_endpoint="",
        agent_endpoint="",
    )
    at = datetime(2013, 5, 24, tzinfo=UTC)
    url = presign(where, "GET", "", {}, timedelta(days=1), at=at)
    assert url.endswith("X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")


@pytest.mark.parametrize(
    ("endpoint", "host"),
    [
        ("http://storage.example:80", "storage.example"),
        ("https://storage.example:443", "storage.example"),
        ("http://storage.example:9000", "storage.example:9000"),
        ("https://storage.example:80", "storage.example:80"),
    ],
)
def test_a_default_port_is_left_out_as_clients_do(where: StorageSettings, endpoint: str, host: str) -> None:
    url = presign(where, "GET", "key", {}, LIFETIME, endpoint=endpoint)
    assert urlsplit(url).netloc == host
