"""Where the web server of an instance listens. It may have been started with another PORT than a command that prints
links has in its environment, so the web server records it in the instance folder."""

from __future__ import annotations

import json
from pathlib import Path

from app.config.private_files import write_private
from app.config.settings import Settings

_FILE = "web_address"
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # compared, not bound


def record_web_address(instance: Path, host: str, port: int) -> None:
    """Record it for the commands of this instance."""
    write_private(instance / _FILE, json.dumps({"host": host, "port": port}))


def with_web_address(own: Settings) -> Settings:
    """The settings with the host and port where the web server listens, or listened last. PORT and SLIPWAY_HOST in the
    environment count more."""
    try:
        found = json.loads((own.instance / _FILE).read_text())
        recorded = {"host": str(found["host"]), "port": int(found["port"])}
    except (OSError, ValueError, KeyError, TypeError):
        return own
    return own.model_copy(update={name: recorded[name] for name in recorded.keys() - own.model_fields_set})


def local_address(host: str, port: int) -> str:
    """The address by which this machine reaches a web server that listens there."""
    name = host.strip("[]")
    name = _EVERYWHERE.get(name, name)
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"
