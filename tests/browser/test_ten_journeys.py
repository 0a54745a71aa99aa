"""Jobs that no other test does from their first click to their last. Those are counted where they are tested: the first
game, a rollback, an invitation, a key, an expired session."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from tests.app.images.images import picture
from tests.app.web import asset_scenes, scenes
from tests.app.web.conftest import ONE_DATABASE
from tests.browser.conftest import visit
from tests.browser.effort import Effort
from tests.conftest import PASSWORD, Cast
from tests.game_archives import game_archive
from tests.live_server import LiveServer
from tests.many_rows import Many, add_many

pytestmark = [pytest.mark.browser, ONE_DATABASE, pytest.mark.usefixtures("workers")]

SignIn = Callable[[str], Page]


def choose(page: Page, button: str, *files: FilePayload) -> None:
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name=button).click()
    chooser.value.set_files(files)


def build(name: str, launcher: str) -> FilePayload:
    return FilePayload(name=name, mimeType="application/gzip", buffer=game_archive(launcher))


def test_a_rejected_build_is_corrected(sign_in: SignIn, cast: Cast, effort: Effort, complaints: list[str]) -> None:
    scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns")
    page = sign_in(cast.starlight.owner)
    page.get_by_role("link", name="Paper Lanterns").click()
    expect(page.locator("#freshness")).to_have_attribute("data-state", "live")
    page.evaluate("window.sameDocument = true")
    effort.begin(page)
    choose(page, "Choose a file", build("lanterns-1.tar.gz", "lanterns.sh"))
    refused = page.locator("#uploads-here .upload", has_text="lanterns-1.tar.gz")
    expect(refused).to_contain_text("Rejected: ")
    expect(refused).to_contain_text("paper-lanterns.sh")
    expect(page.locator("#builds .refusals summary")).to_be_visible()

    choose(page, "Choose a file", build("lanterns-2.tar.gz", "paper-lanterns.sh"))
    expect(page.locator("#uploads-here .upload").last).to_have_attribute("data-phase", "live")
    expect(page.get_by_text("Live: build 1")).to_be_visible()
    effort.assert_documented("Upload a build that is rejected, and then the corrected one", page)
    assert page.evaluate("window.sameDocument")
    assert complaints == []


def test_a_colleagues_upload_is_seen(
    sign_in: SignIn, cast: Cast, chromium: Browser, site: LiveServer, complaints: list[str]
) -> None:
    scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns")
    colleagues = sign_in(cast.starlight.developer)
    colleagues.route(re.compile("partNumber="), lambda _: None)  # no part gets through
    colleagues.goto("/games/paper-lanterns")
    choose(colleagues, "Choose a file", build("lanterns-1.tar.gz", "paper-lanterns.sh"))
    expect(colleagues.locator("#uploads-here .upload")).to_contain_text("Uploading")

    context = visit(chromium, site.url, complaints)
    effort, page = Effort(context), context.new_page()
    page.goto("/sign-in")
    page.get_by_label("Email").fill(cast.starlight.viewer)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/games")
    effort.begin(page)
    page.get_by_role("link", name="Paper Lanterns").click()
    row = page.locator("#other-uploads li")
    expect(row).to_contain_text("lanterns-1.tar.gz")
    expect(row).to_contain_text("Uploading")
    effort.assert_documented("See what a colleague uploads", page)
    context.close()
    colleagues.unroute_all(behavior="ignoreErrors")
    assert complaints == []


def test_25_images_are_added_at_once(sign_in: SignIn, cast: Cast, effort: Effort, complaints: list[str]) -> None:
    scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns")
    page = sign_in(cast.starlight.owner)
    images = [
        FilePayload(name=f"card-{number:03}.png", mimeType="image/png", buffer=picture(seed=number))
        for number in range(1, 26)
    ]
    effort.begin(page)
    page.get_by_role("link", name="Paper Lanterns").click()
    page.locator(".tabs a[href$='/assets']").click()
    choose(page, "Choose images", *images)
    expect(page.locator("#assets-tiles .tile")).to_have_count(25, timeout=120_000)
    # Each image has a process that decodes it, which takes seconds on a busy machine.
    expect(page.locator("#assets-tiles .tile[data-state=ready]")).to_have_count(25, timeout=120_000)
    expect(page.locator("#image-uploads .tile")).to_have_count(0)
    expect(page.locator("#assets-segments")).to_contain_text("All 25")
    effort.assert_documented("Add 25 images", page)
    assert complaints == []


def test_a_component_gets_its_image(sign_in: SignIn, cast: Cast, effort: Effort, complaints: list[str]) -> None:
    game_id = scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns")
    for number in range(1, 4):
        asset_scenes.add_image(game_id, f"tile-{number}.png", picture(seed=number))
    page = sign_in(cast.starlight.owner)
    effort.begin(page)
    page.get_by_role("link", name="Paper Lanterns").click()
    page.get_by_role("link", name="Components").click()
    page.get_by_role("link", name="Add a component").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name", exact=True).fill("Ember")
    dialog.get_by_label("External key").fill("tile-ember")
    dialog.get_by_role("button", name="Add the component").click()
    toast = page.locator(".toast")
    expect(toast).to_contain_text("Ember is added")
    toast.get_by_role("link", name="Choose image of Front").click()
    expect(dialog.get_by_role("heading", name="Ember, front: choose the image")).to_be_focused()
    dialog.get_by_role("radio", name="tile-2.png").check()
    dialog.get_by_role("button", name="Set image").click()
    expect(toast).to_contain_text("Ember: the image of “Front” is changed")
    expect(page.locator(".card img[alt=front]")).to_have_attribute("data-loaded", "")
    effort.assert_documented("Add a component and give it an image", page)
    assert complaints == []


def test_one_game_of_203_is_found(sign_in: SignIn, cast: Cast, effort: Effort, complaints: list[str]) -> None:
    add_many(cast.starlight.partner_id, Many(games=202, builds=2, servers=3, entries=0, assets=0))
    scenes.add_game(cast.starlight.partner_id, "The Lighthouse", "the-lighthouse")
    page = sign_in(cast.starlight.owner)
    effort.begin(page)
    page.keyboard.press("/")
    page.keyboard.type("light")
    rows = page.locator(".row-link")
    expect(rows).to_have_text(["The Lighthouse"])
    rows.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The Lighthouse")
    effort.assert_documented("Find one game of 203", page)
    assert complaints == []
