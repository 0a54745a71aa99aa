"""/api/partners/games/{slug}/builds: list, read, change and delete builds."""

from __future__ import annotations

from flask import Blueprint

from app.accounts.callers import Caller
from app.api.apis import PARTNERS
from app.api.partners import build_schemas as schemas
from app.api.partners.build_download import DOWNLOAD_URL_LIFETIME
from app.api.pipeline import Result
from app.catalog.build_list import ListedBuild, find_build, list_builds, listed_build, set_note
from app.catalog.retention import delete_build
from app.data.models.base import now
from app.data.models.game import Build, Game
from app.storage.bucket import bucket
from app.uploads.updates.base_builds import find_base

bp = Blueprint("partner_builds", __name__, url_prefix="/api/partners/games/<slug>/builds")


@bp.get("")
@PARTNERS.call(
    "List builds, newest first",
    scope="read",
    query=schemas.BuildQuery,
    responses={200: schemas.BuildList},
    errors=(400,),
)
def list_all(caller: Caller, game: Game, query: schemas.BuildQuery) -> Result:
    page = list_builds(game, query.filter())
    shape = schemas.BuildList(builds=[_row(found) for found in page.builds], total=page.total)
    if page.next_cursor:
        shape.next_cursor = page.next_cursor
    return Result(shape)


@bp.get("/<number>")
@PARTNERS.call("Read a build", scope="read", target=find_build, responses={200: schemas.BuildRow})
def read(caller: Caller, game: Game, target: Build) -> Result:
    return Result(_row(listed_build(game, target)))


@bp.patch("/<number>")
@PARTNERS.call(
    "Change a build's note",
    scope="write",
    target=find_build,
    body=schemas.BuildNote,
    responses={200: schemas.BuildRow},
    errors=(400, 413, 415),
)
def change(caller: Caller, game: Game, target: Build, body: schemas.BuildNote) -> Result:
    if "note" in body.model_fields_set:
        target = set_note(game, target, body.note, caller.actor)
    return Result(_row(listed_build(game, target)))


@bp.delete("/<number>")
@PARTNERS.call("Delete an unused build", scope="write", target=find_build, responses={204: None}, errors=(409,))
def delete(caller: Caller, game: Game, target: Build) -> Result:
    delete_build(game, target.number, caller.actor)
    return Result(None, 204)


@bp.get("/<number>/index")
@PARTNERS.call(
    "Get the address of the index of a build's pack",
    scope="read",
    target=find_build,
    responses={200: schemas.BuildIndex},
    errors=(409,),
)
def index(caller: Caller, game: Game, target: Build) -> Result:
    base = find_base(game.id, target.number)
    shape = schemas.BuildIndex(
        url=bucket().browser_url(base.pack.index_key, DOWNLOAD_URL_LIFETIME),
        expires_at=now() + DOWNLOAD_URL_LIFETIME,
        bytes=base.pack.index_bytes,
        sha256=base.sha256,
        size=base.pack.index_size,
    )
    return Result(shape, headers={"Cache-Control": "no-store"})


def _row(found: ListedBuild) -> schemas.BuildRow:
    build = found.build
    return schemas.BuildRow(
        number=build.number,
        size=build.size,
        checksum=build.checksum,
        unpacked_bytes=build.unpacked_bytes,
        launcher=build.launcher,
        file_name=build.file_name,
        note=build.note,
        version_label=build.version_label,
        sent_by=build.sent_by,
        created_at=build.created_at,
        released=found.released,
        released_at=build.released_at,
        cached_on=found.cached_on,
        update=schemas.BuildUpdate(**vars(found.update)) if found.update else None,
        sent_bytes=build.sent_bytes,
        saved_bytes=build.saved_bytes,
        warnings=build.warnings,
        pack=schemas.PackState(**vars(found.pack)) if found.pack else None,
    )
