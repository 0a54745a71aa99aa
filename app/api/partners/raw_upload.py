"""PUT /api/partners/games/{slug}/upload: send a build as one stream (partner-api.md 5.5, DECISIONS.md 8, 9)."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, request

from app.accounts.callers import Caller
from app.api.api_rate_limits import UPLOAD_LIMIT
from app.api.apis import PARTNERS
from app.api.json_bodies import content_encoding
from app.api.partners import game_schemas
from app.api.partners.checksum_header import announced_sha256
from app.api.pipeline import Result
from app.data.models.game import Game
from app.limits import thread_budgets
from app.limits.slots import Owner
from app.refusals import Forbidden, NotFound, Unavailable, UnsupportedMediaType
from app.uploads.raw.archive_receiver import receive_archive
from app.uploads.raw.incoming_body import incoming_body

bp = Blueprint("partner_upload", __name__, url_prefix="/api/partners/games")

ARCHIVE_TYPES = {"application/gzip", "application/x-gzip"}


@bp.put("/<slug>/upload")
@PARTNERS.call(
    "Send a build",
    scope="upload",
    limit=UPLOAD_LIMIT,
    responses={200: game_schemas.UploadAnswer},
    errors=(400, 413, 415, 503),
    raw_body="application/gzip",
    takes_checksum=True,
    free_refusals=(NotFound, Forbidden, UnsupportedMediaType, Unavailable),  # no archive was kept or judged
)
def upload(caller: Caller, game: Game, check_again: Callable[[], None]) -> Result:
    if request.mimetype not in ARCHIVE_TYPES:
        raise UnsupportedMediaType(
            f"The body has {request.mimetype or 'no content type'}; a build is a tar.gz archive. "
            "Send it with `Content-Type: application/gzip`."
        )
    if encoding := content_encoding():
        raise UnsupportedMediaType(
            f"Content-Encoding is {encoding[:40]!r}, but a build is sent as it is: the archive is compressed already. "
            "Leave the header out."
        )
    slug = game.slug
    body = incoming_body(request.environ, request.content_length)
    announced = announced_sha256()
    with thread_budgets.raw_uploads.acquired(Owner.partner(caller.partner.id, caller.partner.name)):
        published = receive_archive(game, body, caller.actor, announced_sha256=announced, check_again=check_again)
    build = published.build
    return Result(
        game_schemas.UploadAnswer(
            status="ok",
            slug=slug,
            size=build.size,
            checksum=build.checksum,
            build=build.number,
            released=published.released,
            warnings=build.warnings,
        )
    )
