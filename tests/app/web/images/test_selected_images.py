"""Several images at once: selected, downloaded as a zip archive, deleted and restored; without a script."""

from __future__ import annotations

import html
import io
import re
import zipfile

import pytest

from app.components.revisions import finalize
from app.images.game_pictures import pictures_of
from app.limits import thread_budgets
from app.storage.objects import PIECE
from app.storage.zipped_objects import ZippedObjects
from tests.app.images.images import picture
from tests.app.web import asset_scenes, scenes
from tests.app.web.asset_scenes import game_of
from tests.app.web.conftest import ONE_DATABASE, Visitor
from tests.app.web.reading import afresh, plain
from tests.conftest import CAST, Cast

pytestmark = ONE_DATABASE

PAGE = "/games/paper-lanterns/assets"


@pytest.fixture
def game_id(cast: Cast) -> str:
    return scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns")


@pytest.fixture
def images(game_id: str) -> list[str]:
    """Three images, two with the same name in another case; their ids."""
    drawn = [("card.png", picture(seed=1)), ("Card.png", picture(seed=2)), ("../map?.png", picture(seed=3))]
    return [asset_scenes.add_image(game_id, name, data, made=False) for name, data in drawn]


def query(ids: list[str]) -> str:
    return "&".join(f"asset={asset_id}" for asset_id in ids)


def test_who_may_do_what(
    owner: Visitor, viewer: Visitor, stranger: Visitor, visitor: Visitor, images: list[str]
) -> None:
    download = f"{PAGE}/archive?{query(images)}"
    assert viewer.get(download).status_code == 200
    assert stranger.get(download).status_code == 404
    assert visitor.get(download).status_code == 302
    for what in ("deletions", "restorations"):
        for somebody, status in ((viewer, 403), (stranger, 404), (visitor, 401)):
            assert somebody.post(f"{PAGE}/{what}", {"asset": images}).status_code == status, what
    page = owner.get(PAGE).text
    assert page.count('form="selection"') == 3 + 1
    assert 'aria-label="Select card.png"' in page
    assert f'formaction="{PAGE}/deletions"' in page
    assert f'formaction="{PAGE}/deletions"' not in viewer.get(PAGE).text
    form = re.search(r'<form class="selection".*?</form>', page, re.DOTALL)
    assert form
    assert '<input type="hidden" name="csrf_token"' not in form[0], "a download's address would have it"


def test_the_originals_come_as_one_archive_with_names_that_every_system_can_unpack(
    owner: Visitor, images: list[str]
) -> None:
    answer = owner.get(f"{PAGE}/archive?{query(images)}")
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="paper-lanterns-images.zip"'
    assert answer.headers["Cache-Control"] == "no-store"
    archive = zipfile.ZipFile(io.BytesIO(answer.data))
    assert archive.testzip() is None
    assert archive.namelist() == ["card.png", "Card (2).png", "_map_.png"]
    assert [archive.read(name) for name in archive.namelist()] == [picture(seed=seed) for seed in (1, 2, 3)]
    assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
    assert thread_budgets.downloads.in_use == 0
    only = owner.get(f"{PAGE}/archive?{query(images[1:2])}")
    assert zipfile.ZipFile(io.BytesIO(only.data)).namelist() == ["Card.png"]


def test_an_archive_is_never_in_memory(owner: Visitor, images: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    pieces: list[int] = []
    whole = ZippedObjects.pieces

    def measured(self: ZippedObjects) -> object:
        for piece in whole(self):
            pieces.append(len(piece))
            yield piece

    monkeypatch.setattr(ZippedObjects, "pieces", measured)
    size = len(owner.get(f"{PAGE}/archive?{query(images)}").data)
    assert sum(pieces) == size
    assert len(pieces) > 3
    assert max(pieces) <= PIECE + 1024


def test_an_archive_uses_a_place_for_downloads_until_it_ends(owner: Visitor, images: list[str]) -> None:
    answer = owner.get(f"{PAGE}/archive?{query(images)}", buffered=False)
    assert thread_budgets.downloads.in_use == 1
    answer.close()  # the client is gone
    assert thread_budgets.downloads.in_use == 0


def test_nothing_selected_says_what_to_do_and_other_games_images_are_not_found(
    owner: Visitor, images: list[str], cast: Cast
) -> None:
    for send in (owner.get, owner.post):
        answer = send(f"{PAGE}/{'archive' if send == owner.get else 'deletions'}?q=card")
        assert (answer.status_code, answer.location) == (303, f"{PAGE}?q=card")
        assert "Select images first" in owner.get(answer.location).text
    other = scenes.add_game(cast.starlight.partner_id, "Low Tide", "low-tide")
    theirs = asset_scenes.add_image(other, "theirs.png", picture(seed=9), made=False)
    assert owner.get(f"{PAGE}/archive?asset={theirs}").status_code == 404
    owner.post(f"{PAGE}/deletions", {"asset": [theirs]})
    assert asset_scenes.images_of(other) == ["theirs.png"]


def test_selected_images_are_deleted_and_restored_with_their_uses(
    owner: Visitor, game_id: str, images: list[str]
) -> None:
    owner.post(f"{PAGE}/{images[0]}/cover")
    answer = owner.post(f"{PAGE}/deletions?q=png&used=no", {"asset": images[:2]})
    assert (answer.status_code, answer.location) == (303, f"{PAGE}?q=png&used=no")
    page = owner.get(answer.location).text
    assert "2 images are deleted" in page
    assert asset_scenes.images_of(game_id) == ["../map?.png"]
    undo = html.unescape(re.findall(r'action="([^"]+/restorations[^"]*)"', page)[0])
    back = owner.post(undo)
    assert back.location == f"{PAGE}?q=png&used=no", "the filters survive"
    assert "2 images are restored" in owner.get(back.location).text
    afresh()
    assert len(asset_scenes.images_of(game_id)) == 3
    cover = pictures_of([game_id])[game_id].cover
    assert cover is not None
    assert cover.asset_id == images[0]


def test_an_image_of_a_finalized_revision_is_kept_and_named(owner: Visitor, game_id: str, images: list[str]) -> None:
    asset_scenes.add_component(game_id, "tile", "Ember", "ember", faces={"front": images[0]})
    finalize(game_of(game_id), 1, CAST)
    owner.post(f"{PAGE}/deletions", {"asset": images[:2]})
    assert "1 image is deleted. card.png is kept: a finalized revision shows it" in plain(owner.get(PAGE).text)
    owner.post(f"{PAGE}/deletions", {"asset": images[:1]})
    assert "card.png is kept: a finalized revision shows it" in plain(owner.get(PAGE).text)
    assert sorted(asset_scenes.images_of(game_id)) == ["../map?.png", "card.png"]


def test_filters_survive_the_actions_of_one_image(owner: Visitor, images: list[str]) -> None:
    listed = f"{PAGE}?q=card&sort=name"
    page = html.unescape(owner.get(listed).text)
    detail = f"{PAGE}/{images[0]}?q=card&sort=name"
    assert f'href="{detail}"' in page
    shown = html.unescape(owner.get(detail).text)
    assert f'href="{listed}"' in shown, "the way back"
    for what in ("cover", "screenshot", "deletion"):
        path = re.findall(rf'action="([^"]+/{what}\?[^"]+)"', shown)[0]
        answer = owner.post(path, {"place": "1"})
        assert answer.location.partition("#")[0] == listed, what
    undo = re.findall(r'action="([^"]+/restoration[^"]*)"', html.unescape(owner.get(listed).text))[0]
    assert owner.post(undo).location == f"{listed}#asset-{images[0]}"
