"""Derives the sizes of images in the background. The rows hold what is to be done, so a lost job loses nothing."""

from __future__ import annotations

import base64
import hashlib
import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.data.database import announce, free_connection, writing
from app.data.models.asset import Asset, Blob, BlobVariant, GamePicture
from app.data.models.base import now
from app.data.models.game import Game
from app.images.derivation_lease import LEASE, kept_lease
from app.images.image_processes import DecoderDied, DerivedImage, ImageRefused, Interrupted, derivation_processes
from app.images.intake.verification import WrongBytes, fetched
from app.images.object_keys import IMMUTABLE, checksum_of, variant_key
from app.process import shutdown
from app.process.crash_points import crash_point
from app.refusals import Unavailable
from app.storage.objects import ObjectMissing, write_object
from app.topics.names import assets_topic, partner_topic

log = logging.getLogger(__name__)

RETRY_DELAY = timedelta(seconds=20)  # after a failure of storage
SHORT_DELAY = 1.0  # seconds after a failure of the decoder: the result is known within 30 s
MAX_ATTEMPTS = 3
WEBP = "image/webp"


@dataclass(frozen=True)
class _Work:
    blob_id: str
    key: str
    sha256: str
    attempt: int


def due_derivations(session: Session, limit: int = 500) -> Sequence[str]:
    """Blobs whose sizes must still be made and that no worker has, oldest first."""
    return session.scalars(
        select(Blob.id)
        .where(Blob.derivation == "pending", Blob.state == "stored", Blob.derive_at <= now())
        .order_by(Blob.created_at)
        .limit(limit)
    ).all()


def abandoned_derivations(session: Session) -> Sequence[str]:
    """Blobs whose sizes a worker began to make and did not finish: it was killed, or its decoder was."""
    return session.scalars(
        select(Blob.id).where(
            Blob.derivation == "pending", Blob.state == "stored", Blob.derive_attempts > 0, Blob.derive_at <= now()
        )
    ).all()


def derive(blob_id: str) -> None:
    """Make the sizes of a blob, unless they exist or another worker makes them. Errors of storage, of the image or at
    shutdown are not raised: the row gets the result, or the time of the next try and its reason."""
    while _try_once(blob_id):
        if shutdown.stopping.wait(SHORT_DELAY):
            return


def _try_once(blob_id: str) -> bool:
    """Returns whether to try again after SHORT_DELAY."""
    work = _begin(blob_id)
    free_connection()
    again = work is not None and _derive(work)
    free_connection()
    return again


def _derive(work: _Work) -> bool:
    """Returns whether to try again after SHORT_DELAY."""
    try:
        with kept_lease(work.blob_id, work.attempt):
            made = _make(work)
            keys = _store(work, made)
    except (ImageRefused, WrongBytes, ObjectMissing) as refused:
        _fail(work, f"The file {refused}." if isinstance(refused, ImageRefused) else str(refused))
    except DecoderDied as died:
        return _try_again(work, f"The file {died}")
    except Interrupted:
        _postpone(work, timedelta(0), None, counted=False)
    except Unavailable as later:
        log.info("sizes of %s: %s", work.key, later.message)
        _postpone(work, RETRY_DELAY, later.message, counted=False)
    except Exception:
        log.exception("the sizes of %s could not be made", work.key)
        return _try_again(work, "The sizes could not be made because of an error in the app")
    else:
        _finish(work, made, keys)
    return False


def _try_again(work: _Work, reason: str) -> bool:
    """Plan another attempt, or fail after the last one. Returns whether there is another one."""
    if work.attempt >= MAX_ATTEMPTS:
        _fail(work, f"{reason}, {work.attempt} times.")
        return False
    _postpone(work, timedelta(0), f"{reason}. Trying again.", counted=True)
    return True


