"""What the picker chooses images for: the cover, the screenshots, or a side of a component."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import request, url_for

from app.accounts.actors import Actor
from app.components.components import component_of_draft
from app.components.sides import offered_sides, put_on_side
from app.data.models.game import Game
from app.images.game_pictures import add_screenshots, pick_cover, pictures_of
from app.refusals import InvalidRequest, NotFound
from app.web.components.component_words import side_name
from app.web.frame.current_user import local_address
from app.web.frame.formats import counted


@dataclass(frozen=True)
class Purpose:
    """`query`: the parameters that name this purpose in addresses. `shown`: ids of the images that it shows now.
    `store` saves a choice of one image (several if `is_many`) and returns the words of its toast."""

    heading: str
    button: str
    query: dict[str, Any]
    back: str
    shown: Sequence[str]
    store: Callable[[Sequence[str], Actor], str]
    is_many: bool = False


def requested_purpose(game: Game) -> Purpose:
    """The purpose in the address. Raises NotFound and ComponentNotFound."""
    wanted = request.args.get("for", "")
    if wanted == "cover":
        return _cover(game)
    if wanted == "screenshots":
        return _screenshots(game)
    if wanted == "side":
        return _side(game, request.args.get("component", ""), request.args.get("side", ""))
    raise NotFound("This address does not name what the image is for. Open the page of a component or of a game again.")


def _back(query: dict[str, str], otherwise: str) -> str:
    """The page to return to: the one in the address, which is then kept in `query`."""
    back = local_address(request.args.get("back", "")[:2000], otherwise)
    if back != otherwise:
        query["back"] = back
    return back


def _cover(game: Game) -> Purpose:
    def store(asset_ids: Sequence[str], actor: Actor) -> str:
        pick_cover(game, asset_ids[0], actor)
        return "The cover is changed"

    query = {"for": "cover"}
    back = _back(query, url_for("details.page", slug=game.slug, _anchor="pictures"))
    cover = pictures_of([game.id])[game.id].cover
    shown = [cover.asset_id] if cover else []
    return Purpose(f"Choose the cover of {game.title}", "Use as cover", query, back, shown, store)


def _screenshots(game: Game) -> Purpose:
    def store(asset_ids: Sequence[str], actor: Actor) -> str:
        add_screenshots(game, asset_ids, actor)
        return f"{counted(len(asset_ids), 'screenshot')} {'is' if len(asset_ids) == 1 else 'are'} added"

    query = {"for": "screenshots"}
    back = _back(query, url_for("details.page", slug=game.slug, _anchor="pictures"))
    return Purpose(f"Add screenshots to {game.title}", "Add as screenshots", query, back, [], store, is_many=True)


def _side(game: Game, component_id: str, side: str) -> Purpose:
    component = component_of_draft(game, component_id)
    if side not in offered_sides(component):
        raise InvalidRequest(f"{component.name} has no side “{side[:64]}”. Choose one of its sides on its page.")

    def store(asset_ids: Sequence[str], actor: Actor) -> str:
        put_on_side(game, component_id, side, asset_ids[0], actor)
        return f"{component.name}: the image of “{side_name(side)}” is changed"

    query = {"for": "side", "component": component_id, "side": side}
    back = _back(query, url_for("components.page", slug=game.slug, _anchor=f"c-{component_id}"))
    image = component.faces.get(side)
    heading = f"{component.name}, {side_name(side).lower()}: choose the image"
    return Purpose(heading, "Set image", query, back, [image.asset_id] if image else [], store)
