"""The pack of a build as the plan offers it: addresses, sizes and hashes of its objects in storage."""

from __future__ import annotations

import re
import reprlib
from dataclasses import dataclass, field
from typing import Any

from slipway.agent.path_names import parse_build_number
from slipway.agent.response_fields import MAX_BYTES, parse_address, parse_boolean, parse_integer, parse_list
from slipway.packs.format.index_transfer import IndexReference

_SHA256 = re.compile(r"[0-9a-f]{64}")
# A server holds a few builds of each game.
MAX_UPDATES = 100


@dataclass(frozen=True)
class StoredObject:
    """`url` is presigned: a secret while it is valid. `size` is in bytes."""

    url: str = field(repr=False)
    size: int


@dataclass(frozen=True)
class OfferedIndex:
    """The compressed index, and the hash and size of the table that it contains."""

    stored: StoredObject
    reference: IndexReference


@dataclass(frozen=True)
class OfferedPatch:
    """`sha256` (lowercase hex) is that of the object."""

    stored: StoredObject
    sha256: str


@dataclass(frozen=True)
class OfferedUpdate:
    """The way from build number `build`. `transfer_bytes` counts all that is sent: index, patch and ranges of the pack.
    Without `delta` the complete index is sent."""

    build: int
    transfer_bytes: int
    delta: StoredObject | None
    patch: OfferedPatch | None


@dataclass(frozen=True)
class PackOffer:
    """`updates`: from builds that this server holds, the cheapest first."""

    stored: StoredObject
    index: OfferedIndex
    updates: tuple[OfferedUpdate, ...]


def is_preparing(entry: Any) -> bool:
    """Whether a plan's field `pack` announces a pack that is being made. Raises ValueError."""
    return isinstance(entry, dict) and parse_boolean(entry.get("preparing", False), "pack.preparing")


def parse_pack(entry: Any) -> PackOffer | None:
    """A plan's field `pack`; None without a pack. Raises KeyError, TypeError or ValueError."""
    if entry is None or is_preparing(entry):
        return None
    if not isinstance(entry, dict):
        raise ValueError(f"pack {reprlib.repr(entry)} is neither an object nor null")
    updates = parse_list(entry.get("updates", []), "pack.updates", MAX_UPDATES)
    return PackOffer(_stored(entry, "pack"), _index(entry["index"]), tuple(_update(update) for update in updates))


def _index(entry: Any) -> OfferedIndex:
    size = parse_integer(entry["size"], "pack.index.size", MAX_BYTES)
    return OfferedIndex(_stored(entry, "pack.index"), IndexReference(_sha256(entry, "pack.index"), size))


def _update(entry: Any) -> OfferedUpdate:
    delta, patch = entry.get("delta"), entry.get("patch")
    return OfferedUpdate(
        build=parse_build_number(entry["build"]),
        transfer_bytes=parse_integer(entry["bytes"], "pack.updates.bytes", MAX_BYTES),
        delta=None if delta is None else _stored(delta, "pack.updates.delta"),
        patch=None if patch is None else OfferedPatch(_stored(patch, "patch"), _sha256(patch, "pack.updates.patch")),
    )


def _stored(entry: Any, what: str) -> StoredObject:
    return StoredObject(
        parse_address(entry["url"], f"{what}.url"), parse_integer(entry["bytes"], f"{what}.bytes", MAX_BYTES)
    )


def _sha256(entry: Any, what: str) -> str:
    value = entry["sha256"]
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise ValueError(f"{what}.sha256 {reprlib.repr(value)} is not 64 hex digits")
    return value
