"""GET /api/partners/games/{slug}/builds/{number}/download: an address for the archive, or its bytes.

There is no redirect to storage: wget and Python's urllib send the caller's key on to wherever a redirect leads. Storage
would get a key that is not meant for it, and refuses an address that comes with one (decision 0064).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from datetime import timedelta
from functools import partial

from flask import Blueprint, Response, request

from app.accounts.callers import Caller
from app.api import conditions
from app.api.apis import PARTNERS
from app.api.byte_ranges import requested_range, set_range
from app.api.envelopes import Problem
from app.api.partners import build_schemas as schemas
from app.api.pipeline import Result
from app.catalog.build_list import find_build
from app.data.database import free_connection
from app.data.models.base import now
from app.data.models.game import Build, Game
from app.limits import thread_budgets
from app.limits.slot_bodies import SlotBody
from app.limits.slots import Owner
from app.refusals import NotFound
from app.storage.bucket import Bucket, bucket

bp = Blueprint("partner_build_download", __name__, url_prefix="/api/partners/games/<slug>/builds")

DOWNLOAD_URL_LIFETIME = timedelta(minutes=15)
ARCHIVE_TYPE = "application/gzip"
_PIECE = 64 * 1024
# A slow client may take hours. Storage is asked for one range after another, so that no request to it lasts as long.
_RANGE_BYTES = 16 * 1024**2


@bp.get("/<number>/download")
@PARTNERS.call(
    "Download a build: JSON with an address for clients that prefer JSON, otherwise its bytes",
    scope="read",
    target=find_build,
    responses={200: schemas.BuildDownload},
    raw_response=ARCHIVE_TYPE,
    errors=(503,),
)
def download(caller: Caller, game: Game, target: Build) -> Result | Response:
    slug, number, key, partner = game.slug, target.number, target.object_key, caller.partner
    free_connection()
    if bucket().stat(key) is None:
        raise NotFound(f"The archive of build {number} is not in storage. Tell the operator: `flask check` lists it.")
    name = f"{slug}-{number}.tar.gz"
    if request.accept_mimetypes.best == "application/json":
        url = bucket().browser_url(key, DOWNLOAD_URL_LIFETIME, name)
        expires_at = now() + DOWNLOAD_URL_LIFETIME
        # Anybody that has the URL can download the archive.
        return Result(
            schemas.BuildDownload(url=url, expires_at=expires_at),
            headers={"Cache-Control": "no-store", "Vary": "Accept"},
        )
    conditions.require_match(f'"{target.sha256}"')
    response = Response(headers=_headers(target, name))
    if request.if_none_match.contains(target.sha256):
        response.status_code = 304
        return response
    span = requested_range(target.size, target.sha256)
    if span == ():
        return _outside(target.size)
    set_range(response, target.size, span or None)
    response.headers["Content-Type"] = ARCHIVE_TYPE
    if request.method == "GET":
        first, last = span or (0, target.size - 1)
        reading = partial(_StoredArchive, key, first, last - first + 1)
        response.response = SlotBody(thread_budgets.downloads, Owner.partner(partner.id, partner.name), reading)
    return response


def _headers(build: Build, name: str) -> dict[str, str]:
    return {
        "ETag": f'"{build.sha256}"',
        "Cache-Control": "private, no-cache",
        "Accept-Ranges": "bytes",
        "Content-Disposition": f'attachment; filename="{name}"',
        "Vary": "Accept",
        "X-Content-Type-Options": "nosniff",
    }


def _outside(size: int) -> Result:
    message = f"This archive has {size:,} bytes. The requested range is outside them."
    headers = {"Content-Range": f"bytes */{size}", "Cache-Control": "no-store", "Vary": "Accept"}
    return Result(Problem(error="range_not_satisfiable", message=message), 416, headers)


class _StoredArchive:
    """`length` bytes of an archive from `start` on."""

    def __init__(self, key: str, start: int, length: int) -> None:
        # The server reads it after the request, when there is no current app.
        self._pieces = self._read(bucket(), key, start, start + length)

    def pieces(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        self._pieces.close()

    @staticmethod
    def _read(storage: Bucket, key: str, start: int, end: int) -> Generator[bytes, None, None]:
        for at in range(start, end, _RANGE_BYTES):
            yield from storage.read(key, at, min(_RANGE_BYTES, end - at), _PIECE)
