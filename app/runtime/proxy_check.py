"""Whether requests to SLIPWAY_BASE_URL reach this portal as clients sent them, for `flask doctor`."""

from __future__ import annotations

import http.client
import socket
import time
from contextlib import closing, suppress
from typing import Any
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError, NameResolutionError, NewConnectionError, SSLError

from app.config.settings import Settings, settings
from app.process.check_result import CheckResult, failed, ok, skipped
from app.process.request_probe import HEADER, PATH, probe_signature
from app.storage.address_checks import tls_reason
from slipway.client.json_documents import json_object

_SEEN = {"scheme", "host", "address", "forwarded"}  # what the portal answers
_FORGED = "192.0.2.1"  # of no machine (RFC 5737)
_CONNECT_SECONDS = 10.0
_BODY_SECONDS = 5.0
# Programs in Go, such as Caddy, pass an early answer on only while more of the body arrives.
_PIECE = bytes(16 * 1024)
_PAUSE_SECONDS = 0.1


class _Wrong(Exception):
    """The text says what is wrong, and what to do."""


class _NotRunning(Exception):
    """The web server does not run (yet)."""


def proxy_passes_requests_on() -> CheckResult:
    """Whether scheme, host and the client's address arrive, and large bodies as they are sent."""
    own = settings()
    if own.base_url is None:
        return skipped("SLIPWAY_BASE_URL is not set, so the portal's address is not known.")
    try:
        seen = _seen(own, own.base_url)
        _check_client_address(own, seen)
        _check_scheme_and_host(own.base_url, seen)
        _check_large_body(own, own.base_url)
    except _NotRunning:
        return skipped(f"No portal answers at {own.base_url}. Start it, and run this command again.")
    except _Wrong as wrong:
        return failed(str(wrong))
    return ok(f"Requests to {own.base_url} arrive with their scheme, host and client address, and bodies unbuffered.")


def _seen(own: Settings, base_url: str) -> dict[str, Any]:
    """What the app sees of a request that claims to come from another address."""
    headers = {HEADER: probe_signature(own.secret_key), "X-Forwarded-For": _FORGED}
    try:
        with urllib3.PoolManager(retries=False, timeout=10) as pool:
            answer = pool.request("GET", base_url + PATH, headers=headers, redirect=False)
    except NameResolutionError:
        raise _Wrong(f"SLIPWAY_BASE_URL: this machine cannot resolve the name in {base_url}.") from None
    except NewConnectionError:
        raise _NotRunning from None
    except SSLError as error:
        raise _Wrong(
            f"SLIPWAY_BASE_URL: the certificate of {base_url} is not trusted here: {tls_reason(error)}. SSL_CERT_FILE "
            "names a private authority."
        ) from None
    except (HTTPError, OSError) as error:
        raise _Wrong(f"SLIPWAY_BASE_URL: {base_url} did not answer ({type(error).__name__}).") from None
    if answer.status in {502, 503, 504}:
        raise _NotRunning
    if 300 <= answer.status < 400:
        raise _Wrong(f"{base_url} redirects. Set SLIPWAY_BASE_URL to the address that it redirects to.")
    if answer.status == 400 and b"TRUSTED_HOSTS" in answer.data:
        raise _Wrong(
            f"The portal refuses the host name that reaches it by {base_url}. Let the proxy pass on the Host header "
            "(nginx: proxy_set_header Host $host)."
        )
    if answer.status != 200:
        raise _Wrong(
            f"{base_url} answered {answer.status}. Is it this portal, started with the same SECRET_KEY and "
            "SLIPWAY_INSTANCE?"
        )
    seen = json_object(answer.data)
    if seen is None or not seen.keys() >= _SEEN:
        raise _Wrong(f"{base_url} leads to another program, not to this portal.")
    return seen


def _check_scheme_and_host(base_url: str, seen: dict[str, Any]) -> None:
    parts = urlsplit(base_url)
    if seen["scheme"] != parts.scheme:
        raise _Wrong(
            f"The portal sees {seen['scheme']} instead of {parts.scheme}. Let the proxy set X-Forwarded-Proto, and set "
            "TRUSTED_PROXIES to the number of proxies."
        )
    implied = {"http": ":80", "https": ":443"}[parts.scheme]  # clients leave it out
    if seen["host"].removesuffix(implied) != parts.netloc.lower().removesuffix(implied):
        raise _Wrong(
            f"The portal sees the host {seen['host']} instead of {parts.netloc}. Let the proxy set Host and "
            "X-Forwarded-Host to the name that the client used."
        )


def _check_client_address(own: Settings, seen: dict[str, Any]) -> None:
    proxies = seen["forwarded"] - 1  # the forged entry is the first one
    if seen["address"] == _FORGED:
        raise _Wrong(
            "The portal believes the address that a client claims to have, so clients escape its rate limits. Set "
            f"TRUSTED_PROXIES to the number of proxies ({max(proxies, 0)} added an entry to X-Forwarded-For)."
        )
    if proxies > own.trusted_proxies:
        raise _Wrong(
            f"X-Forwarded-For has the entries of {proxies} proxies, and TRUSTED_PROXIES is {own.trusted_proxies}: the "
            f"portal sees a proxy's address instead of the client's. Set TRUSTED_PROXIES={proxies}."
        )


def _check_large_body(own: Settings, base_url: str) -> None:
    """Announce the largest archive, and send only its beginning: the portal refuses it for its missing key, at once."""
    parts = urlsplit(base_url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    with closing(kind(parts.hostname or "", parts.port, timeout=_CONNECT_SECONDS)) as connection:
        connection.putrequest("PUT", "/api/partners/games/doctor/upload")
        connection.putheader("Content-Type", "application/gzip")
        connection.putheader("Content-Length", str(own.max_archive_bytes))
        try:
            connection.endheaders()
            status = _early_status(connection.sock)
        except (OSError, ValueError) as error:
            raise _Wrong(f"{base_url} closed the connection of an upload ({type(error).__name__}).") from None
    if status is None:
        raise _Wrong(
            "The proxy waits for a complete body before it passes a request on. Turn that off (nginx: "
            "proxy_request_buffering off): archives are checked while they arrive."
        )
    if status == 413:
        raise _Wrong("The proxy refuses a body of MAX_ARCHIVE_BYTES. Raise its limit (nginx: client_max_body_size 0).")
    if status != 401:
        raise _Wrong(f"{base_url} answered {status} to an upload without a key, and not 401.")


def _early_status(connection: socket.socket) -> int | None:
    """The status that arrives while a body is being sent. None if none does. Raises OSError, or ValueError for an
    answer that is not HTTP."""
    deadline, answer = time.monotonic() + _BODY_SECONDS, b""
    connection.settimeout(_PAUSE_SECONDS)
    while time.monotonic() < deadline:
        with suppress(OSError):  # it has answered already and closed, or accepts no more
            connection.sendall(_PIECE)
        try:
            received = connection.recv(4096)
        except TimeoutError:
            continue
        if not received:
            raise ConnectionResetError
        answer += received
        if b"\r\n" in answer:
            return int(answer.split(None, 2)[1])
    return None
