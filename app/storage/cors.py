"""Pages that may send to storage and fetch from it (CORS): the portal's, and those that may call the assets API."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from app.config.hosts import is_loopback
from app.config.settings import Settings

_EVERYWHERE = {"0.0.0.0", "::", "[::]"}  # noqa: S104  # compared, not bound


def page_origins(own: Settings) -> Sequence[str]:
    """Origins as browsers send them. Empty if the portal's own origin is not known."""
    portal = _portal_origins(own)
    return tuple(dict.fromkeys([*portal, *own.api_cors_origins])) if portal else ()


def _portal_origins(own: Settings) -> Sequence[str]:
    if own.base_url:
        return [_origin(own.base_url)]
    if own.host in _EVERYWHERE:
        return []
    host = f"[{own.host}]" if ":" in own.host.strip("[]") and not own.host.startswith("[") else own.host
    hosts = ["127.0.0.1", "localhost"] if is_loopback(own.host) and ":" not in own.host else [host]
    return [_origin(f"http://{name}:{own.port}") for name in hosts]


def _origin(address: str) -> str:
    """The origin without the port that its scheme implies, as browsers send it."""
    parts = urlsplit(address.lower())
    default = {"http": 80, "https": 443}.get(parts.scheme)
    host = parts.netloc.removesuffix(f":{default}") if parts.port == default else parts.netloc
    return f"{parts.scheme}://{host}"
