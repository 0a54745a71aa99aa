"""The objects of storage, copied to a backup and back. They never change, so what is there already stays."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from app.config.settings import MIB
from app.maintenance import object_prefixes
from app.maintenance.backup.backup_folder import BackedUpObject, BackupFolder
from app.refusals import Conflict
from app.storage.bucket import Bucket, ObjectGone, StorageError, StoredObject, bucket
from app.storage.objects import object_headers, write_object
from app.storage.part_writer import PartWriter, part_size
from app.storage.whole_objects import read_whole
from app.storage.write_address_probe import is_of_a_probe

_PIECE = MIB
# A larger object is sent in parts, as it was stored.
_MAX_SINGLE_PUT = 64 * MIB
_KEPT_HEADERS = ("Content-Type", "Cache-Control")


def stored_objects() -> Iterator[StoredObject]:
    """Every object of this installation, now."""
    for prefix in object_prefixes.ALL:
        yield from (found for found in bucket().objects(prefix) if not is_of_a_probe(found.key, found.modified))


def copy_objects(folder: BackupFolder, known: Mapping[str, BackedUpObject]) -> dict[str, BackedUpObject]:
    """Copy every object to the folder. `known`: what an earlier backup or attempt copied, by key. Returns all that are
    there now; one that is deleted meanwhile is left out. Raises StorageError."""
    copied = {}
    for found in list(stored_objects()):
        earlier, path = known.get(found.key), folder.object_path(found.key)
        if earlier and earlier.size == found.size and path.is_file() and path.stat().st_size == found.size:
            copied[found.key] = earlier
        elif made := _copy(found, path):
            copied[found.key] = made
    return copied


def _copy(found: StoredObject, path: Path) -> BackedUpObject | None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.incomplete")
    digest = hashlib.sha256()
    try:
        headers = object_headers(found.key)
        with draft.open("wb") as file:
            for piece in read_whole(found.key, found.size, lambda: None) if found.size else ():
                digest.update(piece)
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
    except ObjectGone:
        draft.unlink(missing_ok=True)
        return None
    draft.replace(path)
    kept = {name: headers[name] for name in _KEPT_HEADERS if name in headers}
    return BackedUpObject(found.key, found.size, digest.hexdigest(), kept)


def restore_object(folder: BackupFolder, wanted: BackedUpObject) -> None:
    """Store an object of the backup, with its headers. Raises Conflict if its bytes changed, and StorageError."""
    path = folder.object_path(wanted.key)
    try:
        intact = path.stat().st_size == wanted.size and _sha256(path) == wanted.sha256
    except FileNotFoundError:
        intact = False
    if not intact:
        raise Conflict(f"The backup is damaged: {path} is missing, or not the file that was backed up.")
    if wanted.size <= _MAX_SINGLE_PUT:
        md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).digest()
        with path.open("rb") as file:
            write_object(wanted.key, file, wanted.size, md5, wanted.headers)
    else:
        _restore_in_parts(bucket(), path, wanted)


def _restore_in_parts(store: Bucket, path: Path, wanted: BackedUpObject) -> None:
    multipart_id = store.start_multipart(wanted.key)
    writer = PartWriter(store, wanted.key, multipart_id, part_size(wanted.size, wanted.size))
    try:
        for piece in _pieces(path):
            writer.write(piece)
        store.complete_multipart(wanted.key, multipart_id, writer.finish())
    except StorageError:
        writer.close()
        store.abort_multipart(wanted.key, multipart_id)
        raise
    writer.close()


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    for piece in _pieces(path):
        digest.update(piece)
    return digest.hexdigest()


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece
