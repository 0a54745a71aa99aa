"""The host names that the app answers to. A page under another name would build its links from that name, and browsers
would give a name that points at this machine without our knowledge (DNS rebinding) access to it.

Flask's own TRUSTED_HOSTS stays unset: it does not support IPv6 and upper case, and its error page cannot make a link.
"""

from __future__ import annotations

from collections.abc import Sequence

from flask import Flask, request
from werkzeug.exceptions import BadRequest

from app.config.environment import host_in
from app.config.hosts import host_of, is_loopback
from app.config.settings import Settings

_UNSPECIFIED = {"", "0.0.0.0", "::"}  # noqa: S104  # listens everywhere: no name of anything


def init_app(app: Flask, settings: Settings) -> None:
    """Refuse other hosts, on every path and before other handlers look at the request."""
    trusted = trusted_hosts(settings)
    if trusted:
        app.before_request(lambda: _require(trusted, settings.base_url))


def trusted_hosts(settings: Settings) -> tuple[str, ...]:
    """Host names in lower case, without ports; one that begins with a dot stands for all names below it too. Empty: any
    host is accepted. Loopback is always accepted too (`is_trusted`)."""
    if not settings.trusted_hosts and not settings.base_url:
        return ()
    listens = settings.host.strip("[]")
    own = [host_of(address) for address in (settings.base_url, settings.asset_base_url) if address]
    return tuple(dict.fromkeys([*own, *settings.trusted_hosts, *([listens] if listens not in _UNSPECIFIED else [])]))


def is_trusted(host: str, trusted: Sequence[str]) -> bool:
    """Whether a Host header is accepted. Health checks and the supervisor use loopback, whose names cannot point
    anywhere else."""
    name = host_in(host)
    if name is None:
        return False
    return is_loopback(name) or any(
        name == one or (one.startswith(".") and f".{name}".endswith(one)) for one in trusted
    )


def _require(trusted: Sequence[str], base_url: str | None) -> None:
    if not is_trusted(request.host, trusted):
        instead = f"Use {base_url}" if base_url else "Use the address you were given"
        raise BadRequest(
            f"Slipway does not accept the host name '{request.host[:100]}'. {instead}, or ask the operator to add "
            "the name to TRUSTED_HOSTS."
        )
