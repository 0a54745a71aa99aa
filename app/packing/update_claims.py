"""At most one worker stores an update to a build. The row of the pack names the folder until the end of a lease, which
a heartbeat extends. So it can be short: what a process left that was killed is removed after seconds.

The folder is named before the first object is stored, so that no sweep takes its objects for garbage.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import ColumnElement, Update, exists, or_, select, update

from app.data.claims import patient_claim
from app.data.database import free_connection, writing
from app.data.extensions import db
from app.data.heartbeat import heartbeat
from app.data.models.base import new_id, now
from app.data.models.pack import BuildPack, PackUpdate
from app.packing.pack_removal import remove_folder
from app.refusals import Unavailable

LEASE = timedelta(seconds=12)
HEARTBEAT_SECONDS = 3.0
_PATIENCE = LEASE + timedelta(seconds=3)  # a worker that died is waited for


@contextmanager
def update_folder(build_id: str) -> Iterator[str]:
    """The folder in the bucket for an update to this build, during the block. After it the folder is removed, unless
    the row of an update names it. Raises Unavailable if other workers do not come to an end."""
    folder = f"packs/{new_id('update')}"
    if not patient_claim(lambda: _claim(build_id, folder), _PATIENCE.total_seconds()):
        raise Unavailable("Another update to this build is being stored. Try again in a moment.", 5)
    mine = _row_naming(build_id, folder)
    with heartbeat(
        HEARTBEAT_SECONDS, f"the update to {build_id}", lambda: mine.values(update_claimed_until=now() + LEASE)
    ):
        try:
            yield folder
        finally:
            _end(build_id, folder)


def _end(build_id: str, folder: str) -> None:
    kept = exists().where(PackUpdate.build_id == build_id, PackUpdate.folder == folder)
    is_kept = db.session.scalar(select(kept))
    free_connection()
    if not is_kept:  # while the row still names it
        remove_folder(folder)
    with writing() as session:
        session.execute(_row_naming(build_id, folder).values(update_folder=None, update_claimed_until=None))
    free_connection()


def _row_naming(build_id: str, folder: str) -> Update:
    return update(BuildPack).where(BuildPack.build_id == build_id, BuildPack.update_folder == folder)


def _claim(build_id: str, folder: str) -> bool:
    """False while another worker has the claim. A pack that is gone needs none: nothing is added to it."""
    with writing() as session:
        row = session.get(BuildPack, build_id, with_for_update=True, populate_existing=True)
        if row is not None and row.update_claimed_until is not None and row.update_claimed_until > now():
            return False
        abandoned = row.update_folder if row is not None else None
        if row is not None:
            row.update_folder, row.update_claimed_until = folder, now() + LEASE
    free_connection()
    remove_folder(abandoned)
    return True


def remove_abandoned_updates() -> None:
    """Remove what workers that died stored of updates. If storage does not answer now, the sweep removes it later."""
    found = select(BuildPack.build_id, BuildPack.update_folder).where(BuildPack.update_folder.is_not(None), _is_over())
    abandoned = db.session.execute(found).all()
    free_connection()
    for build_id, folder in abandoned:
        assert folder is not None
        over = _row_naming(build_id, folder).where(_is_over())
        with writing() as session:
            ended = session.scalar(over.values(update_folder=None).returning(BuildPack.build_id))
        free_connection()
        if ended:
            remove_folder(folder)


def _is_over() -> ColumnElement[bool]:
    return or_(BuildPack.update_claimed_until.is_(None), BuildPack.update_claimed_until <= now())
