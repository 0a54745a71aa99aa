"""Images and components for pages to show: drawn small, sent through the app's own door, with their sizes made."""

from __future__ import annotations

import functools
import io
import math

from PIL import Image, ImageDraw

from app.accounts.partners import dashboard_app_id
from app.components.components import save_components
from app.components.revisions import finalize
from app.components.sides import put_on_side
from app.components.wanted_component import WantedComponent
from app.data.database import free_connection
from app.data.extensions import db
from app.data.models.asset import Asset
from app.data.models.game import Game
from app.images.gallery import GalleryFilter, gallery
from app.images.game_pictures import pick_cover
from app.images.intake.image_receiver import receive_image
from app.images.variant_jobs import derive
from tests.app.images.images import saved
from tests.conftest import CAST

CARDS = [
    ("Lantern Keeper", "#ede4d0", "#b9633c", "#f5cc6a"),
    ("Cedar Gate", "#e2ebe4", "#3e5f52", "#a6c99d"),
    ("Harbour at Night", "#e6e5ef", "#393461", "#f3ecd4"),
    ("Ember", "#f2ddd6", "#8e3a3a", "#f3b69d"),
    ("Night Ferry", "#e2e7ec", "#34536f", "#dd5f43"),
]


def game_of(game_id: str) -> Game:
    return db.session.get_one(Game, game_id)


def add_image(game_id: str, name: str, data: bytes, *, made: bool = True) -> str:
    """An image that a member has added; returns the asset's id. `made`: with its sizes."""
    game = game_of(game_id)
    app_id = dashboard_app_id(game.partner_id)
    free_connection()
    asset_id = receive_image(game_of(game_id), app_id, io.BytesIO(data), name, CAST).asset_id
    if made:
        blob_id = db.session.get_one(Asset, asset_id).blob_id
        free_connection()
        derive(blob_id)
    return asset_id


def add_component(game_id: str, kind: str, name: str, key: str, **more: object) -> str:
    """A component of the draft; returns its id. `faces`: side → asset id; other fields as the API calls them."""
    faces = more.pop("faces", {})
    assert isinstance(faces, dict)
    game = game_of(game_id)
    app_id = dashboard_app_id(game.partner_id)
    (made,) = save_components(game, app_id, [WantedComponent(kind, name, key, more, {})], CAST)
    for side, asset_id in faces.items():
        put_on_side(game_of(game_id), made.component.id, side, asset_id, CAST)
    return made.component.id


def forking_paths_images(game_id: str) -> dict[str, str]:
    """What the reference pictures show; name → asset id."""
    drawn = {f"card-{number:03}-front.png": card(*colours) for number, (_, *colours) in enumerate(CARDS, 1)}
    drawn |= {
        "card-back.png": back(),
        "board-archipelago.webp": island_map(),
        "token-captain.png": token(),
        "die-face-5.png": die_face(),
        "cover-460.webp": branches(),
    }
    ids = {name: add_image(game_id, name, data) for name, data in reversed(drawn.items())}
    pick_cover(game_of(game_id), ids["cover-460.webp"], CAST)
    _components(game_id, ids)
    return ids


def _components(game_id: str, ids: dict[str, str]) -> None:
    size = {"width_mm": 63.5, "height_mm": 88.9}
    in_deck = {"parent_external_key": "main-deck", **size}
    add_component(game_id, "deck", "Main deck", "main-deck")
    for number, (name, *_) in enumerate(CARDS[:3], 1):
        faces = {"front": ids[f"card-{number:03}-front.png"], "back": ids["card-back.png"]}
        add_component(game_id, "card", name, f"card-{number:03}", faces=faces, **in_deck)
    add_component(
        game_id, "board", "Archipelago", "board-main", width_mm=420.0, height_mm=297.0,
        faces={"front": ids["board-archipelago.webp"]},
    )  # fmt: skip
    add_component(game_id, "die", "Weather die", "die-weather", width_mm=16.0, height_mm=16.0)
    add_component(
        game_id, "dieFace", "face 5", "die-weather-5", parent_external_key="die-weather",
        faces={"face": ids["die-face-5.png"]},
    )  # fmt: skip
    add_component(
        game_id, "tokenSprite", "Captain", "token-captain", width_mm=20.0, height_mm=20.0,
        faces={"front": ids["token-captain.png"]},
    )  # fmt: skip
    finalize(game_of(game_id), 1, CAST)
    add_component(game_id, "card", "Harbour at Night", "card-003", faces={"back": ids["card-back.png"]}, width_mm=63.0)
    add_component(game_id, "card", CARDS[3][0], "card-004", faces={"front": ids["card-004-front.png"]}, **in_deck)
    both = {"front": ids["card-005-front.png"], "back": ids["card-back.png"]}
    add_component(game_id, "card", CARDS[4][0], "card-005", faces=both, **in_deck)


