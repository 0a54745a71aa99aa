"""Images in a real browser: dropped, refused, picked, shown, deleted and brought back, by real storage and workers."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.app.images.images import picture
from tests.app.web import scenes
from tests.app.web.conftest import ONE_DATABASE
from tests.browser.conftest import wait_for, wait_for_announcement
from tests.conftest import Cast

pytestmark = [pytest.mark.browser, ONE_DATABASE]

SignIn = Callable[[str], Page]

# Files let go over the page, as the browser tells of it.
DROP = """(files) => {
    const dropped = new DataTransfer();
    for (const [name, bytes] of files) {
        dropped.items.add(new File([Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0))], name));
    }
    for (const type of ["dragenter", "dragover", "drop"]) {
        document.querySelector("h1").dispatchEvent(
            new DragEvent(type, {bubbles: true, cancelable: true, dataTransfer: dropped}));
        if (type === "dragover") window.seen = document.querySelector("#image-drop").innerText;
    }
}"""


def drop(page: Page, **files: bytes) -> None:
    page.evaluate(DROP, [[f"{name}.png", base64.b64encode(data).decode()] for name, data in files.items()])


@pytest.mark.usefixtures("workers")
def test_from_two_dropped_files_to_a_cover(sign_in: SignIn, cast: Cast, complaints: list[str]) -> None:
    scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns")
    page = sign_in(cast.starlight.owner)
    page.goto("/games/paper-lanterns/assets")
    expect(page.get_by_text("No images yet.")).to_be_visible()
    whole = picture(600, 840)

    # As on a plain-http LAN, where browsers have no crypto.subtle.
    page.evaluate("Object.defineProperty(crypto, 'subtle', {value: undefined})")
    held: list[Route] = []
    page.route("**/upload-complete", lambda route: held.append(route))
    drop(page, card=whole, broken=picture(seed=2)[:1500])
    assert "Let go to start uploading" in page.evaluate("seen")
    assert "2 images are added to Paper Lanterns." in page.evaluate("seen")

    wait_for(page, lambda: len(held) == 2)
    expect(page.locator("#uploads-sum")).to_contain_text("2 uploads")
    good, bad = sorted(held, key=lambda route: '"byteSize":1500' in (route.request.post_data or ""))

    # One appears, with its placeholder and then its sizes, by itself; the other says why it does not.
    good.continue_()
    tile = page.locator("#assets-tiles .tile", has_text="card.png")
    expect(tile).to_have_attribute("data-state", "ready")
    expect(tile.locator("img")).to_have_attribute("data-loaded", "")
    assert tile.locator("img").evaluate("image => image.currentSrc").endswith("-256.webp")
    canvas = tile.locator("canvas")
    painted = canvas.evaluate("c => [...c.getContext('2d').getImageData(c.width >> 1, c.height >> 1, 1, 1).data]")
    assert painted[3] == 255
    assert any(painted[:3])
    expect(tile).to_contain_text("Not used")
    bad.continue_()
    refused = page.locator("#image-uploads .tile")
    expect(refused).to_have_count(1)
    expect(refused).to_contain_text("Rejected")
    expect(refused).to_contain_text("broken.png")
    wait_for_announcement(page, "broken.png: Rejected")
    refused.get_by_role("button", name="Dismiss: broken.png").click()
    expect(refused).to_have_count(0)
    expect(page.locator("#uploads-sum")).to_be_hidden()

    # Picked as cover it shows in the head and in the list.
    tile.locator("img").click(force=True)  # the tile's link covers its picture
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="card.png")).to_be_focused()
    expect(dialog).to_contain_text("600 × 840 pixels")
    dialog.get_by_role("button", name="Use as cover").click()
    expect(page.locator(".toast")).to_contain_text("card.png is the cover")
    expect(page.locator(".game-head .cover img")).to_have_attribute("data-loaded", "")
    page.get_by_role("link", name="Games", exact=True).first.click()
    expect(page.locator("#game-paper-lanterns .thumb img")).to_have_attribute("data-loaded", "")

    # Deleted and brought back, cover and all.
    page.goto("/games/paper-lanterns/assets")
    tile.get_by_role("link").click()
    dialog.get_by_role("button", name="Delete").click()
    expect(page.locator(".toast")).to_contain_text("card.png is deleted")
    expect(tile).to_have_count(0)
    expect(page.locator(".game-head .cover img")).to_have_count(0)
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(tile).to_contain_text("Cover")
    expect(page.locator(".game-head .cover img")).to_have_count(1)
    assert complaints == []


@pytest.mark.usefixtures("workers")
def test_of_two_equal_images_the_second_is_already_here(sign_in: SignIn, cast: Cast) -> None:
    scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns")
    page = sign_in(cast.starlight.owner)
    page.goto("/games/paper-lanterns/assets")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "PUT" else None)
    drop(page, one=picture(), two=picture())
    second = page.locator("#image-uploads .tile", has_text="two.png")
    expect(second).to_contain_text("Already here")
    expect(second).to_contain_text("The gallery has it as one.png.")
    expect(page.locator("#assets-tiles .tile")).to_have_count(1)
    expect(page.locator("#assets-tiles .tile")).to_contain_text("one.png")
    second.get_by_role("button", name="Dismiss: two.png").click()
    # The same for an image that the gallery shows.
    drop(page, three=picture())
    expect(page.locator("#image-uploads .tile", has_text="three.png")).to_contain_text("Already here")
    assert len(sent) == 1


def test_a_heic_image_is_named_before_it_is_sent(sign_in: SignIn, cast: Cast) -> None:
    scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns")
    page = sign_in(cast.starlight.owner)
    page.goto("/games/paper-lanterns/assets")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "PUT" else None)
    drop(page, photo=b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200))
    tile = page.locator("#image-uploads .tile")
    expect(tile).to_contain_text("Rejected")
    expect(tile).to_contain_text("the file is HEIC. Export it as JPEG")
    assert sent == []


def test_what_could_not_be_taken_is_not_sent_and_other_pages_keep_count(sign_in: SignIn, cast: Cast) -> None:
    scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns")
    page = sign_in(cast.starlight.owner)
    page.goto("/games/paper-lanterns/assets")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method) if request.method in {"POST", "PUT"} else None)
    page.evaluate("""() => {
        const large = new File([new Uint8Array(21 * 1024 * 1024)], "board-master.png");
        const files = new DataTransfer();
        const others = [new File([], "empty.png"), new File(["<svg>"], "drawing.svg")];
        for (const file of [large, ...others]) files.items.add(file);
        const input = document.getElementById("image-files");
        input.files = files.files;
        input.dispatchEvent(new Event("change", {bubbles: true}));
    }""")
    tiles = page.locator("#image-uploads .tile")
    expect(tiles.nth(0)).to_contain_text("Larger than 20 MiB")
    expect(tiles.nth(0)).to_contain_text("It has 21.0 MiB. Export it smaller and choose it again.")
    expect(tiles.nth(1)).to_contain_text("Empty")
    expect(tiles.nth(2)).to_contain_text("Not an image")
    page.get_by_role("link", name="Details").click()
    expect(page.locator("#uploads")).to_contain_text("Paper Lanterns: 3 rejected")
    page.locator("#uploads").get_by_role("link", name="Show").click()
    expect(tiles).to_have_count(3)
    with page.expect_file_chooser():
        tiles.nth(0).get_by_role("button", name="Choose another").click()
    expect(tiles).to_have_count(2)
    assert sent == []


@pytest.mark.usefixtures("workers")
def test_an_image_that_the_network_holds_up_says_so_and_goes_on(
    sign_in: SignIn, context: BrowserContext, cast: Cast
) -> None:
    scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns")
    page = sign_in(cast.starlight.owner)
    page.clock.install()
    page.goto("/games/paper-lanterns/assets")
    on_its_way = page.locator("#image-uploads .tile")

    # Without the server: it goes on by itself.
    context.set_offline(True)
    drop(page, first=picture(seed=1))
    expect(on_its_way).to_contain_text("Waiting")
    expect(on_its_way).to_contain_text("the server does not answer, retrying 1 of 10 in")
    context.set_offline(False)
    expect(page.locator("#assets-tiles .tile", has_text="first.png")).to_be_visible()
    expect(on_its_way).to_have_count(0)

    # Without storage: at once, when somebody says so. The clock stands still: it would try by itself after 5 s.
    page.clock.pause_at(datetime.fromtimestamp(page.evaluate("Date.now()") / 1000 + 1, UTC))
    page.route("**/staging/**", lambda route: route.abort())
    drop(page, second=picture(seed=2))
    expect(on_its_way).to_contain_text("storage is unreachable, retrying 1 of 10 in")
    page.unroute("**/staging/**")
    on_its_way.get_by_role("button", name="Try again: second.png").click()
    page.clock.resume()
    expect(page.locator("#assets-tiles .tile", has_text="second.png")).to_be_visible()
    expect(page.locator("#assets-tiles .tile")).to_have_count(2)
