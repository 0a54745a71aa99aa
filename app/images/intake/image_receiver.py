"""An image sent through the app itself, for pages without JavaScript. The same three steps, made here."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import IO

from app.accounts.actors import Actor
from app.data.extensions import db
from app.data.models.game import Game
from app.images.foreign_formats import HEAD_BYTES, foreign_format
from app.images.image_limits import IMAGE_TYPES, MAX_IMAGE_BYTES
from app.images.intake.confirmation import SentUpload, active_asset, confirm
from app.images.intake.presigning import AnnouncedImage, stage
from app.refusals import InvalidRequest
from app.storage.objects import PIECE, write_object
from slipway.client.sizes import format_limit

_MAGIC = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}


@dataclass(frozen=True)
class ReceivedImage:
    """`existed`: the game had the image before, and nothing was added."""

    asset_id: str
    existed: bool


def receive_image(game: Game, app_id: str, file: IO[bytes], file_name: str, actor: Actor) -> ReceivedImage:
    """Stage, store and confirm the file (read from its beginning), unless the game has it already.

    Raises the errors of `stage` and `confirm`, and InvalidRequest for a file that is no image or too large.
    """
    game_id = game.id
    announced, md5 = _measured(file, file_name)
    known = active_asset(game_id, app_id, announced.sha256)
    if known is not None:
        return ReceivedImage(known.id, existed=True)
    staged = stage(game_id, game.partner_id, app_id, announced)
    file.seek(0)
    write_object(staged.staging_key, file, announced.byte_size, md5, {"Content-Type": announced.content_type})
    sent = SentUpload(staged.key, f"/{staged.key}", announced.byte_size, announced.content_type)
    return ReceivedImage(confirm(db.session.get_one(Game, game_id), app_id, sent, actor), existed=False)


def _measured(file: IO[bytes], file_name: str) -> tuple[AnnouncedImage, bytes]:
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    file.seek(0)
    head = file.read(HEAD_BYTES)
    content_type = type_of(head)
    file.seek(0)
    while piece := file.read(PIECE):
        size += len(piece)
        sha256.update(piece)
        md5.update(piece)
    if size > MAX_IMAGE_BYTES:
        raise InvalidRequest(
            f"'{file_name}' is larger than {format_limit(MAX_IMAGE_BYTES)}. Export it smaller, then choose it.",
            {"file": "too large"},
        )
    if size == 0:
        raise InvalidRequest(f"'{file_name}' is empty. Export it again, then choose it.", {"file": "empty"})
    if content_type is None:
        raise InvalidRequest(f"'{file_name}' {_wrong_format(head)} Then choose it again.", {"file": "no image"})
    return AnnouncedImage(file_name, content_type, size, sha256.hexdigest()), md5.digest()


def type_of(head: bytes) -> str | None:
    """The type according to the first 12 bytes. Confirming checks all bytes."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)


def _wrong_format(head: bytes) -> str:
    foreign, accepted = foreign_format(head), ", ".join(IMAGE_TYPES.values())
    if foreign:
        return f"is {foreign.name}, none of {accepted}. {foreign.remedy}."
    return f"is none of {accepted}. Export it as one of these."
