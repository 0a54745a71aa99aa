"""Finishes or removes incomplete work: uploads of dead processes, objects without rows, deleted games.

Publishing writes the object first and the row after it. Deleting removes the row first; the sweep removes the object.
So an object without a row is garbage once it is too old to belong to a running upload, and a row without an object is a
loss that `check()` reports.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import and_, delete, exists, not_, or_, select

from app.accounts import sign_ins
from app.catalog import retention
from app.data.database import free_connection, writing
from app.data.extensions import db
from app.data.models.audit_record import AnsweredRequest, Topic
from app.data.models.base import now
from app.data.models.game import Build, Game
from app.data.models.server import PlaySession, Replica, Server
from app.data.models.upload import RAW, Upload
from app.fleet.active_servers import IS_ACTIVE
from app.fleet.history import transfer_hours
from app.maintenance.expected_objects import build_objects
from app.maintenance.image_check import check_assets
from app.maintenance.image_sweep import sweep_assets
from app.maintenance.object_prefixes import ALL, ARCHIVES
from app.maintenance.pack_sweep import check_packs, sweep_packs
from app.process.crash_points import crash_point
from app.storage.bucket import OpenMultipart, StoredObject, bucket
from app.storage.write_address_probe import is_of_a_probe
from app.uploads.discarding import discard_marked
from app.uploads.resumable.expiry import remove_expired
from app.uploads.resumable.sending_times import record_part_times

log = logging.getLogger(__name__)

STALE_UPLOAD_AGE = timedelta(minutes=10)  # a running one has a heartbeat every 15 s
MIN_ORPHAN_AGE = timedelta(hours=1)
ANSWER_LIFETIME = timedelta(hours=24)
LOST_SERVER_AFTER = timedelta(hours=24)  # a deleted game does not wait longer for a silent server


@dataclass
class SweepResult:
    """What a sweep removed. `packs`: those of builds that servers do not need."""

    uploads: int = 0
    packs: int = 0
    objects: int = 0
    games: int = 0
    bytes_freed: int = 0


@dataclass
class CheckFindings:
    """The findings of `check()`. `packs`: how many are ready. `missing`: builds and packs whose object is gone, or has
    another size; `orphans`: objects without a row; `transfers`: open multipart transfers without a row."""

    builds: int = 0
    packs: int = 0
    missing: list[str] = field(default_factory=list)
    orphans: list[StoredObject] = field(default_factory=list)
    transfers: list[str] = field(default_factory=list)


def sweep(young: timedelta = MIN_ORPHAN_AGE) -> SweepResult:
    """Sweep everything. Raises StorageError if storage cannot be reached; completed steps stand."""
    swept = SweepResult()
    _sweep_uploads(swept)
    expired = remove_expired()
    swept.uploads += expired.uploads
    swept.bytes_freed += expired.bytes_freed
    record_part_times()
    # Before the games are deleted: their rows would delete those of their images with them.
    assets = sweep_assets(young)
    swept.uploads += assets.uploads
    swept.objects += assets.objects
    swept.bytes_freed += assets.bytes_freed
    deleted_sizes = retention.apply_retention_to_all()
    swept.objects += len(deleted_sizes)
    swept.bytes_freed += sum(deleted_sizes)
    _sweep_deleted_games(swept)
    packs = sweep_packs(young)
    swept.packs = packs.freed
    swept.objects += packs.objects
    swept.bytes_freed += packs.bytes_freed
    _sweep_orphans(swept, young)
    with writing() as session:
        session.execute(delete(AnsweredRequest).where(AnsweredRequest.created_at < now() - ANSWER_LIFETIME))
        transfer_hours.add_up_minutes(session)
        sign_ins.delete_old_sign_ins(session)
    return swept


def _sweep_uploads(swept: SweepResult) -> None:
    before = now() - STALE_UPLOAD_AGE
    dead = or_(and_(Upload.kind == RAW, Upload.touched_at < before), Upload.state == "discarding")
    uploads = db.session.scalars(select(Upload).where(dead)).all()
    free_connection()
    for upload in uploads:
        if not _claim(upload.id, before):
            continue
        stored = bucket().stat(upload.object_key)
        discard_marked(bucket(), upload)
        swept.uploads += 1
        swept.bytes_freed += stored.size if stored else 0


def _claim(upload_id: str, before: datetime) -> bool:
    """Mark an upload as `discarding`, unless it has a fresh heartbeat. `publish_build()` locks the same row, and makes
    no build of an upload that is being discarded. So no build loses its object, whichever comes first."""
    with writing() as session:
        upload = session.get(Upload, upload_id, with_for_update=True)
        if upload is None or (upload.state != "discarding" and (upload.kind != RAW or upload.touched_at >= before)):
            return False
        upload.state = "discarding"
        return True


def _sweep_deleted_games(swept: SweepResult) -> None:
    deleted = db.session.scalars(select(Game.id).where(Game.deleted_at.is_not(None))).all()
    free_connection()
    for game_id in deleted:
        if _can_purge(game_id):
            _purge(game_id, swept)


def _can_purge(game_id: str) -> bool:
    """No session runs on it, and no server in contact holds any of its builds."""
    may_return = (IS_ACTIVE, Server.last_report_at > now() - LOST_SERVER_AFTER)
    running = exists().where(
        PlaySession.game_id == game_id, PlaySession.ended_at.is_(None), PlaySession.server_id == Server.id, *may_return
    )
    on_server = exists().where(
        Replica.game_id == game_id, Replica.phase != "removed", Replica.server_id == Server.id, *may_return
    )
    uploading = exists().where(Upload.game_id == game_id)
    waits = db.session.scalar(select(running | on_server | uploading))
    free_connection()
    return not waits


def _purge(game_id: str, swept: SweepResult) -> None:
    """Delete the rows first. From then on its objects are orphans, which the next sweep deletes if this one dies."""
    with writing() as session:
        builds = session.scalars(select(Build).where(Build.game_id == game_id)).all()
        objects = retention.objects_of(session, builds)
        game = session.get(Game, game_id)
        if game is not None:
            game.released_build_id = None
            session.flush()
            session.execute(delete(Game).where(Game.id == game_id))
        session.execute(delete(Topic).where(Topic.name == f"game:{game_id}"))
    crash_point("mid-purge")
    bucket().delete(found.key for found in objects)
    swept.games += 1
    swept.objects += len(objects)
    swept.bytes_freed += sum(found.size for found in objects)


def _sweep_orphans(swept: SweepResult, young: timedelta) -> None:
    before = now() - young
    for orphan in _orphans(bucket().objects(ARCHIVES)):
        if orphan.modified < before:
            bucket().delete([orphan.key])
            swept.objects += 1
            swept.bytes_freed += orphan.size
    for transfer in _orphan_transfers():
        if transfer.begun < before:
            bucket().abort_multipart(transfer.key, transfer.multipart_id)


def _orphan_transfers() -> list[OpenMultipart]:
    """Open transfers to keys that no upload names, listed before the rows are read. A key that a build names does not
    count: the build's object is complete."""
    listed = bucket().open_multiparts(ARCHIVES)
    known = {key for row in db.session.execute(select(Upload.object_key, Upload.archive_key)) for key in row}
    free_connection()
    return [found for found in listed if found.key not in known and not is_of_a_probe(found.key, found.begun)]


