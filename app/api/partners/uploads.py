"""/api/partners/games/{slug}/uploads: archives sent in parts, straight to the bucket (docs/uploads.md)."""

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
from app.data.models.game import Game
from app.data.models.upload import Upload
from app.uploads.resumable import part_urls, uploads
from app.uploads.resumable.uploads import UploadState, find_upload

bp = Blueprint("partner_uploads", __name__, url_prefix="/api/partners/games/<slug>/uploads")


def replay_begin(caller: Caller, game: Game, body: schemas.UploadRequest, replay_data: Mapping[str, str]) -> Result:
    """A repeated request gets the upload that the first one began, in its current state, with new addresses."""
    return upload_opened(uploads.read_upload(find_upload(game, replay_data["upload"])), game.slug)


@bp.post("")
@PARTNERS.call(
    "Begin an upload",
    scope="upload",
    limit=UPLOAD_LIMIT,
    body=schemas.UploadRequest,
    responses={201: schemas.UploadOpened},
    errors=(400, 409, 413, 415, 503),
    on_replay=replay_begin,
    free_refusals=(Exception,),  # it began no upload
)
def begin(caller: Caller, game: Game, body: schemas.UploadRequest) -> Result:
    require_release(caller, game, body.release)
    new = announced(body, body.base)
    return upload_opened(UploadState(uploads.open_upload(game, new, caller.actor), []), game.slug)


@bp.get("")
@PARTNERS.call(
    "List uploads that are in progress or have failed",
    scope="read",
    query=schemas.UploadQuery,
    responses={200: schemas.UploadList},
    errors=(400,),
)
def list_uploads(caller: Caller, game: Game, query: schemas.UploadQuery) -> Result:
    found = uploads.list_uploads(game, query.phase)
    return Result(upload_list([(state, game.slug) for state in found]))


@bp.get("/<upload_id>")
@PARTNERS.call(
    "Read an upload",
    scope="read",
    target=find_upload,
    responses={200: schemas.UploadDetail},
    errors=(503,),
    waits_for_storage=True,
)
def read(caller: Caller, game: Game, target: Upload) -> Result:
    return Result(upload_detail(uploads.read_upload(target), game.slug))


@bp.post("/<upload_id>/parts")
@PARTNERS.call(
    "Get addresses for parts",
    scope="upload",
    limit=PARTS_LIMIT,
    target=find_upload,
    body=schemas.PartsRequest,
    responses={200: schemas.PartUrls},
    errors=(400, 409, 413, 415),
    on_replay=RUN_AGAIN,
)
def sign(caller: Caller, game: Game, target: Upload, body: schemas.PartsRequest) -> Result:
    return part_addresses(part_urls.sign_parts(target, body.part_numbers))


@bp.post("/<upload_id>/complete")
@PARTNERS.call(
    "Complete an upload after sending every part",
    scope="upload",
    target=find_upload,
    responses={200: schemas.UploadDetail},
    errors=(400, 409, 503),
    takes_checksum=True,
)
def complete(caller: Caller, game: Game, target: Upload) -> Result:
    return Result(upload_detail(completed(target), game.slug))


@bp.delete("/<upload_id>")
@PARTNERS.call("Cancel an upload, or remove a finished one", scope="upload", target=find_upload, responses={204: None})
def cancel(caller: Caller, game: Game, target: Upload) -> Result:
    uploads.cancel(target, caller.actor)
    return Result(None, 204)
