"""The settings of `slipway-agent run`, validated before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from slipway.agent.reporter import Intervals
from slipway.agent.storage_addresses import StorageHost, parse_storage_hosts
from slipway.agent.thread_supervisor import DEFAULT_BACKOFF
from slipway.client.backoff import Backoff

TOKEN_VARIABLE = "SLIPWAY_TOKEN"  # noqa: S105 - the name of the variable, not a token
STORAGE_HOSTS_VARIABLE = "SLIPWAY_AGENT_STORAGE_HOSTS"
DEFAULT_FLOOR = 2 << 30


class InvalidSettings(Exception):
    """str() says what is wrong and what to set instead."""


@dataclass(frozen=True)
class Settings:
    """`platform_backoff` is short, so that a server reconnects soon after the platform is back. Empty
    `storage_hosts` allow any host. `bandwidth` limits all downloads together, in bytes per second."""

    url: str
    token: str = field(repr=False)
    cache: Path
    ca_file: Path | None = None
    disk_floor: int = DEFAULT_FLOOR
    downloads: int = 2
    bandwidth: int | None = None
    storage_hosts: tuple[StorageHost, ...] = ()
    pace: Intervals = field(default_factory=Intervals)
    build_backoff: Backoff = field(default_factory=lambda: Backoff(initial_delay=2.0, max_delay=300.0))
    platform_backoff: Backoff = field(default_factory=lambda: Backoff(initial_delay=1.0, max_delay=30.0))
    thread_backoff: Backoff = DEFAULT_BACKOFF


def parse_platform_url(text: str) -> str:
    """The platform's address without a trailing slash. Raises InvalidSettings."""
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not _has_valid_port(parts):
        raise InvalidSettings(f"--url {text!r} is not an address: use one like https://portal.example")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise InvalidSettings("--url must be the platform's address without user, query or fragment")
    return parts.geturl().rstrip("/")  # with a lower-case scheme: StorageAddresses compares it


def _has_valid_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:  # not a number, or greater than 65535
        return False


def read_storage_hosts(given: str | None, environment: Mapping[str, str]) -> tuple[StorageHost, ...]:
    """The hosts in the option, else in SLIPWAY_AGENT_STORAGE_HOSTS. Raises InvalidSettings."""
    source = "--storage-hosts" if given is not None else STORAGE_HOSTS_VARIABLE
    try:
        return parse_storage_hosts(environment.get(STORAGE_HOSTS_VARIABLE, "") if given is None else given)
    except ValueError as error:
        raise InvalidSettings(f"{source}: {error}") from error


def read_token(token_file: Path | None, environment: Mapping[str, str]) -> str:
    """The server's token from the file, else from SLIPWAY_TOKEN; never from the command line, which every user of
    the machine can read. Raises InvalidSettings."""
    if token_file is not None:
        try:
            token = token_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidSettings(f"--token-file {token_file} cannot be read: {error}") from error
        source = f"--token-file {token_file}"
    else:
        token = environment.get(TOKEN_VARIABLE, "").strip()
        source = TOKEN_VARIABLE
    if not token:
        raise InvalidSettings(
            f"{source} contains no token: put the server's token (srv_…) into {TOKEN_VARIABLE} or a --token-file"
        )
    # The token becomes a header value: other characters would break the request or add a header.
    if not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidSettings(
            f"{source} does not contain a valid token: expected one line of letters, digits, '_' and '-'"
        )
    return token
