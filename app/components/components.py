"""Making and updating components in the draft, by kind and external key (assets-api.md section 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.accounts.actors import Actor
from app.accounts.audit_log import record
from app.components.component_images import assets_in_game, usable_images
from app.components.component_kinds import ONLY_AS_CHILD, PARENTS, family_of, stored_kind
from app.components.component_views import ShownComponent, shown
from app.components.revisions import lock_draft, revision_of
from app.components.wanted_component import WantedComponent
from app.data.database import announce, free_connection, writing
from app.data.extensions import db
from app.data.models.asset import new_bare_id
from app.data.models.base import now
from app.data.models.component import Component, ComponentFace
from app.data.models.game import Game
from app.images.active_games import require_active_game
from app.images.asset_refusals import ComponentNotFound
from app.images.image_quota import lock_partner
from app.refusals import InvalidRequest
from app.topics.names import assets_topic


@dataclass(frozen=True)
class SavedComponent:
    component: ShownComponent
    created: bool


def save_components(game: Game, app_id: str, wanted: Sequence[WantedComponent], actor: Actor) -> list[SavedComponent]:
    """Make or update components in order, all or nothing. The answer has the same order.

    Raises InvalidRequest (kinds, parents), AssetNotFound (a key that this app has not confirmed), DerivationFailed (an
    image from which no sizes can be made). Waits a while for sizes that are being made.
    """
    game_id, partner_id = game.id, game.partner_id
    kinds = [_kind(one) for one in wanted]
    images = usable_images(game_id, partner_id, app_id, wanted)
    free_connection()
    with writing() as session:
        if images:
            lock_partner(session, partner_id)
        active = require_active_game(session, game_id)
        draft = lock_draft(session, game_id)
        assets = assets_in_game(session, game_id, app_id, images, actor)
        saver = _Saver(session, draft.id, [one.external_key for one in wanted], wanted)
        rows = [saver.save(one, kind) for one, kind in zip(wanted, kinds, strict=True)]
        session.flush()
        saver.load_faces()
        for one, row in zip(wanted, rows, strict=True):
            saver.put_faces(row, {side: assets[images[key].blob_id] for side, key in one.faces.items()})
        if saver.changed:
            created, updated = len(saver.created), len(saver.changed - saver.created)
            record(session, actor, "components.saved", active.title, game=active, created=created, updated=updated)
        announce(assets_topic(game_id))
        revision_id = draft.id
    found = {one.id: one for one in shown(revision_id, list({row.id: row for row in rows}.values()))}
    return [SavedComponent(found[row.id], row.id in saver.created) for row in rows]


def _kind(one: WantedComponent) -> str:
    try:
        return stored_kind(one.kind)
    except ValueError as error:
        raise InvalidRequest(f"{one.where}{error}. Use one of these.", {"kind": "unknown"}) from None


class _Saver:
    """The components of one draft that one call saves."""

    def __init__(
        self, session: Session, revision_id: str, external_keys: Sequence[str], wanted: Sequence[WantedComponent]
    ) -> None:
        self.session = session
        self.revision_id = revision_id
        self.created: set[str] = set()
        self.changed: set[str] = set()
        keys = {*external_keys, *(one.fields.get("parent_external_key") for one in wanted)} - {None}
        rows = session.scalars(
            select(Component).where(Component.revision_id == revision_id, Component.external_key.in_(keys))
        ).all()
        self._known = {(row.family, row.external_key): row for row in rows}
        self._by_id = {row.id: row for row in rows}
        highest = select(func.max(Component.position)).where(Component.revision_id == revision_id)
        self._next_position = (session.scalar(highest) or 0) + 1
        self._faces: dict[tuple[str, str], ComponentFace] = {}

    def save(self, one: WantedComponent, kind: str) -> Component:
        """Find or make the component and set its given fields."""
        family = family_of(kind)
        row = self._known.get((family, one.external_key))
        if row is not None and one.new:
            raise InvalidRequest(
                f"{one.where}The {row.kind} “{row.name}” has the external key {one.external_key}. Choose another.",
                {"externalKey": "taken"},
            )
        parent = self._parent(one, kind, row)
        values = {"kind": kind, "name": one.name, "parent_id": parent.id if parent else None}
        values |= {name: one.fields[name] for name in ("width_mm", "height_mm") if name in one.fields}
        if row is None:
            row = self._make(one, family, values)
        for name, value in values.items():
            if getattr(row, name) != value:
                setattr(row, name, value)
                self._record_change(row)
        return row

    def _make(self, one: WantedComponent, family: str, values: dict[str, Any]) -> Component:
        row = Component(
            revision_id=self.revision_id,
            id=new_bare_id(),
            position=self._next_position,
            family=family,
            external_key=one.external_key,
            created_at=now(),
            updated_at=now(),
            **values,
        )
        self._next_position += 1
        self.session.add(row)
        self._known[family, one.external_key] = self._by_id[row.id] = row
        self.created.add(row.id)
        self.changed.add(row.id)
        return row

    def _parent(self, one: WantedComponent, kind: str, row: Component | None) -> Component | None:
        named = one.fields.get("parent_external_key")
        if named is not None:
            return self._named_parent(one, kind, named)
        kept = row.parent_id if row is not None and "parent_external_key" not in one.fields else None
        parent = self._component(kept) if kept else None
        if parent is not None and parent.kind not in PARENTS.get(kind, ()):
            raise self._refused(one, f"a {kind} cannot be in the {parent.kind} '{parent.external_key}'")
        if parent is None and kind in ONLY_AS_CHILD:
            raise self._refused(one, f"a {kind} needs a parent ({' or '.join(PARENTS[kind])})")
        return parent

    def _named_parent(self, one: WantedComponent, kind: str, named: str) -> Component:
        fitting = PARENTS.get(kind)
        if fitting is None:
            raise self._refused(one, f"a {kind} has no parent; leave it out")
        found = [parent for family in fitting if (parent := self._known.get((family, named)))]
        if not found:
            raise self._refused(one, f"there is no {' or '.join(fitting)} with the external key '{named}' in this game")
        if len(found) > 1:
            raise self._refused(one, f"both a {' and a '.join(fitting)} have the external key '{named}'; rename one")
        return found[0]

    def _component(self, component_id: str) -> Component:
        if component_id not in self._by_id:
            self._by_id[component_id] = self.session.get_one(Component, (self.revision_id, component_id))
        return self._by_id[component_id]

    @staticmethod
    def _refused(one: WantedComponent, why: str) -> InvalidRequest:
        return InvalidRequest(f"{one.where}parentExternalKey: {why}.", {"parentExternalKey": why})

    def load_faces(self) -> None:
        """Read the current faces. After the components were flushed."""
        rows = self.session.scalars(
            select(ComponentFace).where(
                ComponentFace.revision_id == self.revision_id, ComponentFace.component_id.in_(self._by_id)
            )
        )
        self._faces = {(row.component_id, row.side_key): row for row in rows}

    def put_faces(self, row: Component, faces: Mapping[str, str]) -> None:
        """Put these assets on these sides."""
        for side, asset_id in faces.items():
            face = self._faces.get((row.id, side))
            if face is None:
                face = ComponentFace(
                    revision_id=self.revision_id, component_id=row.id, side_key=side, asset_id=asset_id
                )
                self._faces[row.id, side] = face
                self.session.add(face)
            elif face.asset_id == asset_id:
                continue
            face.asset_id = asset_id
            self._record_change(row)

    def _record_change(self, row: Component) -> None:
        row.updated_at = now()
        self.changed.add(row.id)


def component_of(revision_id: str | None, component_id: str) -> ShownComponent:
    """One component of a revision. Raises ComponentNotFound."""
    row = db.session.get(Component, (revision_id, component_id)) if revision_id else None
    if row is None or revision_id is None:
        raise ComponentNotFound(f"No component with id '{component_id}' in this revision.")
    return shown(revision_id, [row])[0]


def delete_component(game: Game, component_id: str, actor: Actor) -> None:
    """Delete a component and its children from the draft. The images stay. Raises ComponentNotFound."""
    game_id = game.id
    with writing() as session:
        active = require_active_game(session, game_id)
        draft = lock_draft(session, game_id)
        row = session.get(Component, (draft.id, component_id))
        if row is None:
            raise ComponentNotFound(f"No component with id '{component_id}' in the draft, revision {draft.number}.")
        record(session, actor, "component.deleted", f"{row.kind} {row.external_key}", game=active, name=row.name)
        session.execute(  # the database cascades to its children and faces
            delete(Component).where(Component.revision_id == draft.id, Component.id == component_id)
        )
        announce(assets_topic(game_id))


def component_of_draft(game: Game, component_id: str) -> ShownComponent:
    """Raises ComponentNotFound."""
    draft = revision_of(game.id, None)
    return component_of(draft.id if draft else None, component_id)
