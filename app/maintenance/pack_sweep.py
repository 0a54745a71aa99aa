"""Frees packs that no server needs, removes what ended attempts left in storage, and checks that objects are there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import select

from app.data.database import free_connection
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.pack import BuildPack
from app.maintenance.expected_objects import pack_objects
from app.maintenance.object_prefixes import PACKS
from app.packing.pack_objects import NamedObject
from app.packing.pack_removal import free_packs
from app.packing.update_claims import remove_abandoned_updates
from app.storage.bucket import OpenMultipart, StoredObject, bucket


@dataclass
class PackSweepResult:
    """What `sweep_packs()` removed. `freed`: packs of builds that servers do not need."""

    freed: int = 0
    objects: int = 0
    bytes_freed: int = 0


@dataclass
class PackCheckFindings:
    """The findings of `check_packs()`, as those of builds."""

    packs: int = 0
    missing: list[str] = field(default_factory=list)
    orphans: list[StoredObject] = field(default_factory=list)
    transfers: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Named:
    """What rows name: objects, and folders in which workers store objects now."""

    keys: set[str]
    folders: set[str]

    def has(self, key: str) -> bool:
        return key in self.keys or key.rpartition("/")[0] in self.folders


def sweep_packs(young: timedelta) -> PackSweepResult:
    """Free packs and remove orphans that are not `young`. Raises StorageError; completed steps stand."""
    result = PackSweepResult()
    removed = free_packs()
    result.freed = len({found.key for found in removed if found.key.endswith("/pack")})
    remove_abandoned_updates()
    before = now() - young
    orphans, transfers = _orphans()
    old = [found for found in orphans if found.modified < before]
    bucket().delete(found.key for found in old)
    result.objects = len(removed) + len(old)
    result.bytes_freed = sum(found.size for found in removed) + sum(found.size for found in old)
    for transfer in transfers:
        if transfer.begun < before:
            bucket().abort_multipart(transfer.key, transfer.multipart_id)
    return result


def check_packs() -> PackCheckFindings:
    """Compare rows and objects. Changes nothing. Rows are read before the objects are listed, and again after it, so
    that changes meanwhile are not reported as errors."""
    expected = _expected()
    sizes = {found.key: found.size for found in bucket().objects(PACKS)}
    result = PackCheckFindings(packs=sum(found.key.endswith("/pack") for found in expected))
    missing = [found for found in expected if sizes.get(found.key) != found.size]
    still_there = set(_expected()) if missing else set()
    result.missing = [f"{expected[found]}: {found.key}" for found in missing if found in still_there]
    orphans, transfers = _orphans()
    result.orphans, result.transfers = orphans, [transfer.key for transfer in transfers]
    return result


def _expected() -> dict[NamedObject, str]:
    found = pack_objects(db.session())
    free_connection()
    return found


def _orphans() -> tuple[list[StoredObject], list[OpenMultipart]]:
    """Objects and open transfers that no row names. They are listed before the rows are read, so that whatever gets its
    row meanwhile has it by then."""
    listed = list(bucket().objects(PACKS))
    transfers = bucket().open_multiparts(PACKS)
    named = _named()
    return [found for found in listed if not named.has(found.key)], _unnamed(transfers, named)


def _unnamed(transfers: Iterable[OpenMultipart], named: _Named) -> list[OpenMultipart]:
    # A transfer to the key of a ready pack is of no use either: the pack is complete.
    return [found for found in transfers if found.key.rpartition("/")[0] not in named.folders]


def _named() -> _Named:
    # The folders first: what is finished in between is then found among the objects.
    making = select(BuildPack.folder).where(BuildPack.state == "making", BuildPack.folder.is_not(None))
    storing = select(BuildPack.update_folder).where(BuildPack.update_folder.is_not(None))
    folders = {folder for folder in (*db.session.scalars(making), *db.session.scalars(storing)) if folder}
    free_connection()
    return _Named({found.key for found in _expected()}, folders)
