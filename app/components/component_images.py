"""The images that a call wants to put on components. They must be confirmed, of this app, and decodable."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.actors import Actor
from app.components.wanted_component import WantedComponent
from app.config.settings import settings
from app.data.database import free_connection
from app.data.extensions import db
from app.data.models.asset import Asset, Blob, Derivation
from app.images.asset_refusals import AssetNotFound, DerivationFailed
from app.images.object_keys import parse_key
from app.topics.event_hub import hub
from app.topics.names import assets_topic
from slipway.archive.invisible_characters import escape_invisible

# A call that waits for sizes uses a thread. Beyond this number, the answer has `pending`, and the sizes come later.
_MAX_WAITING = 16
_waiting = threading.BoundedSemaphore(_MAX_WAITING)


@dataclass(frozen=True)
class UsableImage:
    """The image of a key. `file_name` is that of an asset of the same app, in any game."""

    blob_id: str
    file_name: str
    derivation: Derivation
    derive_error: str | None


def usable_images(
    game_id: str, partner_id: str, app_id: str, wanted: Sequence[WantedComponent]
) -> dict[str, UsableImage]:
    """Key → image, for every key in the call. Raises AssetNotFound and DerivationFailed, naming key and side."""
    keys = {key for one in wanted for key in one.faces.values()}
    if not keys:
        return {}
    found = _look_up(partner_id, app_id, keys)
    for one in wanted:
        for side, key in one.faces.items():
            if key not in found:
                raise AssetNotFound(
                    f"{one.where}assets, side '{side}': this app has confirmed no image with key '{key}'."
                )
    found = _wait_for_sizes(game_id, partner_id, app_id, found)
    for one in wanted:
        for side, key in one.faces.items():
            if key in found and found[key].derivation == "failed":
                raise DerivationFailed(
                    f"{one.where}assets, side '{side}': no sizes can be made of the image. {found[key].derive_error} "
                    "Export it again, upload it, and use its new key. The component is unchanged."
                )
    return found


def _look_up(partner_id: str, app_id: str, keys: Iterable[str]) -> dict[str, UsableImage]:
    digests: dict[str, str] = {}
    for key in keys:
        parsed = parse_key(key)
        if parsed and parsed.is_source and parsed.partner_id == partner_id:
            digests[key] = parsed.sha256
    rows = db.session.execute(
        select(Blob.sha256, Blob.id, Blob.derivation, Blob.derive_error, Asset.file_name)
        .join(Asset, Asset.blob_id == Blob.id)
        .where(Blob.partner_id == partner_id, Blob.sha256.in_(set(digests.values())), Blob.state == "stored")
        .where(Asset.app_id == app_id, Asset.deleted_at.is_(None))
    ).all()
    images = {row.sha256: UsableImage(row.id, row.file_name, row.derivation, row.derive_error) for row in rows}
    return {key: images[digest] for key, digest in digests.items() if digest in images}


def _wait_for_sizes(
    game_id: str, partner_id: str, app_id: str, found: dict[str, UsableImage]
) -> dict[str, UsableImage]:
    """Wait, without a connection, until no image is pending or the time is over (ASSET_DERIVE_WAIT)."""
    if not _pending(found) or not _waiting.acquire(blocking=False):
        return found
    try:
        deadline = time.monotonic() + settings().derive_wait
        topic = assets_topic(game_id)
        while _pending(found) and (left := deadline - time.monotonic()) > 0 and not hub.stopping:
            seen = hub.version(topic)
            found = _look_up(partner_id, app_id, found)
            free_connection()
            if _pending(found):
                # In steps, because an image that is only in another game is announced in that game's topic.
                hub.wait(topic, seen, min(left, 1.0))
        return found
    finally:
        _waiting.release()


def _pending(found: Mapping[str, UsableImage]) -> bool:
    return any(image.derivation == "pending" for image in found.values())


def assets_in_game(
    session: Session, game_id: str, app_id: str, images: Mapping[str, UsableImage], actor: Actor
) -> dict[str, str]:
    """Blob id → this app's asset in this game. An asset that the app has only in another game is added here. With the
    partner locked. Raises AssetNotFound if one was deleted meanwhile."""
    wanted = {image.blob_id: image for image in images.values()}
    rows = session.execute(
        select(Asset.blob_id, Asset.id, Asset.game_id).where(
            Asset.blob_id.in_(wanted), Asset.app_id == app_id, Asset.deleted_at.is_(None)
        )
    ).all()
    here = {row.blob_id: row.id for row in rows if row.game_id == game_id}
    anywhere = {row.blob_id for row in rows}
    for blob_id, image in wanted.items():
        if blob_id not in anywhere:
            name = escape_invisible(image.file_name)
            raise AssetNotFound(f"The image '{name}' was deleted a moment ago. Nothing was changed.")
        if blob_id not in here:
            asset = Asset(
                game_id=game_id, app_id=app_id, blob_id=blob_id, file_name=image.file_name, sent_by=actor.name
            )
            session.add(asset)
            session.flush()
            here[blob_id] = asset.id
    return here
