"""Which host names are answered: those of the base URL and of TRUSTED_HOSTS, loopback always."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.config.environment import host_in
from app.config.settings import SettingsError, load_settings
from app.runtime.web_server.trusted_hosts import is_trusted, trusted_hosts
from tests.conftest import Cast, bearer

BASE = "https://slipway.example"
HTTPS = {"SLIPWAY_BASE_URL": BASE, "S3_PUBLIC_ENDPOINT": "https://s3.example"}
PAGES = ("/", "/sign-in", "/games", "/nowhere", "/static/nothing.css", "/healthz", "/uploads/sh/x", "/invitations/x")
FLAT = ("/api", "/api/partners/games", "/api/servers/plan", "/api/nowhere", "/api/openapi.json")
NESTED = ("/api/v1/games", "/api/v1/nowhere")


def hosts(tmp_path: Path, **variables: str) -> tuple[str, ...]:
    return trusted_hosts(load_settings({"SLIPWAY_INSTANCE": str(tmp_path / "instance")} | variables))


@pytest.mark.settings(**HTTPS)
def test_a_foreign_host_is_a_clean_400_in_the_right_form_on_every_path(client: FlaskClient, cast: Cast) -> None:
    headers = bearer(cast.starlight.key) | {"Host": "evil.example"}
    for path in PAGES:
        answer = client.get(path, headers=headers)
        assert answer.status_code == 400, path
        assert answer.mimetype == "text/html", path
        assert "does not accept the host name &#39;evil.example&#39;" in answer.text, path
        assert BASE in answer.text, path
        assert "Location" not in answer.headers
    for path in FLAT:
        answer = client.get(path, headers=headers)
        assert answer.status_code == 400, path
        assert answer.json is not None, path
        assert answer.json["error"] == "invalid_request", path
        assert "TRUSTED_HOSTS" in answer.json["message"], path
    for path in NESTED:
        answer = client.get(path, headers=headers)
        assert answer.status_code == 400, path
        assert answer.json is not None, path
        assert answer.json["error"]["code"] == "VALIDATION_ERROR", path


@pytest.mark.settings(**HTTPS)
def test_no_route_answers_a_foreign_host(app: Flask, client: FlaskClient, cast: Cast) -> None:
    """Every path of the app with every method, and not one error of another kind."""
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<[^>]*>", "1", rule.rule)
        for method in sorted((rule.methods or set()) - {"HEAD"}):
            headers = bearer(cast.starlight.key) | {"Host": "evil.example"}
            answer = client.open(path, method=method, headers=headers)
            assert answer.status_code == 400, (method, path)
            assert "evil.example" in answer.text, (method, path)


@pytest.mark.settings(**HTTPS)
def test_nothing_is_done_under_a_foreign_host(client: FlaskClient, cast: Cast) -> None:
    for path in ("/sign-in", "/games/new", "/api/partners/games", "/api/v1/games"):
        answer = client.post(path, headers=bearer(cast.starlight.key) | {"Host": "evil.example"}, json={"name": "x"})
        assert answer.status_code == 400, path
        assert "evil.example" in answer.text, path


@pytest.mark.settings(**HTTPS, TRUSTED_HOSTS="portal.lan, .studio.example:8443", ASSET_BASE_URL="https://cdn.example/x")
def test_the_base_url_loopback_and_what_is_named_are_answered(client: FlaskClient, cast: Cast) -> None:
    for host in (
        *("slipway.example", "slipway.example:443", "SLIPWAY.Example", "slipway.example.", "portal.lan:8000"),
        *("studio.example", "a.b.studio.example", "cdn.example"),
        *("localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000", "127.1.2.3", "me.localhost"),
    ):
        answer = client.get("/api/partners/games", headers=bearer(cast.starlight.key) | {"Host": host})
        assert answer.status_code == 200, host
    for host in (
        *("evil.example", "slipway.example.evil.example", "evilstudio.example", "notslipway.example", "s3.example"),
        *("localhost.evil.example", "10.0.0.1", "[::2]", "slipway.example@evil.example", "a b", "slipway.example:x"),
    ):
        answer = client.get("/api/partners/games", headers=bearer(cast.starlight.key) | {"Host": host})
        assert answer.status_code == 400, host


@pytest.mark.settings(**HTTPS, TRUSTED_PROXIES="1")
def test_behind_a_proxy_the_host_is_the_one_it_was_asked_for(client: FlaskClient, cast: Cast) -> None:
    inside = bearer(cast.starlight.key) | {"Host": "127.0.0.1:8000", "X-Forwarded-Proto": "https"}
    good = client.get("/api/partners/games", headers=inside | {"X-Forwarded-Host": "slipway.example"})
    assert good.status_code == 200
    assert client.get("/api/partners/games", headers=inside | {"X-Forwarded-Host": "evil.example"}).status_code == 400


def test_without_a_base_url_or_names_any_host_is_answered(client: FlaskClient, cast: Cast) -> None:
    answer = client.get("/api/partners/games", headers=bearer(cast.starlight.key) | {"Host": "whatever.example"})
    assert answer.status_code == 200


def test_the_health_check_goes_on_working_on_loopback(tmp_path: Path) -> None:
    trusted = hosts(tmp_path, SLIPWAY_BASE_URL=BASE)
    assert trusted == ("slipway.example", "127.0.0.1")
    assert is_trusted("127.0.0.1:8000", trusted)


def test_the_address_it_listens_on_is_answered(tmp_path: Path) -> None:
    assert "192.168.1.5" in hosts(tmp_path, SLIPWAY_BASE_URL=BASE, SLIPWAY_HOST="192.168.1.5")
    for everywhere in ("0.0.0.0", "::", "[::]"):
        assert hosts(tmp_path, SLIPWAY_BASE_URL=BASE, SLIPWAY_HOST=everywhere) == ("slipway.example",)


@pytest.mark.parametrize(
    "word", ["https://slipway.example", "a/b", "*.example", "a b", "user@host", "[::1", ".", "a:b"]
)
def test_what_is_no_host_name_is_refused_at_start(tmp_path: Path, word: str) -> None:
    with pytest.raises(SettingsError, match=r"TRUSTED_HOSTS holds .*host name.*slipway\.example\.org"):
        hosts(tmp_path, TRUSTED_HOSTS=f"good.example, {word}")


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("A.Example:80", "a.example"),
        ("[::1]:8000", "::1"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("a.example.", "a.example"),
        ("", None),
        ("a:1:2", None),
        ("::1", None),
        ("a/b", None),
        ("." * 300 + "é", None),
    ],
)
def test_a_host_header_is_read_as_it_is_compared(header: str, host: str | None) -> None:
    assert host_in(header) == host
