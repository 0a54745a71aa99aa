"""Making one pack: the archive is unpacked into a folder, cut, and stored as a pack, an index, and the update from the
build that servers have now.

Every interruption can be repeated: an attempt writes under keys of its own, and the row names them in the end.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from flask import current_app
from sqlalchemy import select

from app.config.settings import settings
from app.data.database import free_connection
from app.data.extensions import db
from app.data.models.game import Build
from app.data.models.pack import BuildPack, PackUpdate
from app.packing.pack_claims import (
    BeyondQuota,
    NoRoom,
    PackClaim,
    PackHeartbeat,
    claim_pack,
    cover_pack,
    end_failed,
    end_without_room,
    finish,
    free_claim,
    is_kept,
    owns_claim,
)
from app.packing.pack_reading import StoredIndex, limits_for, older_build
from app.packing.pack_removal import remove_folder, remove_objects
from app.packing.pack_writing import NoPack, PackWriter, store
from app.packing.update_making import UpdateObjects, store_update
from app.packing.work_folder import check_free, work_folder
from app.process import shutdown
from app.process.crash_points import crash_point
from app.refusals import Unavailable
from app.storage.bucket import ObjectGone
from app.storage.objects import ObjectMissing
from app.storage.whole_objects import read_whole
from slipway.archive.archive_rejected import ArchiveRejected
from slipway.archive.unpacking import UnpackCancelled, unpack
from slipway.packs.format.refusals import IndexRefused, TransferCancelled, TreeUnsuitable
from slipway.packs.making.build_writing import OlderBuild, WrittenBuild, write_build

log = logging.getLogger(__name__)


class Outcome(Enum):
    """How an attempt ended. LATER: without a result, to be repeated. ENDED: the row has the reason."""

    READY = "ready"
    ENDED = "ended"
    LATER = "later"
    NOT_OURS = "not ours"


@dataclass(frozen=True)
class _Older:
    """The build that updates start from, and how to read it."""

    build: Build
    content: OlderBuild


class _ArchiveGone(Exception):
    """The build's own archive is missing. Waiting for storage cannot help."""


def make_pack(build_id: str, *, again: bool = False) -> Outcome:
    """Make the pack of one build, unless another worker does so or it is there. `again`: also one that failed before.
    Repeatable."""
    claim = claim_pack(build_id, again=again)
    if claim is None:
        return Outcome.NOT_OURS
    crash_point("pack-claimed")
    remove_folder(claim.abandoned)
    return _attempt(claim)


def _attempt(claim: PackClaim) -> Outcome:
    number = f"build {claim.build.number} of {claim.build.game.slug}"
    try:
        return _make(claim)
    except NoRoom as why:
        log.warning("no room to make the pack of %s: %s", number, why.figures)
        end_without_room(claim, str(why))
        return Outcome.ENDED
    except BeyondQuota as why:
        log.warning("the pack of %s does not fit into the quota: %s", number, why)
        end_without_room(claim, str(why), why.needed)
        return Outcome.ENDED
    except Unavailable as why:
        log.warning("the pack of %s is made later: %s", number, why.message)
        free_claim(claim)
        return Outcome.LATER
    except (UnpackCancelled, TransferCancelled):
        free_claim(claim)  # changes nothing when the claim was lost
        return Outcome.LATER if shutdown.stopping.is_set() else Outcome.NOT_OURS
    except (ArchiveRejected, TreeUnsuitable) as why:
        log.exception("the pack of %s cannot be made", number)
        end_failed(claim, f"The build cannot be cut into a pack: {why}.", for_good=True)
        return Outcome.ENDED
    except _ArchiveGone:
        log.warning("the archive of %s is not in storage", number)
        reason = f"Its archive is not in storage. Tell the operator: flask check lists build {claim.build.number}."
        end_failed(claim, reason, for_good=False)
        return Outcome.ENDED
    except Exception as why:
        log.exception("making the pack of %s failed", number)
        reason = f"Making it failed ({type(why).__name__}). The server's log has more."
        end_failed(claim, reason, for_good=False)
        return Outcome.ENDED


def _make(claim: PackClaim) -> Outcome:
    app = current_app._get_current_object()  # type: ignore[attr-defined]  # the proxy's own method
    with PackHeartbeat(app, claim) as heartbeat:

        def cancelled() -> bool:
            return heartbeat.lost.is_set() or shutdown.stopping.is_set()

        with _cleared_unless_kept(claim):
            with work_folder(settings(), claim.build) as folder:
                _unpack_archive(claim, folder, heartbeat, cancelled)
                crash_point("archive-unpacked")
                older = _OlderPack(claim.build, cancelled)
                made, written = _write(claim, folder, older, heartbeat, cancelled)
            updates = [_store_update(claim, made, written, older.found)] if older.found else []
            crash_point("pack-objects-stored")
            left = finish(claim, made, updates)
            if left is None:
                return Outcome.NOT_OURS
            remove_objects(left)
            return Outcome.READY


