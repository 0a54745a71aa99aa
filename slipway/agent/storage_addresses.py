"""Rules for the addresses of archives: the scheme of the platform, and the hosts from --storage-hosts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from slipway.agent.cache.download import FetchFailed
from slipway.client.printable import one_line

_PORTS = {"http": 80, "https": 443}
_MAX_SHOWN_LENGTH = 80


class AddressRejected(FetchFailed):
    """The plan contains an address that this agent does not use; str() is the reason for people, without the query."""


@dataclass(frozen=True)
class StorageHost:
    """`port` None allows any port. `allow_http` allows http even if the platform uses https."""

    name: str
    port: int | None
    allow_http: bool

    def __str__(self) -> str:
        """As `parse_storage_hosts` takes it."""
        return ("http://" if self.allow_http else "") + self.name + (f":{self.port}" if self.port else "")


def parse_storage_hosts(text: str) -> tuple[StorageHost, ...]:
    """The hosts in a list like `storage.example, storage.lan:9000, http://10.0.0.5:9000`. Raises ValueError."""
    return tuple(_storage_host(entry.strip()) for entry in text.split(",") if entry.strip())


def _storage_host(entry: str) -> StorageHost:
    wrong = ValueError(f"{entry!r} is not a storage host: write it like storage.example or http://storage.lan:9000")
    allow_http = entry.startswith("http://")
    try:
        url = parse_url(entry if "://" in entry else f"https://{entry}")
    except LocationParseError:
        raise wrong from None
    if url.scheme not in _PORTS or not url.host or url.auth or url.path not in {None, "/"} or url.query or url.fragment:
        raise wrong
    return StorageHost(_normalised_host(url.host), url.port, allow_http)


class StorageAddresses:
    """Checks addresses of archives. Empty `hosts` allow any host."""

    def __init__(self, platform_url: str, hosts: Sequence[StorageHost]) -> None:
        self._http_allowed = platform_url.startswith("http://")
        self._hosts = hosts

    def check(self, url: str) -> None:
        """Raises AddressRejected."""
        # The same parser makes the connection: two parsers could find different hosts in one address.
        parsed = _parsed(url)
        if parsed.scheme not in _PORTS:
            raise AddressRejected(
                f"the plan contains an address with the scheme {_for_display(parsed.scheme)}: "
                "only http and https are allowed"
            )
        if not parsed.host:
            raise AddressRejected("the plan contains an address without a host")
        if parsed.auth:
            raise AddressRejected("the plan contains an address with a user name")
        allowed = [host for host in self._hosts if _matches(host, parsed)]
        if self._hosts and not allowed:
            raise AddressRejected(
                f"the plan names storage at {_for_display(parsed.netloc)}, which is not among the hosts in "
                "--storage-hosts: add it there if archives should come from it"
            )
        if parsed.scheme == "http" and not self._http_allowed and not any(host.allow_http for host in allowed):
            raise AddressRejected(
                f"the plan names storage at {_for_display(parsed.netloc)} by plain http, but the platform uses https: "
                "give storage an https address, or allow it with --storage-hosts http://…"
            )


def _parsed(url: str) -> Url:
    # Other characters would be escaped for the request, and the signature would not match the escaped address.
    if not url.isascii() or not url.isprintable() or " " in url:
        raise AddressRejected("the plan contains an address with characters that are not allowed in addresses")
    try:
        return parse_url(url)
    except LocationParseError:
        raise AddressRejected("the plan contains an address that cannot be parsed") from None


def _matches(host: StorageHost, url: Url) -> bool:
    port = url.port or _PORTS[str(url.scheme)]
    return _normalised_host(str(url.host)) == host.name and host.port in {None, port}


def _normalised_host(name: str) -> str:
    return name.lower().removesuffix(".")


def _for_display(text: str | None) -> str:
    return one_line(text or "none", _MAX_SHOWN_LENGTH)
