"""A game's cover and screenshots, picked from its assets. External addresses in the metadata stay plain links."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypedDict

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session, contains_eager

from app.accounts.actors import Actor
from app.accounts.audit_log import record
from app.data.database import announce, in_batches, writing
from app.data.extensions import db
from app.data.models.asset import Asset, GamePicture
from app.data.models.game import Game
from app.images.active_games import require_active_game
from app.images.asset_refusals import AssetNotFound
from app.images.image_addresses import address
from app.images.image_quota import lock_partner
from app.images.shown_images import ShownImage, shown_image, variants_of
from app.refusals import InvalidRequest
from app.topics.names import assets_topic, catalog_topic, game_topic, partner_topic

MAX_SCREENSHOTS = 50
COVER = 0
# The sizes that the partner API links to: large enough for a store page, small enough for a list.
COVER_SIZE, SCREENSHOT_SIZE = 768, 2048


@dataclass
class Pictures:
    """The picked images of one game."""

    cover: ShownImage | None = None
    screenshots: list[ShownImage] = field(default_factory=list)


def pictures_of(game_ids: Iterable[str]) -> dict[str, Pictures]:
    """Game id → its pictures, for every given game. Two queries per 5,000."""
    found = {game_id: Pictures() for game_id in game_ids}
    for batch in in_batches(found):
        for row, image in _picked(batch):
            if row.place == COVER:
                found[row.game_id].cover = image
            else:
                found[row.game_id].screenshots.append(image)
    return found


def covers_of(game_ids: Iterable[str]) -> dict[str, ShownImage]:
    """Game id → its cover, for games with one. Two queries per 5,000."""
    return {
        row.game_id: image
        for batch in in_batches(game_ids)
        for row, image in _picked(batch, GamePicture.place == COVER)
    }


def _picked(game_ids: Sequence[str], *which: ColumnElement[bool]) -> Iterator[tuple[GamePicture, ShownImage]]:
    rows = db.session.scalars(
        select(GamePicture)
        .join(GamePicture.asset)
        .join(Asset.blob)
        .where(GamePicture.game_id.in_(game_ids), *which)
        .options(contains_eager(GamePicture.asset).contains_eager(Asset.blob))
        .order_by(GamePicture.game_id, GamePicture.place)
    ).all()
    made = variants_of([row.asset.blob_id for row in rows]) if rows else {}
    for row in rows:
        yield row, shown_image(row.asset, made.get(row.asset.blob_id, []))


class Pictured(Protocol):
    """The part of a game that its pictures depend on."""

    @property
    def id(self) -> str: ...
    @property
    def thumbnail(self) -> str | None: ...
    @property
    def screenshots(self) -> list[str] | None: ...


class ShownPictures(TypedDict):
    """The absolute addresses in the partner API: picked images, else the external addresses of the metadata."""

    thumbnail: str | None
    screenshots: list[str] | None


def shown_pictures(game: Pictured, here: str) -> ShownPictures:
    """`here`: the app's address in the current request."""
    picked = pictures_of([game.id])[game.id]
    shots = [address(image.key_for(SCREENSHOT_SIZE), here) for image in picked.screenshots]
    return ShownPictures(
        thumbnail=address(picked.cover.key_for(COVER_SIZE), here) if picked.cover else game.thumbnail,
        screenshots=shots or game.screenshots,
    )


def pick_cover(game: Game, asset_id: str | None, actor: Actor) -> None:
    """Show an asset as the game's cover, or none (then an external address shows again). Raises AssetNotFound."""
    with _picture_transaction(game, actor, "game.cover_picked", [asset_id] if asset_id else []) as session:
        session.execute(delete(GamePicture).where(GamePicture.game_id == game.id, GamePicture.place == COVER))
        if asset_id:
            session.add(GamePicture(game_id=game.id, place=COVER, asset_id=asset_id))


