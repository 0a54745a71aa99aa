"""Who may scrape: programs on this machine, not through a proxy, and those with the token."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from app.config.settings import SettingsError, load_settings
from app.monitoring.scrape_access import may_scrape
from tests.conftest import Cast, bearer

TOKEN = "a-token-of-32-letters-for-scrapes"
HERE = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "127.0.0.1:8000"}
ELSEWHERE = {"REMOTE_ADDR": "192.0.2.7", "HTTP_HOST": "slipway.example.org"}


@pytest.mark.parametrize(
    ("environ", "allowed"),
    [
        (HERE, True),
        ({"REMOTE_ADDR": "::1", "HTTP_HOST": "[::1]:8000"}, True),
        (HERE | {"HTTP_HOST": "localhost:8000"}, True),
        (ELSEWHERE, False),
        (HERE | {"REMOTE_ADDR": "192.0.2.7"}, False),
        (HERE | {"REMOTE_ADDR": ""}, False),  # a Unix socket: a proxy has that too
        # A page elsewhere, whose name points at this machine.
        (HERE | {"HTTP_HOST": "rebound.example.org"}, False),
        (HERE | {"HTTP_HOST": ""}, False),
        # A proxy on this machine.
        *[
            (HERE | {header: "192.0.2.7"}, False)
            for header in (
                "HTTP_X_FORWARDED_FOR",
                "HTTP_X_FORWARDED_HOST",
                "HTTP_X_FORWARDED_PROTO",
                "HTTP_FORWARDED",
                "HTTP_X_REAL_IP",
                "HTTP_VIA",
            )
        ],
        (HERE | {"HTTP_X_FORWARDED_FOR": ""}, False),
        # TRUSTED_PROXIES made a loopback address of what a client wrote.
        (HERE | {"werkzeug.proxy_fix.orig": {"REMOTE_ADDR": "192.0.2.7", "HTTP_HOST": "127.0.0.1"}}, False),
        (ELSEWHERE | {"HTTP_AUTHORIZATION": f"Bearer {TOKEN}"}, True),
        (ELSEWHERE | {"HTTP_AUTHORIZATION": f"bearer  {TOKEN}"}, True),
        (ELSEWHERE | {"HTTP_AUTHORIZATION": f"Basic {TOKEN}"}, False),
        (ELSEWHERE | {"HTTP_AUTHORIZATION": f"Bearer {TOKEN}x"}, False),
        (ELSEWHERE | {"HTTP_AUTHORIZATION": "Bearer "}, False),
        (ELSEWHERE | {"HTTP_AUTHORIZATION": "Bearer \xe9\udcff"}, False),
    ],
)
def test_loopback_or_the_token(environ: dict[str, Any], allowed: bool) -> None:
    assert may_scrape(environ, TOKEN) is allowed


def test_without_a_token_no_token_is_right() -> None:
    for sent in ("Bearer ", "Bearer None", f"Bearer {TOKEN}"):
        assert not may_scrape(ELSEWHERE | {"HTTP_AUTHORIZATION": sent}, None)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.settings(SLIPWAY_METRICS_TOKEN=TOKEN, TRUSTED_PROXIES="1")
def test_a_proxy_in_front_makes_nobody_local(client: FlaskClient, cast: Cast) -> None:
    assert client.get("/metrics").status_code == 200
    for client_address in ("127.0.0.1", "192.0.2.7"):
        forwarded = {"X-Forwarded-For": client_address}
        refused = client.get("/metrics", headers=forwarded)
        assert refused.status_code == 403
        assert refused.mimetype == "text/plain"
        assert "SLIPWAY_METRICS_TOKEN" in refused.text
        assert "slipway_" not in refused.text
        assert client.get("/metrics", headers=forwarded | bearer(TOKEN)).status_code == 200
        assert client.get("/metrics", headers=forwarded | bearer(TOKEN[:-1])).status_code == 403
    # A key of a partner and the session of an operator are no tokens.
    assert client.get("/metrics", headers=forwarded | bearer(cast.starlight.key)).status_code == 403


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"SLIPWAY_METRICS_TOKEN": "too short"}, "16 to 200"),
        ({"SLIPWAY_METRICS_TOKEN": "with spaces in between them"}, "16 to 200"),
        ({"SLIPWAY_METRICS_LISTEN": "9101"}, "127.0.0.1:9101-9104"),
        ({"SLIPWAY_METRICS_LISTEN": "127.0.0.1:9104-9101"}, "127.0.0.1:9101-9104"),
        ({"SLIPWAY_METRICS_LISTEN": "127.0.0.1:9101-9900"}, "up to 64 ports"),
        ({"SLIPWAY_METRICS_LISTEN": "127.0.0.1:99999"}, "127.0.0.1:9101-9104"),
        ({"SLIPWAY_METRICS_LISTEN": "0.0.0.0:9101"}, "no SLIPWAY_METRICS_TOKEN"),
    ],
)
def test_settings_that_cannot_be_used(tmp_path: Any, variables: dict[str, str], problem: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({"SLIPWAY_INSTANCE": str(tmp_path / "instance"), **variables})

    assert problem in str(refused.value)
    assert "too short" not in str(refused.value)
    assert "with spaces" not in str(refused.value)


def test_other_machines_may_reach_the_address_when_there_is_a_token(tmp_path: Any) -> None:
    found = load_settings(
        {
            "SLIPWAY_INSTANCE": str(tmp_path / "instance"),
            "SLIPWAY_METRICS_TOKEN": TOKEN,
            "SLIPWAY_METRICS_LISTEN": "[::]:9101-9104",
        }
    )

    assert found.metrics_listen is not None
    assert (found.metrics_listen.host, found.metrics_listen.first, found.metrics_listen.last) == ("::", 9101, 9104)
    assert TOKEN not in repr(found)