def _begin(blob_id: str) -> _Work | None:
    with writing() as session:
        blob = session.get(Blob, blob_id, with_for_update=True)
        if blob is None or blob.state != "stored" or blob.derivation != "pending" or blob.derive_at > now():
            return None
        if blob.derive_attempts >= MAX_ATTEMPTS:  # each of them ended with its worker
            blob.derivation = "failed"
            blob.derive_error = f"The file could not be decoded: the worker ended, {blob.derive_attempts} times."
            _announce(session, blob.id)
            return None
        blob.derive_at = now() + LEASE
        blob.derive_attempts += 1
        return _Work(blob.id, blob.object_key, blob.sha256, blob.derive_attempts)


def _make(work: _Work) -> DerivedImage:
    with fetched(work.key) as file:
        if file.sha256 != work.sha256:
            log.error("the stored object %s is not the one that was confirmed", work.key)
            raise WrongBytes(f"The stored file has another checksum than was confirmed: {checksum_of(file.sha256)}.")
        return derivation_processes.derive(file.path)


def _store(work: _Work, made: DerivedImage) -> list[str]:
    keys: list[str] = []
    for variant in made.variants:
        keys.append(variant_key(work.key, variant.size))
        md5 = hashlib.md5(variant.data, usedforsecurity=False).digest()
        headers = {"Content-Type": WEBP, "Cache-Control": IMMUTABLE}
        write_object(keys[-1], io.BytesIO(variant.data), len(variant.data), md5, headers)
        crash_point("variant-stored")
    return keys


def _finish(work: _Work, made: DerivedImage, keys: Sequence[str]) -> None:
    with writing() as session:
        blob = session.get(Blob, work.blob_id, with_for_update=True)
        if blob is None or blob.state == "deleting":
            return  # deleted meanwhile; the sweep deletes the objects
        session.execute(delete(BlobVariant).where(BlobVariant.blob_id == blob.id))
        for variant, key in zip(made.variants, keys, strict=True):
            session.add(
                BlobVariant(
                    blob_id=blob.id,
                    size=variant.size,
                    object_key=key,
                    byte_size=len(variant.data),
                    sha256=variant.sha256,
                    width_px=variant.width,
                    height_px=variant.height,
                )
            )
        blob.placeholder = base64.b64encode(made.placeholder).decode()
        blob.derivation, blob.derive_error = "ready", None
        _announce(session, blob.id)


def _fail(work: _Work, reason: str) -> None:
    log.warning("no sizes can be made of %s: %s", work.key, reason)
    with writing() as session:
        blob = session.get(Blob, work.blob_id, with_for_update=True)
        if blob is not None and _is_current(blob, work):
            blob.derivation, blob.derive_error = "failed", reason
            _announce(session, blob.id)


def _postpone(work: _Work, wait: timedelta, reason: str | None, *, counted: bool) -> None:
    with writing() as session:
        blob = session.get(Blob, work.blob_id, with_for_update=True)
        if blob is not None and _is_current(blob, work):
            blob.derive_at = now() + wait
            blob.derive_attempts -= not counted
            if blob.derive_error != reason:
                blob.derive_error = reason
                _announce(session, blob.id)


def _is_current(blob: Blob, work: _Work) -> bool:
    """Whether no other worker has begun or finished since. A process may be frozen longer than its lease."""
    return blob.derivation == "pending" and blob.derive_attempts == work.attempt


def _announce(session: Session, blob_id: str) -> None:
    games = session.scalars(select(Asset.game_id).where(Asset.blob_id == blob_id).distinct())
    announce(*(assets_topic(game_id) for game_id in games))
    # A cover is in the list of games too, where its small size now replaces the original.
    covers = session.scalars(
        select(Game.partner_id)
        .join(GamePicture, GamePicture.game_id == Game.id)
        .join(Asset, GamePicture.asset_id == Asset.id)
        .where(Asset.blob_id == blob_id, GamePicture.place == 0)
        .distinct()
    )
    announce(*(partner_topic(partner_id) for partner_id in covers))
