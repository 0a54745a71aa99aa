"""Making a backup while the portal runs, and restoring one into an empty installation.

Rows are copied first and objects after them: objects are stored before their rows. A row that was copied may lose its
object meanwhile, because somebody deleted it. Then the rows are copied again, without that row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from sqlalchemy.orm import Session

from app.config.private_files import write_private
from app.config.settings import settings
from app.data.models.base import now
from app.data.schema_version import newest_revision
from app.maintenance.backup.backup_folder import BackedUpObject, BackupFolder, Manifest
from app.maintenance.backup.object_copy import copy_objects, restore_object, stored_objects
from app.maintenance.backup.row_copy import load_rows, one_moment, require_empty, save_rows
from app.maintenance.expected_objects import expected_objects
from app.refusals import Conflict

_SECRET = "secret_key"  # noqa: S105  # the name of a file


@dataclass(frozen=True)
class BackupResult:
    """`missing`: keys of objects that rows name and that storage does not have: they were lost before."""

    manifest: Manifest
    new_objects: int
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class RestoreResult:
    """`present`: objects that were in storage already. `signed_out`: everybody has to sign in again, because SECRET_KEY
    is another one."""

    manifest: Manifest
    present: int
    signed_out: bool


@dataclass(frozen=True)
class _Snapshot:
    name: str
    path: Path
    made_at: str
    rows: dict[str, int]
    expected: dict[str, int]
    database: str


def make_backup(folder: Path) -> BackupResult:
    """Back up everything into a folder, which may hold an earlier backup. Raises Conflict, StorageError."""
    backup = BackupFolder(folder)
    with backup.locked():
        earlier = backup.manifest()
        known = {found.key: found for found in backup.backed_up_objects(earlier.snapshot)} if earlier else {}
        before, missing = set(known), None
        while True:
            snapshot = _take_snapshot(backup)
            copied = copy_objects(backup, known)
            known |= copied
            absent = sorted(key for key, size in snapshot.expected.items() if _size(copied, key) != size)
            if not absent or absent == missing:  # twice the same: nobody deletes them now, they were lost before
                break
            missing = absent
        return BackupResult(_commit(backup, snapshot, copied), len(copied.keys() - before), absent)


def _size(copied: dict[str, BackedUpObject], key: str) -> int | None:
    return copied[key].size if key in copied else None


def _take_snapshot(backup: BackupFolder) -> _Snapshot:
    made_at = now()
    name = made_at.strftime("%Y%m%dT%H%M%S.%fZ")
    path = backup.snapshot(name)
    path.mkdir(mode=0o700, parents=True)
    with one_moment() as connection:
        rows = save_rows(connection, path)
        with Session(bind=connection) as session:
            expected = expected_objects(session)
        database = connection.dialect.name
    write_private(path / _SECRET, settings().secret_key)
    return _Snapshot(name, path, made_at.isoformat(), rows, expected, database)


def _commit(backup: BackupFolder, snapshot: _Snapshot, copied: dict[str, BackedUpObject]) -> Manifest:
    backup.write_objects(snapshot.name, copied.values())
    manifest = Manifest(
        snapshot=snapshot.name,
        made_at=snapshot.made_at,
        version=version("slipway"),
        revision=newest_revision(),
        database=snapshot.database,
        rows=snapshot.rows,
        objects=len(copied),
        bytes=sum(found.size for found in copied.values()),
    )
    backup.commit(manifest)
    return manifest


def restore_backup(folder: Path, done: Callable[[int, int], None] = lambda done, total: None) -> RestoreResult:
    """Restore everything into an empty, migrated database. `done` is called with the numbers of restored and of all
    objects. May be repeated after a failure. Raises NotFound, Conflict, StorageError."""
    backup = BackupFolder(folder)
    backup.require_plain_files()
    manifest = backup.required_manifest()
    if manifest.revision != newest_revision():
        raise Conflict(
            f"The backup was made by Slipway {manifest.version} with the database at revision {manifest.revision}, and "
            f"this version has {newest_revision()}. Restore it with that version, then upgrade."
        )
    require_empty()
    secret = _read_secret(backup.snapshot(manifest.snapshot) / _SECRET)  # before the rows: they cannot be loaded twice
    present = _restore_objects(backup, manifest, done)
    load_rows(backup.snapshot(manifest.snapshot), manifest.rows)
    return RestoreResult(manifest, present, not _restore_secret(secret))


def _restore_objects(backup: BackupFolder, manifest: Manifest, done: Callable[[int, int], None]) -> int:
    """Before the rows, as everywhere. Returns how many were there already."""
    there, present = {found.key: found.size for found in stored_objects()}, 0
    for count, wanted in enumerate(backup.backed_up_objects(manifest.snapshot), 1):
        if there.get(wanted.key) == wanted.size:
            present += 1
        else:
            restore_object(backup, wanted)
        done(count, manifest.objects)
    return present


def _read_secret(path: Path) -> str:
    try:
        if secret := path.read_text():
            return secret
    except (OSError, ValueError):
        pass
    raise Conflict(f"The backup is damaged: {path} cannot be read.")


def _restore_secret(secret: str) -> bool:
    """Whether the restored secret signs sessions from now on. One in SECRET_KEY counts more."""
    own = settings()
    if "secret_key" in own.model_fields_set:
        return own.secret_key == secret
    write_private(own.instance / _SECRET, secret)
    return True
