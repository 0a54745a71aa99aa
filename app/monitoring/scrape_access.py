"""Who may scrape: a program on this machine, or one with the token."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from app.config.environment import host_in
from app.config.hosts import is_loopback

# A request with one of these came through a proxy, whose own address says nothing about its client.
_FORWARDED = (
    "HTTP_FORWARDED",
    "HTTP_VIA",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_REAL_IP",
)
REFUSAL = (
    "Metrics are for programs on this machine, and for those that send the token: set SLIPWAY_METRICS_TOKEN, and send "
    "it as `Authorization: Bearer …`.\n"
)


def may_scrape(environ: Mapping[str, Any], token: str | None) -> bool:
    """Whether this WSGI request may read the metrics. `token` None: only loopback may."""
    return _has_token(environ, token) or _is_from_this_machine(environ)


def _has_token(environ: Mapping[str, Any], token: str | None) -> bool:
    scheme, _, sent = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
    if token is None or scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(sent.strip().encode("utf-8", "surrogatepass"), token.encode())


def _is_from_this_machine(environ: Mapping[str, Any]) -> bool:
    """Whether the connection comes from loopback and not through a proxy. The name in the request must be one of
    loopback too: otherwise a page of another site, whose name points at this machine, could read the answer."""
    if any(name in environ for name in _FORWARDED):  # an empty one too
        return False
    original: Mapping[str, Any] = environ.get("werkzeug.proxy_fix.orig", {})  # before TRUSTED_PROXIES was applied
    peer = original.get("REMOTE_ADDR") or environ.get("REMOTE_ADDR") or ""
    host = host_in(str(original.get("HTTP_HOST") or environ.get("HTTP_HOST") or ""))
    return is_loopback(str(peer)) and host is not None and is_loopback(host)
