"""Removing packs: first the rows, then the objects. If the process dies in between, the sweep deletes the objects."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from sqlalchemy import and_, delete, or_, select
from sqlalchemy.orm import Session, selectinload

from app.data.database import announce, free_connection, writing
from app.data.extensions import db
from app.data.models.game import Build, Game
from app.data.models.pack import HAS_INDEX, BuildPack, PackUpdate
from app.packing.due_packs import is_needed
from app.packing.pack_objects import NamedObject, are_among, objects_of_pack, objects_of_update, pack_objects
from app.packing.pack_topics import topics_of
from app.process.crash_points import crash_point
from app.refusals import Refusal
from app.storage.bucket import bucket

log = logging.getLogger(__name__)


def remove_objects(objects: Sequence[NamedObject]) -> None:
    """Delete objects whose rows are gone. What storage does not delete now is left to the sweep."""
    if not objects:
        return
    crash_point("pack-removed")
    try:
        bucket().delete(found.key for found in objects)
    except Refusal as error:
        log.warning("%s objects of packs are left to the sweep: %s", len(objects), error)


def remove_folder(folder: str | None) -> None:
    """Remove what an ended attempt left in its folder of the bucket. If storage does not answer, the sweep does."""
    if folder is None:
        return
    store = bucket()
    try:
        for transfer in store.open_multiparts(f"{folder}/"):
            store.abort_multipart(transfer.key, transfer.multipart_id)
        store.delete(found.key for found in list(store.objects(f"{folder}/")))
    except Refusal as error:
        log.warning("what an ended attempt at a pack stored is left to the sweep: %s", error)


def discard_pack(pack: BuildPack) -> None:
    """Remove a ready pack that is damaged, unless it was replaced meanwhile. It is due again."""
    with writing() as session:
        row = session.get(BuildPack, pack.build_id, with_for_update=True, populate_existing=True)
        if row is None or row.folder != pack.folder or row.state != "ready":
            return
        objects = _remove(session, row)
    free_connection()
    remove_objects(objects)


def discard_incomplete(game_ids: Sequence[str] | None) -> None:
    """Remove the rows of packs and updates whose objects are missing in storage, or have another size, of some games or
    (None) of all. They are due again."""
    packs = select(BuildPack).join(Build, BuildPack.build_id == Build.id).where(HAS_INDEX)
    if game_ids is not None:
        packs = packs.where(Build.game_id.in_(game_ids))
    rows = db.session.scalars(packs.options(selectinload(BuildPack.updates))).all()
    free_connection()
    sizes = {found.key: found.size for found in bucket().objects("packs/")}  # after the rows: none is missing yet
    for pack in rows:
        if not are_among(objects_of_pack(pack), sizes):
            log.warning("the pack of %s is not complete in storage and is made again", pack.build_id)
            discard_index(pack)
            continue
        for update in pack.updates:
            if not are_among(objects_of_update(update), sizes):
                log.warning("the update to %s is not complete in storage and is made again", pack.build_id)
                _discard_update(update)


def discard_index(pack: BuildPack) -> None:
    """Discard an index that is lost or damaged, with its pack if there is one. A list of files that was kept without a
    pack is made again when somebody asks."""
    if pack.state == "ready":
        discard_pack(pack)
        return
    with writing() as session:
        row = session.get(BuildPack, pack.build_id, with_for_update=True, populate_existing=True)
        if row is not None and row.list_folder == pack.list_folder:
            row.list_folder, row.index_bytes = None, 0
    free_connection()


def _discard_update(update: PackUpdate) -> None:
    with writing() as session:
        session.execute(
            delete(PackUpdate).where(
                PackUpdate.build_id == update.build_id,
                PackUpdate.from_build_id == update.from_build_id,
                PackUpdate.folder == update.folder,
            )
        )
        announce(*topics_of(session, update.build_id))
    free_connection()
    remove_objects(objects_of_update(update))


def free_packs() -> list[NamedObject]:
    """Remove the packs of builds that no server holds and none will get soon (`is_needed`), and the updates to and from
    them. Their lists of files are kept. Returns the removed objects. Repeatable."""
    in_use = or_(
        BuildPack.state.in_(["making", "listed"]), and_(BuildPack.state == "waiting", BuildPack.list_requested)
    )
    unneeded = (
        select(BuildPack.build_id)
        .join(Build, BuildPack.build_id == Build.id)
        .join(Game, Build.game_id == Game.id)
        .where(~in_use, Game.deleted_at.is_(None), ~is_needed())
    )
    found = db.session.scalars(unneeded).all()
    free_connection()
    removed: list[NamedObject] = []
    for build_id in found:
        with writing() as session:
            row = session.get(BuildPack, build_id, with_for_update=True, populate_existing=True)
            still = session.scalar(unneeded.where(BuildPack.build_id == build_id))
            objects = _free(session, row) if row is not None and still else []
        free_connection()
        remove_objects(objects)
        removed += objects
    return removed


def _free(session: Session, row: BuildPack) -> list[NamedObject]:
    if not row.has_index:
        return _remove(session, row)
    objects = [found for found in pack_objects(session, [row.build_id]) if found.key != row.index_key]
    announce(*topics_of(session, row.build_id))
    touching = or_(PackUpdate.build_id == row.build_id, PackUpdate.from_build_id == row.build_id)
    session.execute(delete(PackUpdate).where(touching))
    if row.state == "ready":
        row.list_folder = row.folder
    row.state, row.folder, row.list_requested = "listed", None, False
    row.pack_bytes = row.makings_begun = 0
    row.reason = row.awaited_until = None
    return objects


def _remove(session: Session, row: BuildPack) -> list[NamedObject]:
    objects = pack_objects(session, [row.build_id])
    announce(*topics_of(session, row.build_id))
    session.execute(delete(PackUpdate).where(PackUpdate.from_build_id == row.build_id))
    session.execute(delete(BuildPack).where(BuildPack.build_id == row.build_id))
    return objects