def pick_screenshots(game: Game, asset_ids: Sequence[str], actor: Actor) -> None:
    """Show these assets as screenshots, in this order. Raises AssetNotFound, and InvalidRequest for more than 50."""
    if len(asset_ids) > MAX_SCREENSHOTS:
        raise InvalidRequest(
            f"{len(asset_ids)} screenshots were picked; a game has at most {MAX_SCREENSHOTS}. Remove some.",
            {"screenshots": f"at most {MAX_SCREENSHOTS}"},
        )
    wanted = list(dict.fromkeys(asset_ids))
    with _picture_transaction(game, actor, "game.screenshots_picked", wanted) as session:
        _store_order(session, game.id, wanted)


def add_screenshots(game: Game, asset_ids: Sequence[str], actor: Actor) -> None:
    """Show these assets after the present screenshots, in this order. Those that are screenshots keep their position.
    Raises AssetNotFound, and InvalidRequest for more than 50 screenshots."""
    with _picture_transaction(game, actor, "game.screenshots_picked", asset_ids) as session:
        order = list(dict.fromkeys([*_screenshot_order(session, game.id), *asset_ids]))
        _store_order(session, game.id, order)


def place_screenshot(game: Game, asset_id: str, place: int | None, actor: Actor) -> None:
    """Show an asset as the screenshot at `place` (from 1; a larger number means the last), or not at all (None). The
    others keep their order. Raises AssetNotFound, and InvalidRequest for the 51st."""
    with _picture_transaction(game, actor, "game.screenshots_picked", [asset_id]) as session:
        order = [other for other in _screenshot_order(session, game.id) if other != asset_id]
        if place is not None:
            order.insert(max(place, 1) - 1, asset_id)
        _store_order(session, game.id, order)


def _screenshot_order(session: Session, game_id: str) -> list[str]:
    there = select(GamePicture.asset_id).where(GamePicture.game_id == game_id, GamePicture.place > COVER)
    return list(session.scalars(there.order_by(GamePicture.place)))


def _store_order(session: Session, game_id: str, order: Sequence[str]) -> None:
    if len(order) > MAX_SCREENSHOTS:
        raise InvalidRequest(
            f"A game has at most {MAX_SCREENSHOTS} screenshots; these would be {len(order)}. Remove some first.",
            {"place": f"at most {MAX_SCREENSHOTS}"},
        )
    session.execute(delete(GamePicture).where(GamePicture.game_id == game_id, GamePicture.place > COVER))
    for number, shown in enumerate(order, start=COVER + 1):
        session.add(GamePicture(game_id=game_id, place=number, asset_id=shown))


def replace_pictures_by_links(game: Game, changes: Mapping[str, Any], here: str, actor: Actor) -> None:
    """After `changes` to the metadata: a new external address replaces the picked image, unless it is that image's own
    address, sent back."""
    picked, shown = pictures_of([game.id])[game.id], shown_pictures(game, here)
    if picked.cover and "thumbnail" in changes and changes["thumbnail"] != shown["thumbnail"]:
        pick_cover(game, None, actor)
    if picked.screenshots and "screenshots" in changes and changes["screenshots"] != shown["screenshots"]:
        pick_screenshots(game, [], actor)


@contextmanager
def _picture_transaction(game: Game, actor: Actor, action: str, asset_ids: Sequence[str]) -> Iterator[Session]:
    """A transaction in which these assets of the game cannot be deleted."""
    game_id = game.id
    with writing() as session:
        lock_partner(session, game.partner_id)
        active = require_active_game(session, game_id)
        there = set(
            session.scalars(
                select(Asset.id).where(Asset.id.in_(asset_ids), Asset.game_id == game_id, Asset.deleted_at.is_(None))
            )
        )
        for asset_id in asset_ids:
            if asset_id not in there:
                raise AssetNotFound(f"No asset with id '{asset_id}' in this game. It may have been deleted.")
        yield session
        session.flush()
        record(session, actor, action, active.title, game=active, assets=list(asset_ids))
        announce(
            assets_topic(game_id),
            game_topic(game_id),
            partner_topic(active.partner_id),
            catalog_topic(active.partner_id),
        )
