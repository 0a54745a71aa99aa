"""Host names, as they stand in addresses, in `Host` headers and in settings."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the host."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def host_of(address: str) -> str:
    """The host of an address that was checked before."""
    return urlsplit(address).hostname or ""


def host_in(text: str) -> str | None:
    """The host in `name`, `name:port` or `[::1]:port`, in the form in which hosts are compared: lower case, ASCII,
    without port, brackets and trailing dot. None when the text is not a host."""
    found = re.fullmatch(r"(\[[0-9a-f:.]+\]|[^\s:/@\[\]]+)(?::\d{1,5})?", text.lower())
    if not found:
        return None
    try:
        name = found[1] if found[1].isascii() else found[1].encode("idna").decode()
    except UnicodeError:
        return None
    return name.strip("[]").removesuffix(".") or None
