"""Confirms an upload: fetches the staged bytes, verifies them, stores them under the key of their content, and adds the
asset."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import contains_eager

from app.accounts.actors import Actor
from app.accounts.audit_log import record
from app.data.database import announce, free_connection, writing
from app.data.extensions import db
from app.data.models.asset import Asset, Blob, StagedAsset
from app.data.models.game import Game
from app.images.active_games import require_active_game
from app.images.blobs import claim_blob, lock_blob
from app.images.image_limits import IMAGE_TYPES
from app.images.image_processes import Facts
from app.images.image_quota import free_bytes, lock_partner, reserve_bytes
from app.images.intake import staging
from app.images.intake.presigning import known_blob, staged_upload
from app.images.intake.verification import FetchedFile, WrongBytes, fetched, verify
from app.images.object_keys import IMMUTABLE, parse_key
from app.images.public_copies import PublicCopy, record_public_copy, store_public_copy, without_metadata_copy
from app.process.crash_points import crash_point
from app.process.metrics import count_upload
from app.refusals import InvalidRequest, Unavailable
from app.storage.bucket import StorageError, bucket
from app.storage.objects import ObjectMissing, write_object
from app.topics.names import assets_topic
from app.topics.queue import enqueue

log = logging.getLogger(__name__)

_WAIT_FOR_SWEEP = 20.0


@dataclass(frozen=True)
class SentUpload:
    """The client's statement about its upload: all four values come from presign."""

    key: str
    public_url: str
    byte_size: int
    content_type: str


@dataclass(frozen=True)
class _Upload:
    """The staged upload as it was when the confirm began, and its actor."""

    staged_id: str
    partner_id: str
    game_id: str
    app_id: str
    actor: Actor


def confirm(game: Game, app_id: str, sent: SentUpload, actor: Actor) -> str:
    """Verify and publish an upload. Returns the asset's id. May be called again: returns the same id and adds nothing.

    Raises InvalidRequest (WrongBytes if the bytes are wrong: they are deleted then), QuotaExceeded, GameNotFound.
    Raises StorageError or Unavailable if there is no result yet: then nothing changed and the client can try again.
    """
    sha256 = _sha256_of(sent, game.partner_id)
    partner_id, game_id = game.partner_id, game.id
    staged = staged_upload(db.session(), game_id, app_id, sha256)
    if staged is None:
        return _confirmed_before(game_id, app_id, sha256, sent)
    _compare(sent, staged.byte_size, staged.content_type)
    upload = _Upload(staged.id, partner_id, game_id, app_id, actor)
    known = known_blob(db.session(), partner_id, app_id, sha256)
    staging_key, transfer = staged.object_key, staged.multipart_id
    free_connection()
    asset_id = _publish(upload, known.id) if known and _is_as_sent(known, sent) else None
    if asset_id is None:
        try:
            staging.join(upload.staged_id, staging_key, transfer, sent.byte_size)
            asset_id = _fetch_and_publish(upload, staging_key, sha256, sent)
        except WrongBytes:
            count_upload("image", "refused", sent.byte_size)
            _discard(upload, staging_key, transfer)
            raise
    count_upload("image", "stored", sent.byte_size)
    _drop_staged(staging_key, transfer)
    return asset_id


def _sha256_of(sent: SentUpload, partner_id: str) -> str:
    """The parts of the key, if it is one of this partner's."""
    key = parse_key(sent.key)
    if key is None or not key.is_source or key.partner_id != partner_id:
        raise InvalidRequest("key is not from a presign call. Send it unchanged.", {"key": "not presigned"})
    if not sent.public_url.endswith(f"/{sent.key}"):
        raise InvalidRequest(
            "publicUrl is not the one from the presign call of this key. Send it unchanged.",
            {"publicUrl": "does not belong to the key"},
        )
    return key.sha256


def _compare(sent: SentUpload, byte_size: int, content_type: str) -> None:
    if sent.byte_size != byte_size:
        raise InvalidRequest(
            f"byteSize is {sent.byte_size:,}; {byte_size:,} was presigned.", {"byteSize": "not as presigned"}
        )
    if sent.content_type != content_type:
        raise InvalidRequest(
            f"contentType is {sent.content_type}; {content_type} was presigned.", {"contentType": "not as presigned"}
        )


def _is_as_sent(blob: Blob, sent: SentUpload) -> bool:
    return blob.mime_type == sent.content_type and blob.size == sent.byte_size


def _confirmed_before(game_id: str, app_id: str, sha256: str, sent: SentUpload) -> str:
    found = active_asset(game_id, app_id, sha256)
    if found is None:
        raise InvalidRequest(
            "Nothing with this key was presigned by this app for this game, or it expired. Presign it again.",
            {"key": "not presigned"},
        )
    _compare(sent, found.blob.size, found.blob.mime_type)
    return found.id