def one_of_each(game_id: str) -> None:
    """A few rows for pages that are only looked at: an image that is shown, one whose sizes are being made, a deck
    whose card misses its back."""
    front = add_image(game_id, "card-001-front.png", card(*CARDS[0][1:]))
    add_image(game_id, "token-captain.png", token(), made=False)
    add_component(game_id, "deck", "Main deck", "main-deck")
    add_component(game_id, "card", "Ember", "card-004", parent_external_key="main-deck", faces={"front": front})


def images_of(game_id: str) -> list[str]:
    """File names, newest first."""
    return [tile.file_name for tile in gallery(game_of(game_id), GalleryFilter()).images]


@functools.cache
def card(paper: str, ink: str, sun: str) -> bytes:
    image = Image.new("RGBA", (375, 525))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((0, 0, 374, 524), 24, paper)
    draw.rounded_rectangle((34, 34, 190, 58), 12, ink)
    draw.rectangle((34, 84, 340, 344), ink)
    draw.ellipse((110, 140, 264, 294), sun)
    for row, width in enumerate((306, 250, 280)):
        draw.rounded_rectangle((34, 380 + row * 40, 34 + width, 396 + row * 40), 8, ink)
    return saved(image, "PNG")


@functools.cache
def back() -> bytes:
    image = Image.new("RGBA", (375, 525))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((0, 0, 374, 524), 24, "#17302b")
    draw.rectangle((30, 30, 344, 494), outline="#8fb08c", width=4)
    draw.polygon([(187, 110), (290, 262), (187, 414), (84, 262)], outline="#8fb08c", width=4)
    draw.polygon([(187, 170), (245, 262), (187, 354), (129, 262)], "#a6c99d")
    return saved(image, "PNG")


@functools.cache
def island_map() -> bytes:
    image = Image.new("RGB", (1050, 742), "#e6d8b4")
    draw = ImageDraw.Draw(image)
    for step in range(3):
        draw.ellipse((120 + 90 * step, 180 + 40 * step, 850 - 90 * step, 600 - 40 * step), outline="#a8683f", width=6)
    for x, y in ((160, 150), (330, 240), (480, 190), (640, 320), (780, 260), (900, 480), (440, 560)):
        draw.ellipse((x - 16, y - 16, x + 16, y + 16), "#3e5f52")
    return saved(image, "WEBP")


@functools.cache
def token() -> bytes:
    image = Image.new("RGBA", (512, 512))
    draw = ImageDraw.Draw(image)
    draw.ellipse((4, 4, 508, 508), "#34536f")
    draw.ellipse((40, 40, 472, 472), outline="#e8e3d3", width=10)
    draw.polygon([(170, 240), (342, 240), (310, 390), (202, 390)], "#e8e3d3")
    draw.ellipse((220, 120, 292, 226), "#e8e3d3")
    return saved(image, "PNG")


@functools.cache
def die_face() -> bytes:
    image = Image.new("RGBA", (256, 256))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((0, 0, 255, 255), 44, "#f7f3e6", outline="#c8c19a", width=4)
    for x, y in ((68, 68), (188, 68), (128, 128), (68, 188), (188, 188)):
        draw.ellipse((x - 22, y - 22, x + 22, y + 22), "#8e3a3a")
    return saved(image, "PNG")


@functools.cache
def branches() -> bytes:
    image = Image.new("RGB", (920, 430), "#17302b")
    draw = ImageDraw.Draw(image)
    draw.ellipse((680, 60, 800, 180), "#eec98a")

    def grow(x: float, y: float, angle: float, length: float, width: int) -> None:
        if length < 14:
            return
        end = (x + length * math.cos(angle), y - length * math.sin(angle))
        draw.line([(x, y), end], "#a6c99d", max(1, width))
        grow(*end, angle + 0.38, length * 0.78, width - 1)
        grow(*end, angle - 0.3, length * 0.8, width - 1)

    grow(60, 400, 0.55, 190, 9)
    return saved(image, "WEBP")
