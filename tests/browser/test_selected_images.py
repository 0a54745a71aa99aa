"""The gallery's selection and search in a real browser: a range with Shift, all, a zip archive, deletion with undo."""

from __future__ import annotations

import zipfile
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from app.data.database import announce, writing
from app.topics.names import assets_topic
from tests.app.images.images import picture
from tests.app.web import asset_scenes, scenes
from tests.app.web.conftest import ONE_DATABASE
from tests.browser.test_axe import findings
from tests.conftest import Cast

pytestmark = [pytest.mark.browser, ONE_DATABASE]

SignIn = Callable[[str], Page]


def test_many_images_are_selected_downloaded_and_deleted(sign_in: SignIn, cast: Cast, complaints: list[str]) -> None:
    game_id = scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns")
    for number in range(1, 6):
        asset_scenes.add_image(game_id, f"{number}.png", picture(seed=number), made=False)
    page = sign_in(cast.starlight.owner)
    page.goto("/games/paper-lanterns/assets")
    selected = page.locator("#selected")
    boxes = page.locator("#assets-tiles").get_by_role("checkbox")
    expect(selected).to_have_text("None selected")

    # A range with Shift, by mouse; single ones by keyboard.
    page.get_by_role("checkbox", name="Select 5.png").click()
    page.get_by_role("checkbox", name="Select 3.png").click(modifiers=["Shift"])
    expect(selected).to_have_text("3 selected")
    expect(page.get_by_role("checkbox", name="Select 4.png")).to_be_checked()
    page.get_by_role("checkbox", name="Select 1.png").focus()
    page.keyboard.press("Space")
    expect(selected).to_have_text("4 selected")
    assert findings(page) == []

    # A live update keeps the selection.
    with writing():
        announce(assets_topic(game_id))
    asset_scenes.add_image(game_id, "6.png", picture(seed=6), made=False)
    expect(boxes).to_have_count(6)
    expect(selected).to_have_text("4 selected")
    in_all = page.locator("#images-count")
    expect(in_all).to_have_text("6")

    with page.expect_download() as download:
        page.get_by_role("button", name="Download as zip").click()
    assert download.value.suggested_filename == "paper-lanterns-images.zip"
    archive = zipfile.ZipFile(download.value.path())
    assert archive.namelist() == ["1.png", "3.png", "4.png", "5.png"]
    assert archive.read("4.png") == picture(seed=4)

    everything = page.get_by_role("checkbox", name="Select all")
    everything.check()
    expect(selected).to_have_text("6 selected")
    everything.uncheck()
    expect(selected).to_have_text("None selected")
    page.get_by_role("checkbox", name="Select 2.png").check()
    page.get_by_role("checkbox", name="Select 6.png").check()
    page.get_by_role("button", name="Delete").click()
    expect(page.locator(".toast")).to_contain_text("2 images are deleted")
    expect(boxes).to_have_count(4)
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(page.locator(".toast")).to_contain_text("2 images are restored")
    expect(boxes).to_have_count(6)

    # Without images there is nothing to select.
    everything.check()
    page.get_by_role("button", name="Delete").click()
    expect(in_all).to_have_text("0")
    expect(page.locator("#selection")).to_be_hidden()
    asset_scenes.add_image(game_id, "7.png", picture(seed=7), made=False)
    expect(in_all).to_have_text("1")
    expect(page.locator("#selection")).to_be_visible()
    assert complaints == []


def test_a_search_is_live_and_in_the_address(sign_in: SignIn, cast: Cast, complaints: list[str]) -> None:
    game_id = scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns")
    for name in ("card.png", "board.png", "card-2.png"):
        asset_scenes.add_image(game_id, name, picture(seed=len(name)), made=False)
    page = sign_in(cast.starlight.owner)
    page.goto("/games/paper-lanterns/assets")
    search = page.get_by_role("searchbox")
    search.press_sequentially("card")
    tiles = page.locator("#assets-tiles .tile")
    expect(tiles).to_have_count(2)
    expect(search).to_be_focused()
    page.wait_for_url("**/assets?q=card*")
    expect(page.locator("#assets-segments")).to_contain_text("All 2")
    page.get_by_label("Order").select_option(label="By name")
    expect(tiles.first).to_contain_text("card-2.png")
    page.wait_for_url("**/assets?q=card&sort=name*")
    page.reload()
    expect(tiles).to_have_count(2)
    expect(search).to_have_value("card")
    search.fill("none of them")
    expect(tiles).to_have_count(0)
    expect(page.locator("#selection")).to_be_hidden()
    expect(page.locator("#images-count")).to_have_text("3")
    search.fill("card")

    # The list of a search is live too.
    asset_scenes.add_image(game_id, "card-0.png", picture(seed=30), made=False)
    expect(tiles).to_have_count(3)
    assert complaints == []
