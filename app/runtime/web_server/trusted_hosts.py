"""Which host names the app answers to. A page under a name that somebody else made up would build its links from it,
and a name that was pointed at this machine behind our back (DNS rebinding) would be let in by a browser.

Flask's own TRUSTED_HOSTS is left unset: it knows no IPv6 and no upper case, and its error page cannot make a link.
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
    """Refuse other hosts, on every path and before anything else looks at the request."""
    trusted = trusted_hosts(settings)
    if trusted:
        app.before_request(lambda: _require(trusted, settings.base_url))


def trusted_hosts(settings: Settings) -> tuple[str, ...]:
    """Host names in lower case, without ports, those that begin with a dot with all names below them; none: any host is
    answered. Loopback is always let in beside them (`is_trusted`)."""
    if not settings.trusted_hosts and not settings.base_url:
        return ()
    listens = settings.host.strip("[]")
    own = [host_of(address) for address in (settings.base_url, settings.asset_base_url) if address]
    return tuple(dict.fromkeys([*own, *settings.trusted_hosts, *([listens] if listens not in _UNSPECIFIED else [])]))


def is_trusted(host: str, trusted: Sequence[str]) -> bool:
    """Whether a Host header may be answered. Health checks and the supervisor come by loopback, whose names cannot be
    pointed anywhere else."""
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
            f"Slipway does not answer to the host name '{request.host[:100]}'. {instead}, or ask the operator to add "
            "the name to TRUSTED_HOSTS."
        )
