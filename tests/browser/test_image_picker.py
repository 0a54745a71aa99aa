"""The picker of images in a real browser: opened from a component, searched, added to, and by keyboard."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import FilePayload, Page, Route, expect

from app.config.settings import MIB
from app.images.image_limits import MAX_IMAGE_BYTES
from tests.app.images.images import picture
from tests.app.web import asset_scenes, scenes
from tests.app.web.conftest import ONE_DATABASE
from tests.browser.conftest import wait_for
from tests.browser.test_axe import findings
from tests.conftest import Cast

pytestmark = [pytest.mark.browser, ONE_DATABASE]

SignIn = Callable[[str], Page]


@pytest.mark.usefixtures("workers")
def test_a_side_gets_a_new_image_without_leaving_the_page(sign_in: SignIn, cast: Cast, complaints: list[str]) -> None:
    game_id = scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns")
    for name, data in (("back.png", asset_scenes.back()), ("token.png", asset_scenes.token())):
        asset_scenes.add_image(game_id, name, data)
    asset_scenes.add_component(game_id, "tile", "Ember", "ember")
    page = sign_in(cast.starlight.owner)
    page.goto("/games/paper-lanterns/components")
    page.get_by_role("link", name="Ember", exact=True).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("link", name="Choose image of Back").click()
    expect(dialog.get_by_role("heading", name="Ember, back: choose the image")).to_be_focused()
    choices = dialog.get_by_role("group", name="Image").get_by_role("radio")
    expect(choices).to_have_count(2)

    # A search keeps the choice, the field and its focus, and the dialog.
    dialog.get_by_role("radio", name="token.png").check()
    search = dialog.get_by_role("searchbox")
    search.press_sequentially("BACK")
    expect(dialog.get_by_text("1 image with “BACK” in the name")).to_be_visible()
    expect(dialog.get_by_role("radio", name="token.png")).to_be_checked()
    expect(search).to_be_focused()
    search.press("Enter")
    expect(dialog.get_by_role("radio", name="back.png")).to_be_visible()
    expect(dialog).to_be_visible()

    # A file is sent when it is chosen. A refusal is shown in the dialog; a good one is chosen there.
    add = dialog.get_by_label("Add a new image")
    add.set_input_files({"name": "plan.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7"})
    expect(dialog.get_by_role("alert")).to_contain_text("'plan.pdf' is a PDF document")
    huge: FilePayload = {"name": "huge.png", "mimeType": "image/png", "buffer": bytes(MAX_IMAGE_BYTES + 2 * MIB)}
    for _ in range(2):  # the same file, again
        add.set_input_files(huge)
        problem = dialog.locator(".problem")
        expect(problem).to_contain_text("The image is larger than 20 MiB")
        problem.evaluate("notice => notice.remove()")
    complaints.clear()  # about the status 413
    add.set_input_files({"name": "new.png", "mimeType": "image/png", "buffer": picture()})
    expect(dialog.get_by_role("status")).to_contain_text("new.png is added and chosen.")
    expect(dialog.get_by_role("radio", name="new.png")).to_be_checked()
    assert findings(page) == []
    dialog.get_by_role("button", name="Set image").click()
    expect(page.locator(".toast")).to_contain_text("Ember: the image of “Back” is changed")
    expect(page.locator(".card img[alt=back]")).to_have_attribute("data-loaded", "")
    assert complaints == []


def test_screenshots_are_chosen_by_keyboard(sign_in: SignIn, cast: Cast, complaints: list[str]) -> None:
    game_id = scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns")
    for name, data in (("back.png", asset_scenes.back()), ("token.png", asset_scenes.token())):
        asset_scenes.add_image(game_id, name, data)
    page = sign_in(cast.starlight.owner)
    page.goto("/games/paper-lanterns/details")
    opener = page.get_by_role("link", name="Add screenshots")
    opener.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="Add screenshots to Paper Lanterns")).to_be_focused()
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()
    page.keyboard.press("Enter")
    for name in ("back.png", "token.png"):
        dialog.get_by_role("checkbox", name=name).focus()
        page.keyboard.press("Space")
    dialog.get_by_role("button", name="Add as screenshots").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".toast")).to_contain_text("2 screenshots are added")
    expect(page.get_by_role("list", name="Screenshots").get_by_role("img")).to_have_count(2)
    assert complaints == []


@pytest.mark.usefixtures("workers")
def test_an_empty_gallery_begins_with_the_file(sign_in: SignIn, cast: Cast, complaints: list[str]) -> None:
    scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns")
    page = sign_in(cast.starlight.owner)
    page.goto("/games/paper-lanterns/details")
    page.get_by_role("link", name="Choose the cover").click()
    dialog = page.get_by_role("dialog")
    use = dialog.get_by_role("button", name="Use as cover")
    colour = "button => getComputedStyle(button).backgroundColor"
    disabled = use.evaluate(colour)
    use.click()
    expect(dialog.get_by_role("alert")).to_contain_text("Choose an image, or add a new one.")
    assert findings(page) == []
    dialog.get_by_label("Add a new image").set_input_files(
        {"name": "new.png", "mimeType": "image/png", "buffer": picture()}
    )
    expect(dialog.get_by_role("radio", name="new.png")).to_be_checked()
    assert use.evaluate(colour) != disabled
    expect(dialog.locator(".choice img[data-loaded]")).to_have_count(1)
    # Without its text "No file chosen": the file was added.
    add = dialog.get_by_label("Add another image")
    assert add.evaluate("field => getComputedStyle(field).color") == "rgba(0, 0, 0, 0)"

    # The page behind the dialog counts the image. A dialog that was closed during an upload stays closed.
    answers: list[Route] = []
    page.route("**/assets?*", lambda route: answers.append(route))
    add.set_input_files({"name": "late.png", "mimeType": "image/png", "buffer": picture(12, 8)})
    wait_for(page, lambda: bool(answers))
    page.keyboard.press("Escape")
    expect(page.locator("#dialog")).to_be_hidden()
    count = page.get_by_role("link", name="Images").locator(".tab-count")
    expect(count).to_have_text("1")
    answers[0].continue_()
    expect(count).to_have_text("2")
    expect(page.locator("#dialog")).to_be_hidden()
    expect(page.locator("#dialog")).to_be_empty()
    page.unroute("**/assets?*")

    # The page of the picker, as in another tab: one button adds the file and uses it.
    page.goto("/games/paper-lanterns/image-choice?for=screenshots")
    use = page.get_by_role("button", name="Add as screenshots")
    assert use.evaluate(colour) == disabled
    page.get_by_label("Add a new image").set_input_files(
        {"name": "shot.png", "mimeType": "image/png", "buffer": picture(20, 28)}
    )
    assert use.evaluate(colour) != disabled
    use.click()
    expect(page.locator(".toast")).to_contain_text("1 screenshot is added")
    expect(page.get_by_role("list", name="Screenshots").get_by_role("img")).to_have_count(1)
    assert complaints == []
