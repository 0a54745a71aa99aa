"""The picker of images: for a side, the cover and the screenshots; without a script."""

from __future__ import annotations

import html
import io
import re
from typing import Any

import pytest
from sqlalchemy import select

from app.components.components import component_of_draft
from app.data.extensions import db
from app.data.models.asset import Asset
from app.data.models.game import Game
from app.images.gallery import asset_detail
from app.images.game_pictures import pictures_of
from tests.app.fleet.counting import statements
from tests.app.images.images import picture
from tests.app.web import asset_scenes, scenes
from tests.app.web.asset_scenes import game_of
from tests.app.web.conftest import HTMX, ONE_DATABASE, Visitor
from tests.app.web.reading import afresh, errors, one_line, plain
from tests.conftest import Cast
from tests.many_rows import SLUG, Many, add_many

pytestmark = ONE_DATABASE

GAME = "/games/paper-lanterns"
PICKER = f"{GAME}/image-choice"


@pytest.fixture
def game_id(cast: Cast) -> str:
    return scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns")


@pytest.fixture
def images(game_id: str) -> dict[str, str]:
    """Three images, with their sizes; file name -> id."""
    drawn = {"back.png": asset_scenes.back(), "token.png": asset_scenes.token(), "die.png": asset_scenes.die_face()}
    return {name: asset_scenes.add_image(game_id, name, data) for name, data in drawn.items()}


@pytest.fixture
def component(game_id: str, images: dict[str, str]) -> str:
    return asset_scenes.add_component(game_id, "tile", "Ember", "ember", faces={"front": images["back.png"]})


def offered(page: str) -> list[str]:
    """The file names that the picker offers, in their order; with `*` if chosen."""
    tiles = re.findall(r'<label class="tile choice.*?</label>', one_line(page))
    return [re.findall(r'class="name">([^<]+)<', tile)[0] + ("*" if " checked" in tile else "") for tile in tiles]


def send(visitor: Visitor, path: str, data: bytes, name: str, **more: Any) -> Any:
    return visitor.post(path, {"file": (io.BytesIO(data), name)}, content_type="multipart/form-data", **more)


def test_who_may_choose(
    owner: Visitor, viewer: Visitor, stranger: Visitor, visitor: Visitor, component: str, images: dict[str, str]
) -> None:
    for query in ("for=cover", "for=screenshots", f"for=side&component={component}&side=back"):
        path = f"{PICKER}?{query}"
        assert owner.get(path).status_code == 200
        for somebody, status in ((viewer, 403), (stranger, 404)):
            assert somebody.get(path).status_code == status, query
            assert somebody.post(path, {"asset": images["die.png"]}).status_code == status, query
        assert visitor.get(path).status_code == 302, query
        assert visitor.post(path, {"asset": images["die.png"]}).status_code == 401, query  # with what was chosen
    for wrong, status in (
        ("", 404),
        ("?for=nothing", 404),
        ("?for=side&component=nothing&side=back", 404),
        (f"?for=side&component={component}&side=left", 400),
        ("?for=cover&after=nonsense", 400),
    ):
        assert owner.get(f"{PICKER}{wrong}").status_code == status, wrong


def test_a_side_gets_an_image_that_was_searched_for(
    owner: Visitor, game_id: str, images: dict[str, str], component: str
) -> None:
    page = owner.get(f"{GAME}/components/{component}").text
    link = html.unescape(re.findall(r'href="([^"]+image-choice[^"]+side=back[^"]*)"', page)[0])
    picker = owner.get(link).text
    assert "<html" in picker
    assert "Ember, back: choose the image" in plain(picker)
    assert offered(picker) == ["die.png", "token.png", "back.png"]
    assert re.search(r'src="/uploads/sh/sha256-\S+\.v1-256\.webp"', picker), "thumbnails"
    assert "<fieldset" in picker
    assert 'type="radio"' in picker
    # The choice survives a search that does not find it.
    found = owner.get(f"{link}&q=DIE&asset={images['token.png']}").text
    assert offered(found) == ["token.png*", "die.png"]
    assert "1 image with “DIE” in the name" in plain(found)
    answer = owner.post(link, {"asset": images["die.png"]})
    assert answer.location == f"{GAME}/components#c-{component}"
    assert "Ember: the image of “Back” is changed" in owner.get(answer.location).text
    afresh()
    assert component_of_draft(game_of(game_id), component).faces["back"].asset_id == images["die.png"]
    assert offered(owner.get(link).text)[0] == "die.png*", "what the side shows is chosen"


