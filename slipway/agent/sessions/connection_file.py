"""The file in which the agent stores how to reach the platform, for launch scripts and `verify`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from slipway.agent.cache.cache_layout import CacheLayout
from slipway.client.durable import read_json, write_json


class NoConnection(Exception):
    """There is no such file, or it may not be read; str() says what to do."""


@dataclass(frozen=True)
class Connection:
    """The agent's settings. `storage_hosts` as the option --storage-hosts takes them; `bandwidth` in bytes per second,
    `disk_floor` in bytes."""

    url: str
    token: str = field(repr=False)
    ca_file: Path | None = None
    storage_hosts: str = ""
    bandwidth: int | None = None
    disk_floor: int = 0


def write_connection(layout: CacheLayout, connection: Connection) -> None:
    """Mode 0600 inside a directory of mode 0700. Raises OSError."""
    document = {
        "url": connection.url,
        "token": connection.token,
        "caFile": str(connection.ca_file) if connection.ca_file else None,
        "storageHosts": connection.storage_hosts,
        "bandwidth": connection.bandwidth,
        "diskFloor": connection.disk_floor,
    }
    write_json(layout.connection, document)


def read_connection(layout: CacheLayout) -> Connection:
    """Raises NoConnection."""
    try:
        document = read_json(layout.connection)
    except PermissionError as error:
        raise NoConnection(f"{layout.connection} cannot be read: run this command as the agent's user") from error
    if document is None:
        raise NoConnection(f"no agent has run on {layout.cache}: check --cache, or start slipway-agent run first")
    ca_file = document.get("caFile")
    return Connection(
        url=document["url"],
        token=document["token"],
        ca_file=Path(ca_file) if ca_file else None,
        storage_hosts=document.get("storageHosts", ""),
        bandwidth=document.get("bandwidth"),
        disk_floor=document.get("diskFloor", 0),
    )
