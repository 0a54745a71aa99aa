"""Presigning: reserve quota for an upload, and name the place for exactly these bytes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from app.data.database import free_connection, writing
from app.data.models.asset import Asset, Blob, StagedAsset
from app.data.models.base import new_id, now
from app.data.models.game import Game
from app.images.active_games import require_active_game
from app.images.image_quota import lock_partner, reserve_bytes
from app.images.intake.staging import StagedUpload, staging_url
from app.images.object_keys import STAGING, final_key
from app.refusals import InvalidRequest
from app.storage.direct_uploads import direct_uploads

LIFETIME = timedelta(minutes=30)


@dataclass(frozen=True)
class AnnouncedImage:
    """A client's description of a file before it sends it. `sha256` is lowercase hex; the type is one of
    IMAGE_TYPES."""

    file_name: str
    content_type: str
    byte_size: int
    sha256: str


@dataclass(frozen=True)
class PresignedUpload:
    """`key`: where the bytes will be after they are confirmed. `signed_url` accepts them before that, for 30
    minutes."""

    signed_url: str
    key: str


def presign(game: Game, app_id: str, announced: AnnouncedImage, *, sign_type: bool) -> PresignedUpload:
    """Reserve quota and sign the upload. The same file again is the same upload with a new URL.

    Without `sign_type` the PUT may have any Content-Type: a client that announced `image/jpg` sends either that or the
    name that we answer. Parts have no type, and the bytes decide in any case.

    Raises the errors of `stage`, StorageError, and DirectUploadsOff while storage is not safe to send to.
    """
    game_id, partner_id = game.id, game.partner_id
    free_connection()
    direct_uploads().require()  # before quota is reserved
    staged = stage(game_id, partner_id, app_id, announced)
    signed_type = announced.content_type if sign_type else None
    url = staging_url(staged, content_type=signed_type, byte_size=announced.byte_size, lifetime=LIFETIME)
    return PresignedUpload(url, staged.key)


def stage(game_id: str, partner_id: str, app_id: str, announced: AnnouncedImage) -> StagedUpload:
    """Reserve quota and name the place. Raises QuotaExceeded, InvalidRequest if known bytes with this checksum have
    another size, or GameNotFound if the game was deleted meanwhile."""
    with writing() as session:
        lock_partner(session, partner_id)
        require_active_game(session, game_id)
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
                file_name=announced.file_name,  # of two equal files, the first one's
                reserved_bytes=0,
            )
        # Addresses from earlier calls still accept the size they were signed for: the reservation must not shrink
        # before the upload ends, whatever size is announced now.
        needed = max(_room_for(session, staged, announced), staged.reserved_bytes)
        reserve_bytes(session, partner_id, needed - staged.reserved_bytes, "reserved", staged.id)
        staged.reserved_bytes = needed
        staged.byte_size = announced.byte_size
        staged.content_type = announced.content_type
        staged.expires_at = now() + LIFETIME
        session.add(staged)
        found = StagedUpload(
            staged.id, partner_id, staged.object_key, final_key(partner_id, announced.sha256), staged.multipart_id
        )
    free_connection()
    return found


def _room_for(session: Session, staged: StagedAsset, announced: AnnouncedImage) -> int:
    """Bytes that this upload needs in the quota. Bytes that this app has confirmed before need none, but only in one
    place at a time: otherwise, each of many games could hold a copy."""
    known = known_blob(session, staged.partner_id, staged.app_id, announced.sha256)
    if known is None:
        return announced.byte_size
    if known.size != announced.byte_size:
        raise InvalidRequest(
            f"byteSize is {announced.byte_size:,}, but the file with this checksum has {known.size:,} bytes. Send its "
            "real size.",
            {"byteSize": "not the size of the file with this checksum"},
        )
    elsewhere = exists().where(
        StagedAsset.partner_id == staged.partner_id,
        StagedAsset.sha256 == announced.sha256,
        StagedAsset.id != staged.id,
        StagedAsset.reserved_bytes == 0,
    )
    return announced.byte_size if session.scalar(select(elsewhere)) else 0


def staged_upload(session: Session, game_id: str, app_id: str, sha256: str) -> StagedAsset | None:
    """This app's open upload of these bytes to this game."""
    return session.scalar(
        select(StagedAsset).where(
            StagedAsset.game_id == game_id, StagedAsset.app_id == app_id, StagedAsset.sha256 == sha256
        )
    )


def known_blob(session: Session, partner_id: str, app_id: str, sha256: str) -> Blob | None:
    """The stored bytes, if this very app has an asset of them. Another app must prove that it has them too."""
    return session.scalar(
        select(Blob)
        .where(Blob.partner_id == partner_id, Blob.sha256 == sha256, Blob.state == "stored")
        .where(
            select(Asset.id)
            .where(Asset.blob_id == Blob.id, Asset.app_id == app_id, Asset.deleted_at.is_(None))
            .exists()
        )
    )
