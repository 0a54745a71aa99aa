"""/api/v1/games/{id}/assets: presign, confirm, list, delete (assets-api.md section 5)."""

from __future__ import annotations

from flask import Blueprint, request

from app.accounts.callers import Caller
from app.api.apis import V1
from app.api.pipeline import RUN_AGAIN, Result
from app.api.v1 import schemas
from app.components.image_deletion import delete_asset
from app.data.models.base import now
from app.data.models.game import Game
from app.images.asset_list import ListedAsset, list_assets
from app.images.image_addresses import address
from app.images.image_limits import image_type
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
    responses={200: schemas.PresignAnswer},
    errors=(400, 413),
    on_replay=RUN_AGAIN,
)
def presign_asset(caller: Caller, game: Game, body: schemas.PresignRequest) -> Result:
    content_type = image_type(body.content_type) or body.content_type
    announced = AnnouncedImage(body.file_name, content_type, body.byte_size, parse_checksum(body.checksum))
    presigned = presign(game, caller.app_id, announced, sign_type=body.content_type == content_type)
    return Result(
        schemas.PresignAnswer(
            signed_url=presigned.signed_url,
            key=presigned.key,
            public_url=address(presigned.key, request.url_root),
            content_type=content_type,
        ),
        headers={"Cache-Control": "no-store"},  # anybody that has the URL can upload
    )


@bp.post("/upload-complete")
@V1.call(
    "Confirm an upload",
    scope="upload",
    limit="confirm",
    body=schemas.ConfirmRequest,
    responses={200: schemas.ConfirmAnswer},
    errors=(400, 413, 502),
)
def confirm_asset(caller: Caller, game: Game, body: schemas.ConfirmRequest) -> Result:
    sent = SentUpload(body.key, body.public_url, body.byte_size, body.content_type)
    confirm(game, caller.app_id, sent, caller.actor)
    return Result(schemas.ConfirmAnswer(ok=True))


@bp.get("")
@V1.call(
    "List this app's assets",
    scope="read",
    limit="list",
    query=schemas.Paging,
    responses={200: schemas.AssetListShape},
    errors=(400,),
)
def assets(caller: Caller, game: Game, query: schemas.Paging) -> Result:
    page = list_assets(game.id, caller.app_id, query.limit, query.cursor)
    shape = schemas.AssetListShape(assets=[_row(asset) for asset in page.assets])
    if page.next_cursor:
        shape.next_cursor = page.next_cursor
    return Result(shape)


@bp.get("/<asset_id>/original")
@V1.call(
    "Get the address of the original file, with its metadata",
    scope="read",
    limit="list",
    responses={200: schemas.OriginalAnswer},
    errors=(502,),
)
def original(caller: Caller, game: Game, asset_id: str) -> Result:
    url = original_url(game.id, asset_id, caller.app_id)
    # Anybody that has the URL can download the file.
    return Result(schemas.OriginalAnswer(url=url, expires_at=now() + LIFETIME), headers={"Cache-Control": "no-store"})


@bp.delete("/<id:asset_id>")
@V1.call("Delete an asset", scope="write", limit="list", responses={204: None}, errors=(409,))
def delete(caller: Caller, game: Game, asset_id: str) -> Result:
    delete_asset(game, asset_id, caller.actor, caller.app_id)
    return Result(None, 204)


def _row(asset: ListedAsset) -> schemas.AssetShape:
    # The fields come from the database, so validating them again for up to ten thousand assets is not needed.
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