@contextmanager
def _cleared_unless_kept(claim: PackClaim) -> Iterator[None]:
    """Remove what an attempt stored that does not become the pack, while the row still names it."""
    try:
        yield
    finally:
        if not is_kept(claim):
            remove_folder(claim.folder)


def _unpack_archive(claim: PackClaim, folder: Path, heartbeat: PackHeartbeat, cancelled: Callable[[], bool]) -> None:
    def read(done: int) -> None:
        heartbeat.bytes_done = done
        crash_point("mid-unpack")

    def check_wanted() -> None:
        if not owns_claim(claim):
            raise UnpackCancelled("the claim was lost")

    build = claim.build
    source = _Pieces(read_whole(build.object_key, build.size, check_wanted))
    try:
        unpack(source, folder, limits_for(build), build.launcher, read, cancelled)  # type: ignore[arg-type]  # read() is all it calls
    except ObjectGone as error:
        raise _ArchiveGone from error


class _Pieces:
    """The pieces of an object, as a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int) -> bytes:
        if not self._rest:
            self._rest = next(self._pieces, b"")
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece


def _write(
    claim: PackClaim,
    folder: Path,
    older: _OlderPack,
    heartbeat: PackHeartbeat,
    cancelled: Callable[[], bool],
) -> tuple[BuildPack, WrittenBuild]:
    build = claim.build
    row = BuildPack(build_id=build.id, state="ready", folder=claim.folder)

    def worked(done: int) -> None:
        heartbeat.bytes_done = min(build.size + done, claim.work_bytes)
        crash_point("mid-pack")

    reserved = build.size

    def cover(size: int) -> None:
        nonlocal reserved
        if size > reserved:
            reserved = cover_pack(claim, size)
            check_free(settings(), build)

    # For a list of files the pack is made too, because the index names places in it.
    writer = NoPack() if claim.list_only else PackWriter(row.pack_key, build.unpacked_bytes, cover)
    with writer as sink:
        written = write_build(
            folder,
            sink,  # type: ignore[arg-type]  # write() is all it calls
            build=build.number,
            read_older=None if claim.list_only else older.read,
            work=folder,
            progress=worked,
            cancelled=cancelled,
        )
        sink.finish()
    crash_point("pack-stored")
    if not claim.list_only:
        cover(sink.size + len(written.index_object))
    store(row.index_key, written.index_object)
    row.pack_bytes, row.index_bytes = sink.size, len(written.index_object)
    row.index_sha256, row.index_size = written.reference.sha256, written.reference.size
    return row, written


def _store_update(claim: PackClaim, made: BuildPack, written: WrittenBuild, older: _Older) -> PackUpdate:
    update = PackUpdate(build_id=claim.build.id, from_build_id=older.build.id, folder=claim.folder)
    new = StoredIndex(written.index, written.encoded)
    old = StoredIndex(older.content.index, older.content.encoded)
    store_update(update, made.index_bytes, new, old, UpdateObjects(written.delta, written.patch))
    return update


class _OlderPack:
    """What this pack is an update of. It is read when it is needed."""

    def __init__(self, build: Build, cancelled: Callable[[], bool]) -> None:
        self._build, self._cancelled = build, cancelled
        self.found: _Older | None = None

    def read(self) -> OlderBuild | None:
        """Raises StorageError."""
        self.found = _older(self._build, self._cancelled)
        return self.found.content if self.found else None


def _older(build: Build, cancelled: Callable[[], bool]) -> _Older | None:
    """The build that servers most likely hold, if its pack can be read: the one that was released last before this one,
    among those with a lower number. Chunks that both have keep its order in the new pack."""
    found = db.session.execute(
        select(BuildPack, Build)
        .join(Build, BuildPack.build_id == Build.id)
        .where(Build.game_id == build.game_id, Build.number < build.number, BuildPack.state == "ready")
        .order_by(Build.released_at.desc().nulls_last(), Build.number.desc())
        .limit(1)
    ).first()
    free_connection()
    if found is None:
        return None
    pack, other = found
    try:
        return _Older(other, older_build(pack, other, cancelled))
    except (ObjectMissing, IndexRefused) as why:
        log.warning("build %s cannot be updated from build %s: %s", build.number, other.number, why)
        return None
