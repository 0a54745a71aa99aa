"""/api/v1/games/{id}/components: upsert, batch, list, read, delete (assets-api.md section 6, DECISIONS 11)."""

from __future__ import annotations

from flask import Blueprint, request

from app.accounts.callers import Caller
from app.api.apis import V1
from app.api.pipeline import Result
from app.api.v1 import schemas
from app.components.component_views import ShownComponent, list_components
from app.components.components import component_of, delete_component, save_components
from app.components.revisions import revision_of
from app.components.sides import put_on_side
from app.components.wanted_component import WantedComponent
from app.data.models.game import Game
from app.images.image_addresses import address
from app.images.shown_images import ShownImage

bp = Blueprint("v1_components", __name__, url_prefix="/api/v1/games/<game_id>/components")

WEBP = "image/webp"


@bp.post("")
@V1.call(
    "Create or update a component",
    scope="write",
    limit="component",
    body=schemas.ComponentRequest,
    responses={200: schemas.ComponentShape, 201: schemas.ComponentShape},
    errors=(400, 409, 413),
)
def save(caller: Caller, game: Game, body: schemas.ComponentRequest) -> Result:
    (saved,) = save_components(game, caller.app_id, [_wanted(body)], caller.actor)
    return Result(_shape(saved.component), 201 if saved.created else 200)


@bp.post("/batch")
@V1.call(
    "Create or update up to 100 components, all or none",
    scope="write",
    limit="component-batch",
    body=schemas.BatchRequest,
    responses={200: schemas.BatchAnswer},
    errors=(400, 409, 413),
)
def save_batch(caller: Caller, game: Game, body: schemas.BatchRequest) -> Result:
    wanted = [_wanted(one, f"components[{index}]: ") for index, one in enumerate(body.components)]
    saved = save_components(game, caller.app_id, wanted, caller.actor)
    return Result(schemas.BatchAnswer(components=[_shape(one.component) for one in saved]))


@bp.get("")
@V1.call(
    "List components",
    scope="read",
    limit="list",
    query=schemas.ComponentQuery,
    responses={200: schemas.ComponentListShape},
    errors=(400,),
)
def components(caller: Caller, game: Game, query: schemas.ComponentQuery) -> Result:
    page = list_components(revision_of(game.id, query.revision), query.limit, query.cursor)
    shape = schemas.ComponentListShape(components=[_shape(one) for one in page.components])
    if page.next_cursor:
        shape.next_cursor = page.next_cursor
    return Result(shape)


@bp.get("/<id:component_id>")
@V1.call(
    "Read a component",
    scope="read",
    limit="list",
    query=schemas.RevisionQuery,
    responses={200: schemas.ComponentShape},
    errors=(400,),
)
def read(caller: Caller, game: Game, component_id: str, query: schemas.RevisionQuery) -> Result:
    revision = revision_of(game.id, query.revision)
    return Result(_shape(component_of(revision.id if revision else None, component_id)))


@bp.delete("/<id:component_id>")
@V1.call("Delete a component", scope="write", limit="list", responses={204: None}, errors=(409,))
def delete(caller: Caller, game: Game, component_id: str) -> Result:
    delete_component(game, component_id, caller.actor)
    return Result(None, 204)


# A side is named by any text, so its slashes belong to it.
@bp.delete("/<component_id>/sides/<path:side_key>", merge_slashes=False)
@V1.call("Take the image off a side", scope="write", limit="list", responses={204: None}, errors=(400,))
def clear_side(caller: Caller, game: Game, component_id: str, side_key: str) -> Result:
    put_on_side(game, component_id, side_key, None, caller.actor)
    return Result(None, 204)


def _wanted(body: schemas.ComponentRequest, where: str = "") -> WantedComponent:
    named = body.model_fields_set & {"parent_external_key", "width_mm", "height_mm"}
    return WantedComponent(
        kind=body.kind,
        name=body.name,
        external_key=body.external_key,
        fields={name: getattr(body, name) for name in named},
        faces={face.side_key: face.key for face in body.assets},
        where=where,
    )


def _shape(one: ShownComponent) -> schemas.ComponentShape:
    # The fields were validated when they were saved. Validating them again for ten thousand components is not needed.
    return schemas.ComponentShape.model_construct(
        id=one.id,
        kind=one.kind,
        name=one.name,
        external_key=one.external_key,
        parent_external_key=one.parent_external_key,
        width_mm=one.width_mm,
        height_mm=one.height_mm,
        payload=schemas.PayloadShape.model_construct(
            image_faces={side: _face(image) for side, image in one.faces.items()}
        ),
        created_at=one.created_at,
        updated_at=one.updated_at,
    )


def _face(image: ShownImage) -> schemas.FaceShape:
    return schemas.FaceShape.model_construct(
        asset_id=image.asset_id,
        source_url=address(image.key, request.url_root),
        content_type=image.mime_type,
        width_px=image.width_px,
        height_px=image.height_px,
        derivation=image.derivation,
        placeholder=image.placeholder,
        variants=[
            schemas.VariantShape.model_construct(
                size=variant.size,
                url=address(variant.key, request.url_root),
                width_px=variant.width_px,
                height_px=variant.height_px,
                content_type=WEBP,
                byte_size=variant.byte_size,
            )
            for variant in image.variants
        ],
    )