def _orphans(objects: Iterable[StoredObject]) -> list[StoredObject]:
    """Objects that neither a build nor an upload names. The objects are listed before the rows are read, so that an
    object that gets its row meanwhile has it by then."""
    listed = list(objects)
    known = _known_keys()
    return _without_row(listed, known)


def _without_row(listed: Iterable[StoredObject], known: set[str]) -> list[StoredObject]:
    return [found for found in listed if found.key not in known and not is_of_a_probe(found.key, found.modified)]


def _known_keys() -> set[str]:
    # Uploads first: an upload that becomes a build in between is then found as the build. An ended upload without
    # reserved bytes has no object any more, and must not keep the object of a deleted build.
    ended = and_(Upload.state.in_(["done", "failed"]), Upload.reserved_bytes == 0)
    rows = db.session.execute(select(Upload.object_key, Upload.archive_key).where(not_(ended)))
    keys = {key for row in rows for key in row}
    keys.update(db.session.scalars(select(Build.object_key)))
    free_connection()
    return keys


def check() -> CheckFindings:
    """Compare rows and objects. Changes nothing. Builds are read before the objects are listed and everything else
    after, so that new objects are not reported as errors. Orphans are looked for twice, so that neither are those that
    are being deleted."""
    builds = build_objects(db.session())
    free_connection()
    listed = list(bucket().objects(ARCHIVES))
    sizes = {found.key: found.size for found in listed}
    known = _known_keys()
    result = CheckFindings(builds=len(builds))
    for build in builds:
        if sizes.get(build.key) != build.size and build.key in known:
            result.missing.append(f"{build.name}: {build.key}")
    result.orphans = _without_row(listed, known)
    result.transfers = [transfer.key for transfer in _orphan_transfers()]
    packs = check_packs()
    result.packs = packs.packs
    result.missing += packs.missing
    result.orphans += packs.orphans
    result.transfers += packs.transfers
    assets = check_assets()
    result.missing += assets.missing
    result.orphans = _still_stored([*result.orphans, *assets.orphans])
    return result


def _still_stored(orphans: list[StoredObject]) -> list[StoredObject]:
    """Those that were not just being deleted: rows go first, objects after them."""
    if not orphans:
        return []
    present = {found.key for prefix in ALL for found in bucket().objects(prefix)}
    return [orphan for orphan in orphans if orphan.key in present]
