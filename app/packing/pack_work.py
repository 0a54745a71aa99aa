"""The work on packs, the most urgent step first: in the background until nothing is due, or by command."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from sqlalchemy import select, update
from sqlalchemy.orm import joinedload

from app.config.settings import settings
from app.data.database import free_connection, writing
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.game import Build, Game
from app.data.models.pack import BuildPack, PackUpdate
from app.data.models.partner import Partner
from app.packing.due_packs import due_packs, ready_packs, suspected_packs, unready_packs
from app.packing.pack_making import Outcome, make_pack
from app.packing.pack_reading import is_intact, stored_packs
from app.packing.pack_removal import discard_incomplete, discard_pack
from app.packing.update_making import make_update
from app.packing.update_rows import due_updates
from app.packing.work_folder import remove_abandoned
from app.process import shutdown
from app.refusals import Conflict, NotFound, Unavailable
from slipway.packs.format.refusals import TransferCancelled

log = logging.getLogger(__name__)


def make_due_packs() -> None:
    """Make updates and packs until none is due, storage does not answer, or the process stops. Updates come first: they
    take seconds. Packs that servers could not use are checked in turn with the making of others: reports of servers can
    delay no pack by more than one check. A build that is published meanwhile is the next, however many older ones
    wait."""
    remove_abandoned(settings())
    skipped: set[object] = set()  # another worker has it now, or it cannot be made now
    checked_last = False
    while not shutdown.stopping.is_set():
        pair = next((found for found in due_updates() if found not in skipped), None)
        if pair is not None:
            skipped.add(pair)
            if not _make_update(*pair):
                return
            continue
        suspect = next((found for found in suspected_packs() if ("check", found) not in skipped), None)
        build_id = next((found for found in due_packs() if found not in skipped), None)
        if suspect is not None and not (checked_last and build_id):
            skipped.add(("check", suspect))
            checked_last = True
            _check_pack(suspect)  # if it is continued later, others need not wait for that
            continue
        if build_id is None:
            return
        checked_last = False
        outcome = make_pack(build_id)
        if outcome is Outcome.LATER:
            return
        if outcome is not Outcome.READY:
            skipped.add(build_id)


def work_is_due() -> bool:
    """Whether `make_due_packs()` has something to do."""
    return bool(due_updates() or suspected_packs() or due_packs())


def _make_update(build_id: str, from_build_id: str) -> bool:
    try:
        make_update(build_id, from_build_id, cancelled=shutdown.stopping.is_set)
    except (Unavailable, TransferCancelled) as why:
        log.warning("making updates is continued later: %s", why)
        return False
    except Exception:  # servers fetch the new chunks without it
        log.exception("the update from %s to %s was not made", from_build_id, build_id)
    return True


def _check_pack(build_id: str) -> bool:
    """Read all of a ready pack, and discard it if it is damaged: then it is due again. False: to be continued later."""
    found = stored_packs([build_id])
    if not found:
        return True
    pack, build = found[build_id]

    def check() -> None:
        if shutdown.stopping.is_set():
            raise TransferCancelled("checking the pack was cancelled")

    try:
        intact = is_intact(pack, build, check)
    except (Unavailable, TransferCancelled) as why:
        log.warning("checking packs is continued later: %s", why)
        return False
    if not intact:
        log.warning("the pack of build %s is damaged and is made again", build_id)
        discard_pack(pack)
        return True
    with writing() as session:
        mine = update(BuildPack).where(BuildPack.build_id == build_id, BuildPack.folder == pack.folder)
        session.execute(mine.values(suspected=False, checked_at=now()))
    free_connection()
    return True


class Result(Enum):
    MADE = "made"
    FAILED = "failed"
    SKIPPED = "skipped"  # another worker makes it, or the build was deleted


@dataclass(frozen=True)
class MadePack:
    """The result of one making, of a pack or of an update; the texts are for people."""

    name: str
    text: str
    result: Result


def make_unready_packs(game_ids: Sequence[str] | None, *, verify: bool = False) -> Iterator[MadePack]:
    """Make every needed pack that is not ready, of some games or (None) of all, and the updates that are due. Packs
    that failed before are tried again, and packs that are not complete in storage are made again. `verify`: all packs
    are read, and those that are damaged are made again too. Raises Unavailable when storage does not answer."""
    discard_incomplete(game_ids)
    for build_id in ready_packs(game_ids) if verify else ():
        if not _check_pack(build_id):
            raise Unavailable("Storage does not answer, so not all packs were checked. Run the command again.")
    for build_id in unready_packs(game_ids):
        outcome = make_pack(build_id, again=True)
        yield _described(build_id, outcome)
    for pair in due_updates():
        made = _make_update(*pair)
        yield _described_update(*pair)
        if not made:
            return


def _described(build_id: str, outcome: Outcome) -> MadePack:
    build = db.session.scalar(select(Build).where(Build.id == build_id).options(joinedload(Build.game)))
    pack = db.session.get(BuildPack, build_id)
    free_connection()
    if build is None or pack is None:
        return MadePack(f"build {build_id}", "deleted meanwhile", Result.SKIPPED)
    name = f"{build.game.slug}, build {build.number}"
    if pack.state == "ready":
        return MadePack(name, f"{pack.pack_bytes + pack.index_bytes:,} bytes", Result.MADE)
    if pack.state == "listed":
        return MadePack(f"{name}, list of files", f"{pack.index_bytes:,} bytes", Result.MADE)
    if outcome is Outcome.NOT_OURS and pack.state == "making":
        return MadePack(name, "another worker is making it", Result.SKIPPED)
    return MadePack(name, pack.reason or "storage does not answer; it is tried again later", Result.FAILED)


def _described_update(build_id: str, from_build_id: str) -> MadePack:
    builds = select(Build).where(Build.id.in_([build_id, from_build_id])).options(joinedload(Build.game))
    found = {build.id: build for build in db.session.scalars(builds)}
    row = db.session.scalar(
        select(PackUpdate)
        .where(PackUpdate.build_id == build_id, PackUpdate.from_build_id == from_build_id)
        .options(joinedload(PackUpdate.pack))
    )
    free_connection()
    if len(found) < 2:
        return MadePack(f"the update to build {build_id}", "deleted meanwhile", Result.SKIPPED)
    new, old = found[build_id], found[from_build_id]
    name = f"{new.game.slug}, update from build {old.number} to build {new.number}"
    if row is None:
        return MadePack(name, "it could not be made; the log has the reason", Result.FAILED)
    return MadePack(name, f"transfers {row.transfer_bytes:,} bytes", Result.MADE)


def games_with_slug(slug: str, partner: Partner | None) -> list[str]:
    """The id of the game. Raises NotFound, and Conflict if several partners have one."""
    query = select(Game).where(Game.slug == slug, Game.deleted_at.is_(None)).options(joinedload(Game.partner))
    found = db.session.scalars(query.where(Game.partner_id == partner.id) if partner else query).all()
    free_connection()
    if not found:
        raise NotFound(f"No game with slug '{slug}'")
    if len(found) > 1:
        names = ", ".join(sorted(game.partner.name for game in found))
        raise Conflict(f"Several partners have a game with slug '{slug}': {names}. Name one with --partner.")
    return [found[0].id]
