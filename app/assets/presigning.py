"""An upload begins: room is reserved, and a place is named where exactly these bytes may be put."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.assets.names import STAGING, final_key
from app.assets.quota import give_back, lock_partner, take
from app.assets.refusals import GameNotFound
from app.database import release, writing
from app.models import Asset, Blob, Game, StagedAsset, new_id, now
from app.storage.objects import staging_url

LIFETIME = timedelta(minutes=30)


@dataclass(frozen=True)
class Announced:
    """What a client says of a file before it sends it. `sha256` is lowercase hex, the type one of `limits.TYPES`."""

    file_name: str
    content_type: str
    byte_size: int
    sha256: str


@dataclass(frozen=True)
class Presigned:
    """`key` is where the bytes will be once they are confirmed; `signed_url` takes them before, for 30 minutes."""

    signed_url: str
    key: str


def presign(game: Game, app_id: str, announced: Announced) -> Presigned:
    """Reserve the room and sign the upload. The same file again is the same upload with a new URL.

    Raises QuotaExceeded, or GameNotFound when the game was deleted meanwhile."""
    game_id, partner_id = game.id, game.partner_id
    with writing() as session:
        lock_partner(session, partner_id)
        require_living(session, game_id)
        staged = staged_upload(session, game_id, app_id, announced.sha256)
        if staged is None:
            staged_id = new_id("staged")
            staged = StagedAsset(
                id=staged_id,
                partner_id=partner_id,
                game_id=game_id,
                app_id=app_id,
                sha256=announced.sha256,
                object_key=f"{STAGING}{staged_id}",
                reserved_bytes=0,
            )
        # Bytes that this app has confirmed before take no second room, whether they are sent again or not.
        needed = 0 if known_blob(session, partner_id, app_id, announced.sha256) else announced.byte_size
        if needed < staged.reserved_bytes:
            give_back(session, partner_id, staged.reserved_bytes - needed, "released", staged.id)
        else:
            take(session, partner_id, needed - staged.reserved_bytes, "reserved", staged.id)
        staged.reserved_bytes = needed
        staged.byte_size = announced.byte_size
        staged.content_type = announced.content_type
        staged.file_name = announced.file_name
        staged.expires_at = now() + LIFETIME
        session.add(staged)
        staging_key = staged.object_key
    release()
    url = staging_url(
        staging_key, content_type=announced.content_type, byte_size=announced.byte_size, lifetime=LIFETIME
    )
    return Presigned(url, final_key(partner_id, announced.sha256))


def staged_upload(session: Session, game_id: str, app_id: str, sha256: str) -> StagedAsset | None:
    """This app's open upload of these bytes to this game."""
    return session.scalar(
        select(StagedAsset).where(
            StagedAsset.game_id == game_id, StagedAsset.app_id == app_id, StagedAsset.sha256 == sha256
        )
    )


def known_blob(session: Session, partner_id: str, app_id: str, sha256: str) -> Blob | None:
    """The stored bytes, if this very app has an asset that shows them: another app must prove that it has them too."""
    return session.scalar(
        select(Blob)
        .where(Blob.partner_id == partner_id, Blob.sha256 == sha256, Blob.state == "stored")
        .where(
            select(Asset.id)
            .where(Asset.blob_id == Blob.id, Asset.app_id == app_id, Asset.deleted_at.is_(None))
            .exists()
        )
    )


def require_living(session: Session, game_id: str) -> Game:
    """The game, unless it was deleted meanwhile (GameNotFound)."""
    game = session.get(Game, game_id)
    if game is None or game.deleted_at is not None:
        raise GameNotFound("The game was deleted meanwhile. Nothing was kept.")
    return game