def test_the_cover_and_several_screenshots(owner: Visitor, game_id: str, images: dict[str, str]) -> None:
    details = owner.get(f"{GAME}/details").text
    for query in ("for=cover", "for=screenshots"):
        assert f'href="{PICKER}?{query}"' in details
    owner.post(f"{PICKER}?for=cover", {"asset": images["token.png"]})
    owner.post(f"{PICKER}?for=screenshots", {"asset": images["die.png"]})
    chosen = [images["back.png"], images["die.png"]]
    answer = owner.post(f"{PICKER}?for=screenshots", {"asset": chosen})
    assert answer.location == f"{GAME}/details#pictures"
    assert 'alt="Screenshot 2"' in owner.get(answer.location).text
    afresh()
    shown = pictures_of([game_id])[game_id]
    assert shown.cover is not None
    assert shown.cover.asset_id == images["token.png"]
    assert [shot.asset_id for shot in shown.screenshots] == [images["die.png"], images["back.png"]]
    assert 'type="checkbox"' in owner.get(f"{PICKER}?for=screenshots").text


def test_the_empty_cover_of_a_games_head_leads_to_the_picker_and_back(
    owner: Visitor, viewer: Visitor, images: dict[str, str]
) -> None:
    back = f"{GAME}/components?q=ember"
    link = re.compile(r'<a class="cover choose"\s+href="([^"]+)"')
    for path in (GAME, f"{GAME}/details", back):
        assert link.search(owner.get(path).text), path
        assert '<span class="cover" aria-hidden="true"></span>' in viewer.get(path).text, path
    picker = html.unescape(link.findall(owner.get(back).text)[0])
    assert not link.search(owner.get(picker).text), "it is open already"
    answer = owner.post(picker, {"asset": images["token.png"]})
    assert answer.location == back
    assert not link.search(owner.get(back).text), "the cover is in its place"


def test_until_its_sizes_are_made_an_image_itself_is_shown(owner: Visitor, game_id: str) -> None:
    asset_scenes.add_image(game_id, "new.png", asset_scenes.die_face(), made=False)
    picker = owner.get(f"{PICKER}?for=cover").text
    assert "Making sizes" not in picker
    tile = re.findall(r"<label class=.tile choice pending.*?</label>", one_line(picker))
    assert re.search(r"src=\"/uploads/[^\"]+\"", tile[0]), tile


def test_nothing_chosen_or_an_image_of_another_game_changes_nothing(
    owner: Visitor, game_id: str, images: dict[str, str], cast: Cast
) -> None:
    none = owner.post(f"{PICKER}?for=cover")
    assert none.status_code == 422
    assert errors(none) == ["The image is not set: 1 thing to change", "Choose an image, or add a new one."]
    other = scenes.add_game(cast.starlight.partner_id, "Low Tide", "low-tide")
    theirs = asset_scenes.add_image(other, "theirs.png", picture())
    assert owner.post(f"{PICKER}?for=cover", {"asset": theirs}).status_code == 404
    assert "theirs.png" not in owner.get(f"{PICKER}?for=cover&asset={theirs}").text
    afresh()
    assert pictures_of([game_id])[game_id].cover is None


def test_more_screenshots_than_a_game_can_have_are_refused_and_none_is_dropped(owner: Visitor, cast: Cast) -> None:
    add_many(cast.starlight.partner_id, Many(games=1, builds=0, servers=0, entries=0, assets=60))
    game = db.session.scalars(select(Game).where(Game.slug == SLUG)).one()
    ids = list(db.session.scalars(select(Asset.id).where(Asset.game_id == game.id)))
    game_id, path = game.id, f"/games/{SLUG}/image-choice?for=screenshots"
    answer = owner.post(path, {"asset": ids})
    assert answer.status_code == 422
    assert errors(answer)[1] == "A game has at most 50 screenshots; these would be 60. Remove some first."
    assert len([name for name in offered(answer.text) if name.endswith("*")]) == 60
    afresh()
    assert pictures_of([game_id])[game_id].screenshots == []
    assert owner.post(path, {"asset": ids[:50]}).status_code == 303


IN_DIALOG = HTMX | {"X-Dialog": "true"}


def test_a_new_image_is_added_in_the_dialog_and_chosen(owner: Visitor, game_id: str, images: dict[str, str]) -> None:
    upload = f"{GAME}/assets?for=cover"
    dialog = owner.get(f"{PICKER}?for=cover", headers=HTMX).text
    assert f'hx-post="{upload}"' in dialog
    assert 'hx-trigger="change, submit"' in dialog, "the dialog adds a file when it is chosen"
    answer = send(owner, upload, picture(), "new.png", headers=IN_DIALOG)
    assert answer.status_code == 303, answer.text
    picker = owner.get(answer.location, headers=HTMX).text
    assert offered(picker)[0] == "new.png*"
    assert "new.png is added and chosen." in plain(picker)
    # The same file under another name is the image that is here.
    again = owner.get(send(owner, upload, picture(), "copy.png", headers=IN_DIALOG).location, headers=HTMX).text
    assert offered(again)[0] == "new.png*"
    assert "The same file is already here, as new.png. It is chosen." in plain(again)
    wrong = send(owner, upload, b"%PDF-1.7", "plan.pdf", headers=IN_DIALOG)
    assert wrong.status_code == 422
    assert "<html" not in wrong.text, "the refusal stays in the dialog"
    assert "'plan.pdf' is a PDF document" in html.unescape(wrong.text)
    assert "die.png" in wrong.text
    afresh()
    assert pictures_of([game_id])[game_id].cover is None, "the button of the dialog stores the choice"