def active_asset(game_id: str, app_id: str, sha256: str) -> Asset | None:
    """This app's asset of these bytes in this game, with its blob."""
    return db.session.scalar(
        select(Asset)
        .join(Asset.blob)
        .where(Asset.game_id == game_id, Asset.app_id == app_id, Asset.deleted_at.is_(None), Blob.sha256 == sha256)
        .options(contains_eager(Asset.blob))
    )


def _fetch_and_publish(upload: _Upload, staging_key: str, sha256: str, sent: SentUpload) -> str:
    try:
        with fetched(staging_key, announced=sent.byte_size) as file:
            facts = verify(file, byte_size=sent.byte_size, sha256=sha256, content_type=sent.content_type)
            crash_point("asset-verified")
            with without_metadata_copy(file, facts) as clean:
                return _store_and_publish(upload, file, clean, facts)
    except ObjectMissing:
        if done := active_asset(upload.game_id, upload.app_id, sha256):  # the same confirm was sent twice at once
            return done.id
        raise InvalidRequest(
            "Nothing has been uploaded for this key yet. PUT the file to signedUrl first, then confirm."
        ) from None


def _store_and_publish(upload: _Upload, file: FetchedFile, clean: FetchedFile | None, facts: Facts) -> str:
    """Store the object, then write the row. Repeat if a sweep came in between (app/images/blobs.py)."""
    deadline = time.monotonic() + _WAIT_FOR_SWEEP
    while time.monotonic() < deadline:
        claimed = claim_blob(upload.partner_id, file.sha256, file.size, facts)
        key = _key_of(claimed.blob_id) if claimed else None
        free_connection()
        if claimed is None or key is None:
            time.sleep(0.05)  # a sweep is deleting the earlier object
            continue
        if not claimed.stored or not _is_whole(key, file.size):
            file.file.seek(0)
            write_object(
                key, file.file, file.size, file.md5(), {"Content-Type": facts.mime_type, "Cache-Control": IMMUTABLE}
            )
        copy = store_public_copy(key, file, clean, facts.mime_type)
        crash_point("asset-stored")
        asset_id = _publish(upload, claimed.blob_id, copy)
        if asset_id is not None:
            return asset_id
    raise Unavailable("The same image is being deleted now. Nothing was changed; confirm it again.", 5)


def _key_of(blob_id: str) -> str | None:
    return db.session.scalar(select(Blob.object_key).where(Blob.id == blob_id))


def _is_whole(key: str, size: int) -> bool:
    stored = bucket().stat(key)
    return stored is not None and stored.size == size


def _publish(upload: _Upload, blob_id: str, copy: PublicCopy | None = None) -> str | None:
    """In one transaction: end the reservation, count the bytes, add the asset. None if the blob is being deleted.
    `copy`: its public copy, if that was made just now."""
    with writing() as session:
        lock_partner(session, upload.partner_id)
        game = require_active_game(session, upload.game_id)
        blob = lock_blob(session, blob_id)
        if blob is None:
            return None
        staged = session.get(StagedAsset, upload.staged_id)
        file_name = staged.file_name if staged else checksum_name(blob)
        if staged is not None:
            free_bytes(session, upload.partner_id, staged.reserved_bytes, "released", staged.id)
            session.delete(staged)
        blob.state = "stored"
        if copy is not None:
            record_public_copy(blob, copy)
        if blob.unused_since is not None:
            reserve_bytes(session, upload.partner_id, blob.size, "stored", blob.sha256)
            blob.unused_since = None
        asset = session.scalar(
            select(Asset).where(
                Asset.game_id == upload.game_id,
                Asset.app_id == upload.app_id,
                Asset.blob_id == blob.id,
                Asset.deleted_at.is_(None),
            )
        )
        if asset is None:
            asset = Asset(
                game_id=upload.game_id,
                app_id=upload.app_id,
                blob_id=blob.id,
                file_name=file_name,
                sent_by=upload.actor.name,
            )
            session.add(asset)
            session.flush()
            record(
                session, upload.actor, "asset.confirmed", asset.shown_name, game=game, asset=asset.id, size=blob.size
            )
        pending = blob.derivation == "pending"
        announce(assets_topic(upload.game_id))
        asset_id = asset.id
    crash_point("asset-published")
    free_connection()
    if pending:
        enqueue("derive_image", blob_id)
    return asset_id


def checksum_name(blob: Blob) -> str:
    """A file name for bytes whose own name is lost."""
    return f"{blob.sha256[:12]}.{IMAGE_TYPES[blob.mime_type].lower()}"


def _discard(upload: _Upload, staging_key: str, transfer: str | None) -> None:
    """The bytes were wrong: end the reservation and delete them."""
    with writing() as session:
        lock_partner(session, upload.partner_id)
        staged = session.get(StagedAsset, upload.staged_id)
        if staged is not None:
            free_bytes(session, upload.partner_id, staged.reserved_bytes, "released", staged.id)
            session.delete(staged)
    free_connection()
    _drop_staged(staging_key, transfer)


def _drop_staged(staging_key: str, transfer: str | None) -> None:
    try:
        staging.drop(staging_key, transfer)
    except StorageError:
        log.info("a staged upload could not be removed; the sweep will remove it")
