"""What `slipway-agent run` was told, checked before anything starts."""

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
    """str() says what is wrong and what to give instead."""


@dataclass(frozen=True)
class Settings:
    """`platform_backoff` is short, so that a server is back within moments of the platform. `storage_hosts` empty: any
    host."""

    url: str
    token: str = field(repr=False)
    cache: Path
    ca_file: Path | None = None
    disk_floor: int = DEFAULT_FLOOR
    downloads: int = 2
    storage_hosts: tuple[StorageHost, ...] = ()
    pace: Intervals = field(default_factory=Intervals)
    build_backoff: Backoff = field(default_factory=lambda: Backoff(first=2.0, longest=300.0))
    platform_backoff: Backoff = field(default_factory=lambda: Backoff(first=1.0, longest=30.0))
    thread_backoff: Backoff = DEFAULT_BACKOFF


def parse_platform_url(text: str) -> str:
    """The platform's address without a trailing slash. Raises InvalidSettings."""
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not _has_valid_port(parts):
        raise InvalidSettings(f"--url {text!r} is not an address: give one like https://portal.example")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise InvalidSettings("--url must be the platform's bare address, without user, query or fragment")
    return parts.geturl().rstrip("/")  # with its scheme in lower case, by which storage is judged


def _has_valid_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:  # no number, or beyond 65535
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
            f"{source} holds no token: put the server's token (srv_…) into {TOKEN_VARIABLE} or a --token-file"
        )
    # It goes into a header line: anything else would be a broken request, or a second header.
    if not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidSettings(f"{source} does not hold a token: expected one line of letters, digits, '_' and '-'")
    return token
