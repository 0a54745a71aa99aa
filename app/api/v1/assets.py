"""/api/v1/games/{id}/assets: presign, confirm, list, delete (assets-api.md section 5)."""

from __future__ import annotations

from flask import Blueprint, request

from app.accounts.callers import Caller
from app.api.apis import V1
from app.api.pipeline import REPEAT, Answer
from app.api.v1 import schemas
from app.components.image_deletion import delete_asset
from app.data.models.base import now
from app.data.models.game import Game
from app.images.asset_list import ListedAsset, list_assets
from app.images.image_addresses import address
from app.images.intake.confirmation import SentUpload, confirm
from app.images.intake.presigning import AnnouncedImage, presign
from app.images.object_keys import parse_checksum
from app.images.originals import LIFETIME, original_url

bp = Blueprint("v1_assets", __name__, url_prefix="/api/v1/games/<game_id>/assets")


@bp.post("/presign")
@V1.call(
    "Begin an upload",
    scope="upload",
    limit="presign",
    body=schemas.PresignRequest,
    answers={200: schemas.PresignAnswer},
    refusals=(400, 413),
    again=REPEAT,
)
def presign_asset(caller: Caller, game: Game, body: schemas.PresignRequest) -> Answer:
    announced = AnnouncedImage(body.file_name, body.content_type, body.byte_size, parse_checksum(body.checksum))
    presigned = presign(game, caller.app_id, announced)
    return Answer(
        schemas.PresignAnswer(
            signed_url=presigned.signed_url,
            key=presigned.key,
            public_url=address(presigned.key, request.url_root),
            content_type=body.content_type,
        ),
        headers={"Cache-Control": "no-store"},  # whoever holds the URL may upload
    )


@bp.post("/upload-complete")
@V1.call(
    "Confirm an upload",
    scope="upload",
    limit="confirm",
    body=schemas.ConfirmRequest,
    answers={200: schemas.ConfirmAnswer},
    refusals=(400, 413, 502),
)
def confirm_asset(caller: Caller, game: Game, body: schemas.ConfirmRequest) -> Answer:
    sent = SentUpload(body.key, body.public_url, body.byte_size, body.content_type)
    confirm(game, caller.app_id, sent, caller.actor)
    return Answer(schemas.ConfirmAnswer(ok=True))


@bp.get("")
@V1.call(
    "List this app's assets",
    scope="read",
    limit="list",
    query=schemas.Paging,
    answers={200: schemas.AssetListShape},
    refusals=(400,),
)
def assets(caller: Caller, game: Game, query: schemas.Paging) -> Answer:
    page = list_assets(game.id, caller.app_id, query.limit, query.cursor)
    shape = schemas.AssetListShape(assets=[_row(asset) for asset in page.assets])
    if page.next_cursor:
        shape.next_cursor = page.next_cursor
    return Answer(shape)


@bp.get("/<asset_id>/original")
@V1.call(
    "Get the address of the uploaded file as it was sent, metadata included",
    scope="read",
    limit="list",
    answers={200: schemas.OriginalAnswer},
    refusals=(502,),
)
def original(caller: Caller, game: Game, asset_id: str) -> Answer:
    url = original_url(game.id, asset_id, caller.app_id)
    # Whoever holds the URL may fetch the file.
    return Answer(schemas.OriginalAnswer(url=url, expires_at=now() + LIFETIME), headers={"Cache-Control": "no-store"})


@bp.delete("/<asset_id>")
@V1.call("Delete an asset", scope="write", limit="list", answers={204: None}, refusals=(409,))
def delete(caller: Caller, game: Game, asset_id: str) -> Answer:
    delete_asset(game, asset_id, caller.actor, caller.app_id)
    return Answer(None, 204)


def _row(asset: ListedAsset) -> schemas.AssetShape:
    # Straight from the database: no need to check each field of ten thousand again.
    return schemas.AssetShape.model_construct(
        id=asset.id,
        component_id=asset.component_id,
        kind="image",
        source_url=address(asset.key, request.url_root),
        mime_type=asset.mime_type,
        width_px=asset.width_px,
        height_px=asset.height_px,
        created_at=asset.created_at,
        key=asset.key,
        file_name=asset.file_name,
        byte_size=asset.size,
    )
