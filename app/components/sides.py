"""Setting and clearing one side of a component of the draft."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.actors import Actor
from app.accounts.audit_log import record
from app.components.component_kinds import sides_offered
from app.components.component_views import ShownComponent
from app.components.revisions import lock_draft
from app.data.database import announce, writing
from app.data.models.asset import Asset, Blob
from app.data.models.base import now
from app.data.models.component import Component, ComponentFace
from app.data.models.game import Game
from app.images.active_games import require_active_game
from app.images.asset_refusals import AssetNotFound, ComponentNotFound, DerivationFailed
from app.images.image_quota import lock_partner
from app.refusals import InvalidRequest
from app.topics.names import assets_topic
from app.validation import problem_of_line
from slipway.archive.invisible_characters import escape_invisible

MAX_SIDE_LENGTH = 64


def offered_sides(component: ShownComponent) -> list[str]:
    """The sides that people can choose: those of its kind, then other sides that a call has set."""
    return list(dict.fromkeys((*sides_offered(component.kind), *component.faces)))


def put_on_side(game: Game, component_id: str, side: str, asset_id: str | None, actor: Actor) -> None:
    """Put an image of the game, from any app, on a side. None clears the side; clearing it again
    changes nothing.

    Raises ComponentNotFound, AssetNotFound, DerivationFailed, and InvalidRequest for a side without a name.
    """
    side = side.strip()
    if not side or len(side) > MAX_SIDE_LENGTH or problem_of_line(side):
        raise InvalidRequest(
            f"A side has a name of 1 to {MAX_SIDE_LENGTH} characters, such as front.", {"side": "no name"}
        )
    game_id = game.id
    with writing() as session:
        lock_partner(session, game.partner_id)
        active = require_active_game(session, game_id)
        draft = lock_draft(session, game_id)
        component = session.get(Component, (draft.id, component_id))
        if component is None:
            raise ComponentNotFound(f"No component with id '{component_id}' in the draft, revision {draft.number}.")
        face = session.get(ComponentFace, (draft.id, component_id, side))
        if asset_id is not None:
            _require_fit(session, game_id, asset_id)
            face = face or ComponentFace(revision_id=draft.id, component_id=component_id, side_key=side)
            face.asset_id = asset_id
            session.add(face)
        elif face is None:
            return
        else:
            session.delete(face)
        component.updated_at = now()
        details = {"component": component_id, "side": side, "asset": asset_id or "none"}
        record(session, actor, "component.side_set", component.name, game=active, **details)
        announce(assets_topic(game_id))


def _require_fit(session: Session, game_id: str, asset_id: str) -> None:
    """Raises unless the image is of this game and can be shown."""
    row = session.execute(
        select(Asset.file_name, Blob.derivation, Blob.derive_error)
        .join(Asset.blob)
        .where(Asset.id == asset_id, Asset.game_id == game_id, Asset.deleted_at.is_(None))
    ).first()
    if row is None:
        raise AssetNotFound(f"No image with id '{asset_id}' in this game. It may have been deleted.")
    if row.derivation == "failed":
        name = escape_invisible(row.file_name)
        raise DerivationFailed(f"No sizes can be made of '{name}'. {row.derive_error} Export it again, then add it.")
