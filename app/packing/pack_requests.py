"""Requesting a pack in the transaction that publishes or releases its build. The release never waits for it; servers
that play an older build do, for a while, because that is sooner over than fetching the archive.

Requesting the list of files of a build that has none, because somebody compares it; and a check of a pack that a
server could not use."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from app.config.settings import settings
from app.data.database import announce, free_connection, insert_on_conflict, writing
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.game import Build
from app.data.models.pack import IS_FOR_SERVERS, BuildPack
from app.packing.pack_topics import topics_of

PAUSE_BETWEEN_CHECKS = timedelta(hours=1)


def request_pack(session: Session, build: Build) -> None:
    """Make the build's pack due. Inside writing(); call `enqueue("make_packs", build.id)` after the commit."""
    row = insert_on_conflict(session, BuildPack).values(build_id=build.id, state="waiting", touched_at=now())
    session.execute(row.on_conflict_do_nothing())


def await_pack(session: Session, build: Build, released_at: datetime) -> None:
    """The build is live from now on: let servers wait for its pack. Inside writing()."""
    request_pack(session, build)
    session.execute(
        update(BuildPack)
        .where(BuildPack.build_id == build.id, ~IS_FOR_SERVERS, BuildPack.state != "making")
        .values(state="waiting", list_requested=False, makings_begun=0, reason=None)
    )
    until = released_at + timedelta(seconds=settings().pack_wait)
    session.execute(
        update(BuildPack)
        .where(BuildPack.build_id == build.id, BuildPack.state.in_(["waiting", "making"]))
        .values(awaited_until=until)
    )


def request_list(build_id: str) -> None:
    """Make the list of files of a build due that has none. Changes nothing while its pack is due, or after making the
    list failed. Call `enqueue("make_packs", build_id)` afterwards."""
    requested = {"state": "waiting", "list_requested": True, "makings_begun": 0, "reason": None}
    # A pack for which the quota has no room: the list needs none.
    without_list = and_(BuildPack.state.in_(["listed", "no_room"]), BuildPack.list_folder.is_(None))
    with writing() as session:
        # As the foreign key does. FOR UPDATE would deadlock with a claim that adds the row at the same time.
        exists = select(Build.id).where(Build.id == build_id).with_for_update(read=True, key_share=True)
        if session.scalar(exists) is None:
            return  # deleted meanwhile
        row = insert_on_conflict(session, BuildPack).values(build_id=build_id, touched_at=now(), **requested)
        session.execute(
            row.on_conflict_do_update(
                index_elements=[BuildPack.build_id],
                set_=requested,
                where=and_(without_list, ~BuildPack.list_requested),
            )
        )
    free_connection()


def suspect_packs(session: Session, build_ids: Collection[str]) -> None:
    """Servers could not use the packs of these builds: have each checked, at most once an hour. Inside writing(). The
    sweep starts the check."""
    is_due = or_(BuildPack.checked_at.is_(None), BuildPack.checked_at < now() - PAUSE_BETWEEN_CHECKS)
    found = session.scalars(
        select(BuildPack)
        .where(BuildPack.build_id.in_(build_ids), BuildPack.state == "ready", ~BuildPack.suspected, is_due)
        .with_for_update(skip_locked=True)  # a report waits for nobody; another one says it again
    )
    for pack in found:
        pack.suspected = True


def end_waits() -> int:
    """End the waits that lasted too long: the servers get a new plan, with the archive. Returns their number."""
    overdue = BuildPack.awaited_until < now()
    found = db.session.scalars(select(BuildPack.build_id).where(overdue)).all()
    free_connection()
    for build_id in found:
        with writing() as session:
            ended = update(BuildPack).where(BuildPack.build_id == build_id, overdue).values(awaited_until=None)
            if session.scalar(ended.returning(BuildPack.build_id)):
                announce(*topics_of(session, build_id))
        free_connection()
    return len(found)
