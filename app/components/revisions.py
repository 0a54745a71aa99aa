"""Revisions: all calls read and write the draft. Finalizing freezes it and opens the next draft as a copy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import func, insert, literal, select
from sqlalchemy.orm import Session

from app.accounts.actors import Actor
from app.accounts.audit_log import record
from app.data.database import announce, lock_for_update, writing
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.component import Component, ComponentFace, Revision
from app.data.models.game import Game
from app.images.active_games import require_active_game
from app.images.asset_refusals import RevisionFinalized, RevisionNotFound
from app.images.image_quota import lock_partner
from app.topics.names import assets_topic


@dataclass(frozen=True)
class RevisionSummary:
    number: int
    state: Literal["draft", "finalized"]
    component_count: int
    created_at: datetime
    finalized_at: datetime | None
    finalized_by: str | None


def draft_of(game_id: str) -> Revision | None:
    """The draft, or None for a game without any component yet: its draft is number 1 and empty."""
    return db.session.scalar(select(Revision).where(Revision.game_id == game_id, Revision.state == "draft"))


def revision_of(game_id: str, number: int | None) -> Revision | None:
    """A revision by its number, or the draft. None means an empty draft. Raises RevisionNotFound."""
    draft = draft_of(game_id)
    if number is None or (draft is None and number == 1):
        return draft
    found = db.session.scalar(select(Revision).where(Revision.game_id == game_id, Revision.number == number))
    if found is None:
        raise RevisionNotFound(f"The game has no revision {number}. See GET …/revisions for those it has.")
    return found


def lock_draft(session: Session, game_id: str) -> Revision:
    """The draft, locked until the transaction ends, and made if there is none. Inside writing()."""
    query = select(Revision).where(Revision.game_id == game_id, Revision.state == "draft").with_for_update()
    draft = session.scalar(query)
    if draft is None:
        # No draft yet, or it was finalized while we waited for its lock: the lock on the game's row decides which call
        # makes the next.
        lock_for_update(session, session.get_one(Game, game_id))
        draft = session.scalar(query)
    if draft is None:
        draft = Revision(game_id=game_id, number=1)
        session.add(draft)
        session.flush()
    return draft


def lock_components_of(game: Game) -> None:
    """Lock the game's draft, in the order of locks of those who change images and components. Inside writing()."""
    session = db.session()
    lock_partner(session, game.partner_id)
    lock_draft(session, game.id)


def list_revisions(game: Game) -> list[RevisionSummary]:
    """Newest first, the draft at the top. One query."""
    counts = select(Component.revision_id, func.count().label("components")).group_by(Component.revision_id).subquery()
    rows = db.session.execute(
        select(Revision, func.coalesce(counts.c.components, 0))
        .outerjoin(counts, counts.c.revision_id == Revision.id)
        .where(Revision.game_id == game.id)
        .order_by(Revision.number.desc())
    ).all()
    found = [_summary(revision, int(components)) for revision, components in rows]
    return found or [RevisionSummary(1, "draft", 0, game.created_at, None, None)]


def finalize(game: Game, number: int, actor: Actor) -> RevisionSummary:
    """Freeze the draft permanently and open the next as a copy with the same component ids.

    Raises RevisionNotFound, or RevisionFinalized if it was finalized before.
    """
    game_id = game.id
    with writing() as session:
        active = require_active_game(session, game_id)
        draft = lock_draft(session, game_id)
        if number != draft.number:
            if number > draft.number or number < 1:
                raise RevisionNotFound(f"The game has no revision {number}; its draft is revision {draft.number}.")
            raise RevisionFinalized(f"Revision {number} is finalized already. The draft is revision {draft.number}.")
        draft.state, draft.finalized_by = "finalized", actor.name
        draft.finalized_at = now()
        session.flush()
        following = Revision(game_id=game_id, number=number + 1)
        session.add(following)
        session.flush()
        components = _copy(session, draft.id, following.id)
        subject = f"{active.title}, revision {number}"
        record(session, actor, "revision.finalized", subject, game=active, components=components)
        announce(assets_topic(game_id))
    return _summary(draft, components)


def _copy(session: Session, source: str, target: str) -> int:
    """Copy every component and face in the database. Returns the number of components."""
    for kept in (Component, ComponentFace):
        columns = kept.__table__.c
        values = [literal(target) if column.name == "revision_id" else column for column in columns]
        rows = select(*values).where(columns.revision_id == source)
        session.execute(insert(kept).from_select([column.name for column in columns], rows))
    return session.scalar(select(func.count()).where(Component.revision_id == target)) or 0


def _summary(revision: Revision, components: int) -> RevisionSummary:
    return RevisionSummary(
        revision.number,
        revision.state,
        components,
        revision.created_at,
        revision.finalized_at,
        revision.finalized_by,
    )


@dataclass(frozen=True)
class ComponentRef:
    """A component's id, kind and name."""

    id: str
    kind: str
    name: str
    external_key: str


@dataclass(frozen=True)
class Changes:
    """What the draft adds, changes and removes compared with the newest finalized revision (`since`)."""

    since: int | None
    added: Sequence[ComponentRef]
    changed: Sequence[ComponentRef]
    removed: Sequence[ComponentRef]

    @property
    def count(self) -> int:
        return len(self.added) + len(self.changed) + len(self.removed)


def changes(game_id: str) -> Changes:
    """Compare the draft with the newest finalized revision. A constant number of queries."""
    draft = draft_of(game_id)
    newest = db.session.scalar(
        select(Revision)
        .where(Revision.game_id == game_id, Revision.state == "finalized")
        .order_by(Revision.number.desc())
        .limit(1)
    )
    now_there, before = _contents(draft), _contents(newest)
    return Changes(
        since=newest.number if newest else None,
        added=[ref for id_, (ref, _) in now_there.items() if id_ not in before],
        changed=[ref for id_, (ref, what) in now_there.items() if id_ in before and before[id_][1] != what],
        removed=[ref for id_, (ref, _) in before.items() if id_ not in now_there],
    )


def _contents(revision: Revision | None) -> dict[str, tuple[ComponentRef, object]]:
    """Component id → its reference, and everything that is compared."""
    if revision is None:
        return {}
    faces: dict[str, dict[str, str]] = {}
    for component_id, side, asset_id in db.session.execute(
        select(ComponentFace.component_id, ComponentFace.side_key, ComponentFace.asset_id).where(
            ComponentFace.revision_id == revision.id
        )
    ):
        faces.setdefault(component_id, {})[side] = asset_id
    rows = db.session.scalars(
        select(Component).where(Component.revision_id == revision.id).order_by(Component.position)
    )
    return {
        row.id: (
            ComponentRef(row.id, row.kind, row.name, row.external_key),
            (row.kind, row.name, row.parent_id, row.width_mm, row.height_mm, faces.get(row.id, {})),
        )
        for row in rows
    }
