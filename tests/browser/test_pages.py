"""Pages in a real browser: by keyboard, without a script, under the policy."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, Route, expect

from tests.app.web import scenes
from tests.app.web.conftest import ONE_DATABASE
from tests.browser.conftest import wait_for, with_fonts
from tests.conftest import PASSWORD, Cast
from tests.live_server import LiveServer

pytestmark = [pytest.mark.browser, ONE_DATABASE]

SignIn = Callable[[str], Page]


@pytest.fixture
def catalog(cast: Cast, six_servers: list[str]) -> None:
    scenes.catalog(cast.starlight.partner_id)
    scenes.servers_report(silent=["srv-06"])


def test_a_person_with_a_keyboard_gets_from_the_form_to_a_game(
    page: Page, cast: Cast, catalog: None, complaints: list[str]
) -> None:
    page.goto("/sign-in")
    expect(page.get_by_label("Email")).to_be_focused()
    page.keyboard.type(cast.starlight.owner)
    page.keyboard.press("Tab")  # to "Show"
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/games")
    page.keyboard.press("/")
    expect(page.get_by_label("Search title, slug or tag")).to_be_focused()
    page.keyboard.type("forking")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=forking*")
    expect(page.get_by_text("Showing 1 game")).to_be_visible()
    expect(page.get_by_label("Search title, slug or tag")).to_be_focused()  # a search loads the list alone
    link = page.get_by_role("link", name="The Garden of Forking Paths")
    link.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/games/garden-of-forking-paths")
    expect(page.get_by_role("heading", level=1)).to_have_text("The Garden of Forking Paths")
    # A boosted page begins where a loaded one does.
    expect(page.locator("main")).to_be_focused()
    assert complaints == []


def test_wrong_input_is_kept_and_the_summary_has_the_focus(page: Page, cast: Cast, complaints: list[str]) -> None:
    page.goto("/sign-in")
    page.get_by_label("Email").fill(cast.starlight.owner)
    page.get_by_label("Password", exact=True).fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#summary")).to_be_focused()
    expect(page.get_by_label("Email")).to_have_value(cast.starlight.owner)
    expect(page.get_by_label("Password", exact=True)).to_have_value("")
    assert complaints == []


def test_the_password_can_be_looked_at(page: Page, cast: Cast) -> None:
    page.goto("/sign-in")
    page.get_by_label("Password", exact=True).fill("secret")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#password")).to_have_attribute("type", "text")
    page.get_by_role("button", name="Hide").click()
    expect(page.locator("#password")).to_have_attribute("type", "password")


def test_filters_change_the_address_and_the_back_button_undoes_them(
    sign_in: SignIn, cast: Cast, catalog: None, complaints: list[str]
) -> None:
    page = sign_in(cast.starlight.owner)
    page.get_by_role("combobox", name="Tag").select_option("Horror")
    page.wait_for_url("**tag=Horror*")
    expect(page.locator(".row-link")).to_have_count(1)
    page.get_by_role("link", name="Waiting for a build").click()
    expect(page.get_by_text("No games match “Tag: Horror” and “Waiting for a build”.")).to_be_visible()
    page.go_back()
    expect(page.locator(".row-link")).to_have_text(["Night Ferry"])
    assert complaints == []


def test_the_theme_changes_at_once_and_stays(sign_in: SignIn, cast: Cast, complaints: list[str]) -> None:
    page = sign_in(cast.starlight.owner)
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(ground)
    page.locator("summary", has_text="Theme").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    assert page.evaluate(ground) == dark
    assert complaints == []


def test_escape_closes_a_menu_and_gives_the_focus_back(sign_in: SignIn, cast: Cast) -> None:
    page = sign_in(cast.starlight.owner)
    account = page.locator("summary", has_text="Account")
    account.click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    expect(account).to_be_focused()


def test_a_button_says_what_is_under_way_and_can_be_pressed_again_when_it_failed(sign_in: SignIn, cast: Cast) -> None:
    page = sign_in(cast.starlight.owner)
    page.goto("/profile")
    held: list[Route] = []
    page.route("**/profile/name", lambda route: held.append(route))
    name = page.get_by_label("Name", exact=True)
    name.fill("Mira Okafor")
    save = page.locator("button[data-busy='Saving…']")
    width = save.evaluate("button => button.offsetWidth")
    save.click()
    expect(save).to_have_attribute("aria-disabled", "true")
    expect(save).to_have_accessible_name("Saving…")
    assert save.evaluate("button => button.offsetWidth") == width
    save.click(force=True)
    wait_for(page, lambda: bool(held))
    assert len(held) == 1, "a second press sends nothing"
    held.pop().abort()
    expect(save).to_have_accessible_name("Save name")
    save.click()
    expect(save).to_have_accessible_name("Saving…")
    wait_for(page, lambda: bool(held))
    held.pop().continue_()
    expect(page.locator(".toast")).to_be_visible()
    expect(name).to_have_value("Mira Okafor")
    expect(save).to_have_accessible_name("Save name")


def test_the_last_press_wins_and_a_form_that_was_sent_is_never_aborted(
    sign_in: SignIn, cast: Cast, catalog: None
) -> None:
    page = sign_in(cast.starlight.owner)
    held: list[Route] = []
    patterns: list[str] = []
    aborted: list[str] = []

    def note(request: Request) -> None:
        if "hx-request" in request.headers:  # not a stream, which ends with its page
            aborted.append(f"{request.method} {urlsplit(request.url).path}")

    page.on("requestfailed", note)

    def slow(pattern: str, press: Callable[[], None]) -> None:
        """Press something whose answer does not come yet."""
        page.route(pattern, lambda route: held.append(route))
        # Only now: without any pattern, the browser would continue what it holds.
        for earlier in patterns:
            page.unroute(earlier)
        patterns[:] = [pattern]
        before = len(held)
        press()
        wait_for(page, lambda: len(held) > before)

    # A link that is pressed again after another one is the last press, too.
    night_ferry = page.get_by_role("link", name="Night Ferry")
    slow("**/games/night-ferry", night_ferry.click)
    slow("**/games/low-tide", page.get_by_role("link", name="Low Tide").click)
    night_ferry.click()
    wait_for(page, lambda: aborted == ["GET /games/night-ferry", "GET /games/low-tide"])
    expect(page.get_by_role("heading", level=1)).to_contain_text("Night Ferry")

    # A search, whose answer would change the address.
    page.goto("/games")
    slow("**/games?*q=moth*", lambda: page.get_by_role("searchbox").fill("moth"))
    page.get_by_role("link", name="Servers", exact=True).click()
    wait_for(page, lambda: aborted[2:] == ["GET /games"])
    expect(page.get_by_role("heading", level=1)).to_have_text("Servers")
    assert page.url.endswith("/servers")

    # A form that is sent after a link aborts it. A form is not aborted by a link: its answer is shown when it comes.
    page.goto("/profile")
    save, name = page.get_by_role("button", name="Save name"), page.get_by_label("Name", exact=True)
    slow("**/servers", page.get_by_role("link", name="Servers", exact=True).click)
    name.fill("Mira Okafor")
    save.click()
    expect(page.locator(".toast")).to_be_visible()
    assert aborted[3:] == ["GET /servers"]
    page.reload()
    expect(name).to_have_value("Mira Okafor")
    name.fill("Mira Lindqvist")
    slow("**/profile/name", save.click)
    page.get_by_role("link", name="Servers", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Servers")
    held[-1].continue_()
    expect(page.locator(".toast")).to_be_visible()
    expect(name).to_have_value("Mira Lindqvist")
    assert len(aborted) == 4


def test_signing_out_leaves_nothing_behind(sign_in: SignIn, cast: Cast, catalog: None) -> None:
    page = sign_in(cast.starlight.owner)
    page.locator("summary", has_text="Account").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    page.go_back()
    page.wait_for_url(re.compile(r"/sign-in\?next=/games$"))
    expect(page.get_by_text("Paper Lanterns")).to_have_count(0)


def test_times_are_the_readers_own(sign_in: SignIn, cast: Cast, catalog: None) -> None:
    page = sign_in(cast.starlight.owner)
    page.goto("/games/garden-of-forking-paths")
    expect(page.get_by_text("Times are local (UTC+1).")).to_be_visible()
    assert "UTC" not in page.locator("#fleet").inner_text()
    expect(page.locator("#game-state time")).to_have_text(re.compile(r"^2\d\smin ago$"))


def test_the_command_is_copied_or_selected(sign_in: SignIn, context: BrowserContext, cast: Cast, catalog: None) -> None:
    page = sign_in(cast.starlight.owner)
    page.goto("/games/paper-lanterns")
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("curl -T paper-lanterns.tar.gz \\\n  http://127.0.0.1")
    # A page on a plain-http LAN has no clipboard.
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    expect(page.get_by_role("button", name="Copy", exact=True)).to_be_visible()
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.get_by_role("button", name=re.compile("Press "))).to_be_visible()
    assert "curl -T" in page.evaluate("getSelection().toString()")


def test_a_link_to_what_is_gone_shows_why(sign_in: SignIn, cast: Cast, catalog: None) -> None:
    page = sign_in(cast.starlight.owner)
    gone = scenes.add_game(cast.starlight.partner_id, "Low Tides", "low-tides")
    # Else the list would lose it before it is clicked.
    page.route(re.compile("/catalog/(live|parts)"), lambda route: route.abort())
    page.reload()
    scenes.delete(gone)
    page.get_by_role("link", name="Low Tides").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("No game at this address")
    page.get_by_role("link", name="Low Tide").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Low Tide")


def test_everything_works_without_a_script(chromium: Browser, site: LiveServer, cast: Cast, catalog: None) -> None:
    context = chromium.new_context(base_url=site.url, java_script_enabled=False)
    page = context.new_page()
    page.goto("/games/garden-of-forking-paths")
    page.get_by_label("Email").fill(cast.starlight.owner)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/games/garden-of-forking-paths")  # where they were going
    expect(page.get_by_role("heading", level=1)).to_have_text("The Garden of Forking Paths")
    expect(page.get_by_role("button", name="Copy")).to_have_count(0)
    page.get_by_role("button", name="Retry now: srv-04, build 4").click()
    page.wait_for_url("**/games/garden-of-forking-paths#fleet")
    page.goto("/games")
    page.get_by_role("combobox", name="Tag").select_option("Horror")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator(".row-link")).to_have_text(["Night Ferry"])
    page.locator("summary", has_text="Theme").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    context.close()


def test_another_page_begins_at_its_top(sign_in: SignIn, page: Page, cast: Cast, catalog: None) -> None:
    sign_in(cast.starlight.owner)
    page.set_viewport_size({"width": 1280, "height": 400})
    page.goto("/games/garden-of-forking-paths")
    page.evaluate("window.sameDocument = true")
    link = page.locator("#b1 .row-link")
    link.scroll_into_view_if_needed()
    assert page.evaluate("scrollY") > 0
    link.click()
    expect(page).to_have_url(re.compile(r"/builds/\d+$"))
    assert page.evaluate("scrollY") == 0
    assert page.evaluate("window.sameDocument")


def test_no_page_scrolls_sideways(sign_in: SignIn, page: Page, cast: Cast, catalog: None) -> None:
    def look() -> None:
        with_fonts(page)
        for width in (360, 800, 1280, 1920):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{page.url} at {width} px"

    sign_in(cast.moonbase.owner)  # nothing there yet: the first use
    look()
    page.context.clear_cookies()
    sign_in(cast.starlight.owner)
    for path in ("/games", "/games/garden-of-forking-paths", "/games/nowhere", "/games/moth-season"):
        page.goto(path)
        look()


def test_on_a_narrow_page_every_button_of_a_build_is_inside_its_panel(
    sign_in: SignIn, page: Page, cast: Cast, catalog: None
) -> None:
    sign_in(cast.starlight.owner)
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto("/games/garden-of-forking-paths")
    with_fonts(page)
    for action in page.locator("#game-action").get_by_role("link").all():
        expect(action).to_be_in_viewport(ratio=1)
    expect(page.locator("#game-action")).to_have_text(re.compile(r"Roll back to build 3\s+Release build 5"))
    expect(page.locator(".builds .actions a", has_text="Roll back")).not_to_have_count(0)
    outside = page.eval_on_selector_all(
        ".builds .actions a",
        """links => links.filter(link => link.getBoundingClientRect().right >
             link.closest(".panel").getBoundingClientRect().right).map(link => link.ariaLabel)""",
    )
    assert outside == []
    page.goto("/games/garden-of-forking-paths/components")
    expect(page.locator(".add-component")).to_be_in_viewport(ratio=1)


def test_on_a_phone_the_search_and_the_list_come_before_the_second_button(
    sign_in: SignIn, page: Page, cast: Cast, catalog: None
) -> None:
    sign_in(cast.starlight.owner)
    page.set_viewport_size({"width": 360, "height": 740})
    with_fonts(page)
    title, register = page.get_by_role("heading", level=1), page.get_by_role("link", name="Register a game")
    search, upload = page.get_by_role("searchbox"), page.get_by_role("button", name="Upload a new game")
    for each in (register, search):
        expect(each).to_be_in_viewport(ratio=1)
    tops = [each.bounding_box() for each in (title, register, search, page.locator("#games-table"), upload)]
    heights = [box["y"] for box in tops if box]
    assert heights[1] < heights[0] + 20, "on the line of the title"
    assert heights[1] < heights[2] < heights[3] < heights[4]
    with page.expect_file_chooser():
        upload.click()


def test_on_a_narrow_page_other_builds_unfold(sign_in: SignIn, page: Page, cast: Cast, catalog: None) -> None:
    sign_in(cast.starlight.owner)
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto("/games/garden-of-forking-paths")
    expect(page.locator("#c4-srv-01")).to_be_visible()
    expect(page.locator("#c3-srv-01")).to_be_hidden()
    page.locator("#build-3 summary").click()
    expect(page.locator("#c3-srv-01")).to_be_visible()
    # Nothing can be dropped where there is no pointer that hovers.
    drop = page.locator("#drop")
    expect(drop).to_contain_text("Drop a .tar.gz anywhere on this page. At most", use_inner_text=True)
    page.context.new_cdp_session(page).send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    expect(drop).to_contain_text("One .tar.gz. At most", use_inner_text=True)
    expect(drop).not_to_contain_text("anywhere on this page", use_inner_text=True)
