"""The network of an address: what counts as one place."""

from __future__ import annotations

import ipaddress


def network_of(address: str | None) -> str:
    """The network of an address: for IPv6 the /64 of one household or machine, else the address itself."""
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return address or ""
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))
