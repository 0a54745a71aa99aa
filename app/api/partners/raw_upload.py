"""PUT /api/partners/games/{slug}/upload: the archive itself, streamed (partner-api.md 5.5, DECISIONS.md 8 and 9)."""

from __future__ import annotations

import re

from flask import Blueprint, request

from app.accounts.callers import Caller
from app.api.apis import PARTNERS
from app.api.partners import game_schemas
from app.api.pipeline import Answer
from app.api.rate_headers import UPLOAD
from app.data.models.game import Game
from app.limits import thread_budgets
from app.refusals import InvalidRequest, UnsupportedMediaType
from app.uploads.raw.archive_receiver import receive_archive
from app.uploads.raw.incoming_body import incoming_body

bp = Blueprint("partner_upload", __name__, url_prefix="/api/partners/games")

TYPES = {"application/gzip", "application/x-gzip"}


@bp.put("/<slug>/upload")
@PARTNERS.call(
    "Send a build",
    scope="upload",
    limit=UPLOAD,
    answers={200: game_schemas.UploadAnswer},
    refusals=(400, 413, 415, 503),
    raw_body="application/gzip",
)
def upload(caller: Caller, game: Game) -> Answer:
    if request.mimetype not in TYPES:
        raise UnsupportedMediaType(
            f"The body is {request.mimetype or 'of no named type'}; a build is sent as its tar.gz bytes. "
            "Send it with `Content-Type: application/gzip`."
        )
    slug = game.slug
    body = incoming_body(request.environ, request.content_length)
    announced = _announced_sha256()
    with thread_budgets.raw_uploads.acquired(caller.partner.id, caller.partner.name):
        published = receive_archive(game, body, caller.actor, announced_sha256=announced)
    build = published.build
    return Answer(
        game_schemas.UploadAnswer(
            status="ok",
            slug=slug,
            size=build.size,
            checksum=build.checksum,
            build=build.number,
            released=published.released,
        )
    )


def _announced_sha256() -> str | None:
    text = request.headers.get("X-Checksum-Sha256")
    if text is None:
        return None
    if not re.fullmatch(r"(sha256:)?[0-9a-fA-F]{64}", text.strip()):
        raise InvalidRequest(
            "X-Checksum-Sha256 must be the archive's SHA-256 in 64 hexadecimal digits, or be left out."
        )
    return text.strip().lower().removeprefix("sha256:")