def file_names(game_id: str) -> list[str]:
    """Of the cover and the screenshots."""
    afresh()
    shown = pictures_of([game_id])[game_id]
    pictures = (*filter(None, [shown.cover]), *shown.screenshots)
    return [asset_detail(game_of(game_id), image.asset_id).tile.file_name for image in pictures]


def test_the_page_uses_a_new_image_with_one_button(
    owner: Visitor, game_id: str, images: dict[str, str], component: str
) -> None:
    """Without a script, and where a link to the picker was opened in another tab."""
    for query, back in (
        ("for=cover", f"{GAME}/details#pictures"),
        ("for=screenshots", f"{GAME}/details#pictures"),
        (f"for=side&component={component}&side=back", f"{GAME}/components#c-{component}"),
    ):
        page = one_line(owner.get(f"{PICKER}?{query}").text)
        [button] = re.findall(r'<button type="submit" class="button primary".*?</button>', page)
        upload = html.unescape(re.findall(r'formaction="([^"]+)"', button)[0])
        assert upload == f"{GAME}/assets?{query}"
        assert 'formenctype="multipart/form-data" formnovalidate' in button
        assert re.search(r'<input type="file" class="drop" id="new-image" name="file" .*?form="picker"', page)
        assert "required" not in re.findall(r'<label class="tile choice.*?</label>', page)[0], "a file is enough"
        more = {"asset": images["die.png"]} if query == "for=screenshots" else {}
        answer = owner.post(upload, more | {"file": (io.BytesIO(picture()), "new.png")})
        assert (answer.status_code, answer.location) == (303, back), answer.text
        # The same button stores a choice without a new image, and answers on the page if there is none.
        stored = owner.post(upload, {"asset": images["token.png"], "file": (io.BytesIO(b""), "")})
        assert (stored.status_code, stored.location) == (303, back), stored.text
        none = owner.post(upload, {"file": (io.BytesIO(b""), "")})
        assert none.status_code == 422
        assert "<html" in none.text
        assert errors(none)[1:] == ["Choose an image, or add a new one."]
        wrong = owner.post(upload, more | {"file": (io.BytesIO(b"%PDF-1.7"), "plan.pdf")})
        assert wrong.status_code == 422
        assert "'plan.pdf' is a PDF document" in html.unescape(wrong.text)
        assert ("die.png*" in offered(wrong.text)) == bool(more), "what was chosen stays chosen"
    assert file_names(game_id) == ["token.png", "new.png", "die.png", "token.png"]


def test_in_a_game_without_images_the_file_comes_first(owner: Visitor, game_id: str) -> None:
    for headers in ({}, HTMX):
        page = owner.get(f"{PICKER}?for=cover", headers=headers).text
        assert 'class="drop first"' in page
        assert "Search file name" not in page
        assert 'id="choices"' not in page
    none = owner.post(f"{PICKER}?for=cover", headers=IN_DIALOG)
    assert none.status_code == 422
    assert "<html" not in none.text
    assert errors(none)[1:] == ["Choose an image, or add a new one."]
    assert 'id="picker-search"' in owner.get(f"{PICKER}?for=cover&q=x").text


def test_after_a_choice_the_page_is_the_one_before(owner: Visitor, images: dict[str, str]) -> None:
    before = f"{GAME}/assets?used=no&q=png"
    path = f"{PICKER}?for=cover&back=/games/paper-lanterns/assets%3Fused%3Dno%26q%3Dpng"
    assert html.escape(before) in owner.get(path).text
    assert owner.post(path, {"asset": images["die.png"]}).location == before
    outside = owner.post(f"{PICKER}?for=cover&back=//evil.example", {"asset": images["die.png"]})
    assert outside.location == f"{GAME}/details#pictures"


def test_no_address_of_a_search_has_the_token(owner: Visitor, images: dict[str, str]) -> None:
    page = owner.get(f"{PICKER}?for=cover", headers=HTMX).text
    assert "<html" not in page
    form = re.search(r'<form class="picker".*?</form>', page, re.DOTALL)
    assert form
    assert "csrf_token" not in form[0]
    button = re.search(r'<button type="submit"\s+class="button primary".*?>', page, re.DOTALL)
    assert button
    assert 'name="csrf_token"' in button[0]


def test_the_picker_costs_the_same_for_many_as_for_few(owner: Visitor, game_id: str, images: dict[str, str]) -> None:
    def queries() -> int:
        with statements() as sent:
            assert owner.get(f"{PICKER}?for=cover", headers=HTMX).status_code == 200
        return sent.queries

    queries()
    few = queries()
    for seed in range(4):
        asset_scenes.add_image(game_id, f"{seed}.png", picture(20, 28, seed=seed), made=False)
    assert queries() == few <= 14
