"""Compares the rows of images with the objects in storage."""

from __future__ import annotations

from dataclasses import dataclass

from app.data.database import free_connection
from app.data.extensions import db
from app.images.object_keys import FINAL
from app.maintenance.expected_objects import image_objects
from app.maintenance.image_sweep import orphans
from app.storage.bucket import StoredObject, bucket


@dataclass
class AssetCheckFindings:
    """The findings of `check_assets()`. `objects`: how many there should be; `missing`: keys of objects that are gone
    or have another size; `orphans`: objects without a row."""

    objects: int
    missing: list[str]
    orphans: list[StoredObject]


def check_assets() -> AssetCheckFindings:
    """Compare rows and objects. Changes nothing. Rows are read before the objects are listed, and rows with a missing
    object once more after it, so that changes meanwhile are not reported as errors."""
    rows = _expected()
    sizes = {one.key: one.size for one in bucket().objects(FINAL)}
    missing = [key for key, size in rows.items() if sizes.get(key) != size]
    still_there = _expected() if missing else {}
    return AssetCheckFindings(len(rows), [key for key in missing if key in still_there], list(orphans()))


def _expected() -> dict[str, int]:
    found = image_objects(db.session())
    free_connection()
    return found
