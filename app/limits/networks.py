"""The network of an address: what counts as one place."""

from __future__ import annotations

import ipaddress
import re

# For IPv6, networks of one household or machine, and of one site: many providers give away so much that /64s are easy
# to have by the thousand.
_HOUSEHOLD, _SITE = 64, 48
# Some proxies write the port too, which is another one for each connection.
_WITH_PORT = re.compile(r"\[(?P<v6>[^\]]*)\](?::\d+)?|(?P<v4>\d+(?:\.\d+){3}):\d+")


def network_of(address: str | None) -> str:
    """The network of an address: for IPv6 the /64 of one household or machine, else the address itself."""
    return _network(address, _HOUSEHOLD)


def site_of(address: str | None) -> str:
    """What has a share of the places of this process: for IPv6 the /48 of one site, else the address itself."""
    return _network(address, _SITE)


def _network(address: str | None, length: int) -> str:
    text = address or ""
    if with_port := _WITH_PORT.fullmatch(text):
        text = with_port["v6"] or with_port["v4"] or ""
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return text
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((found, length), strict=False))
