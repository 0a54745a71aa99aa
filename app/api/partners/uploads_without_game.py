"""/api/partners/uploads: archives that are sent before their game exists (docs/uploads.md).

The address of an upload stays the same after it is given a game. It then also has the address below its game."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint

from app.accounts.callers import Caller
from app.api.api_rate_limits import PARTS_LIMIT, UPLOAD_LIMIT
from app.api.apis import PARTNERS
from app.api.partners import upload_schemas as schemas
from app.api.partners.upload_answers import part_addresses, upload_detail, upload_list, upload_opened
from app.api.partners.upload_requests import announced, completed, require_release
from app.api.pipeline import RUN_AGAIN, Result
from app.catalog.game_lookup import find_game
from app.data.models.upload import Upload
from app.uploads.resumable import part_urls, uploads
from app.uploads.resumable.uploads import UploadState
from app.uploads.resumable.uploads_without_game import (
    find_upload_of_partner,
    give_game,
    open_upload_without_game,
    slug_of_game,
    uploads_without_game,
)

bp = Blueprint("partner_uploads_without_game", __name__, url_prefix="/api/partners/uploads")


def replay_begin(caller: Caller, body: schemas.UploadRequestWithoutGame, replay_data: Mapping[str, str]) -> Result:
    """A repeated request gets the upload that the first one began, in its current state, with new addresses."""
    upload = find_upload_of_partner(caller.partner, replay_data["upload"])
    slug = slug_of_game(upload)
    return upload_opened(uploads.read_upload(upload), slug)


@bp.post("")
@PARTNERS.call(
    "Begin an upload that has no game yet",
    scope="upload",
    limit=UPLOAD_LIMIT,
    body=schemas.UploadRequestWithoutGame,
    responses={201: schemas.UploadOpened},
    errors=(400, 409, 413, 415, 503),
    on_replay=replay_begin,
    free_refusals=(Exception,),  # it began no upload
)
def begin(caller: Caller, body: schemas.UploadRequestWithoutGame) -> Result:
    upload = open_upload_without_game(caller.partner, announced(body), caller.actor)
    return upload_opened(UploadState(upload, []), None)


@bp.get("")
@PARTNERS.call("List uploads that have no game yet", scope="read", responses={200: schemas.UploadList})
def list_uploads(caller: Caller) -> Result:
    return Result(upload_list([(UploadState(upload, None), None) for upload in uploads_without_game(caller.partner)]))


@bp.get("/<upload_id>")
@PARTNERS.call(
    "Read an upload that began without a game",
    scope="read",
    target=find_upload_of_partner,
    responses={200: schemas.UploadDetail},
    errors=(503,),
    waits_for_storage=True,
)
def read(caller: Caller, target: Upload) -> Result:
    slug = slug_of_game(target)
    return Result(upload_detail(uploads.read_upload(target), slug))


@bp.post("/<upload_id>/parts")
@PARTNERS.call(
    "Get addresses for parts of an upload that began without a game",
    scope="upload",
    limit=PARTS_LIMIT,
    target=find_upload_of_partner,
    body=schemas.PartsRequest,
    responses={200: schemas.PartUrls},
    errors=(400, 409, 413, 415),
    on_replay=RUN_AGAIN,
)
def sign(caller: Caller, target: Upload, body: schemas.PartsRequest) -> Result:
    return part_addresses(part_urls.sign_parts(target, body.part_numbers))


@bp.post("/<upload_id>/game")
@PARTNERS.call(
    "Give an upload its game",
    scope="upload",
    target=find_upload_of_partner,
    body=schemas.GameOfUpload,
    responses={200: schemas.UploadDetail},
    errors=(400, 409, 413, 415),
)
def give(caller: Caller, target: Upload, body: schemas.GameOfUpload) -> Result:
    game = find_game(caller.partner, body.game)
    require_release(caller, game, target.release)
    return Result(upload_detail(UploadState(give_game(target, game), None), game.slug))


@bp.post("/<upload_id>/complete")
@PARTNERS.call(
    "Complete an upload that was given a game",
    scope="upload",
    target=find_upload_of_partner,
    responses={200: schemas.UploadDetail},
    errors=(400, 409, 503),
    takes_checksum=True,
)
def complete(caller: Caller, target: Upload) -> Result:
    slug = slug_of_game(target)
    return Result(upload_detail(completed(target), slug))


@bp.delete("/<upload_id>")
@PARTNERS.call(
    "Cancel an upload that began without a game", scope="upload", target=find_upload_of_partner, responses={204: None}
)
def cancel(caller: Caller, target: Upload) -> Result:
    uploads.cancel(target, caller.actor)
    return Result(None, 204)
