"""Settings in a real browser: dialogs, secrets shown once, choices beside their button; and what axe-core finds."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import select

from app.accounts.keys import create_key
from app.accounts.members import invite
from app.data.extensions import db
from app.data.models.partner import Member, Partner
from tests.app.web.conftest import ONE_DATABASE
from tests.browser.conftest import visit, with_fonts
from tests.browser.effort import Effort
from tests.browser.test_axe import LOOKS, findings
from tests.conftest import CAST, PASSWORD, Cast
from tests.live_server import LiveServer

pytestmark = [pytest.mark.browser, ONE_DATABASE]

SignIn = Callable[[str], Page]
SECRET = re.compile(r"^pp_[\w-]{43}\s*$")


@pytest.fixture
def partner(cast: Cast) -> Partner:
    """Starlight Studio with one named key and one open invitation."""
    partner = db.session.get_one(Partner, cast.starlight.partner_id)
    create_key(partner, "Build farm", ["read", "upload"], CAST, "Nightly")
    invite(partner, "noor@starlight.example", "developer", CAST)
    return partner


def make_key(page: Page, name: str) -> str:
    """Create a key in the dialog; returns its text."""
    page.get_by_role("link", name="Create a key", exact=True).click()
    dialog = page.get_by_role("dialog", name="Create a key")
    dialog.get_by_label("App", exact=True).select_option(label="Build farm")
    dialog.get_by_label("Name", exact=True).fill(name)
    dialog.get_by_label("Your password").fill(PASSWORD)
    dialog.get_by_role("button", name="Create the key").click()
    shown = page.get_by_role("region", name="The new key", exact=True)
    expect(shown).to_have_text(SECRET)
    return shown.inner_text().strip()


def call(site: LiveServer, secret: str) -> str:
    """The status of a call with a key, made by the command line as the reference shows it."""
    done = subprocess.run(
        ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"{site.url}/api/partners/games", "-H", "@-"],
        input=f"Authorization: Bearer {secret}\n",  # a secret stays out of argv
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout


def test_a_key_is_made_used_rolled_and_revoked(
    site: LiveServer, partner: Partner, sign_in: SignIn, cast: Cast, effort: Effort, complaints: list[str]
) -> None:
    page = sign_in(cast.starlight.owner)
    effort.begin(page)
    page.get_by_role("link", name="Settings", exact=True).first.click()
    page.get_by_role("link", name="API keys", exact=True).click()
    first = make_key(page, "Release pipeline")
    expect(page.get_by_role("heading", name="Copy the new key for Build farm now")).to_be_focused()
    page.locator(".shown-once .copy").click()
    effort.assert_documented("Create an API key and copy it", page)
    assert call(site, first) == "200"

    page.reload()
    expect(page.get_by_text("Release pipeline")).to_be_visible()
    expect(page.get_by_role("region", name="The new key", exact=True)).to_have_count(0)
    assert first not in page.content()

    row = page.get_by_role("row", name="Release pipeline")
    row.get_by_role("link", name="Roll").click()
    page.get_by_role("dialog").get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Roll the key").click()
    expect(page.get_by_text("works until tomorrow")).to_be_visible()
    second = page.get_by_role("region", name="The new key", exact=True).inner_text().strip()
    assert (call(site, first), call(site, second)) == ("200", "200")
    page.get_by_role("link", name="I have stored it").click()
    expect(page.get_by_role("region", name="The new key", exact=True)).to_have_count(0)

    page.get_by_role("row", name="Release pipeline, old").get_by_role("link", name="Revoke now").click()
    expect(page.get_by_role("dialog")).to_contain_text("Build farm used it")
    page.get_by_role("button", name="Revoke key").click()
    expect(page.locator(".toast")).to_contain_text("is revoked")
    assert (call(site, first), call(site, second)) == ("401", "200")
    assert complaints == []


def test_a_new_key_is_downloaded_as_a_file(partner: Partner, sign_in: SignIn, cast: Cast) -> None:
    page = sign_in(cast.starlight.owner)
    page.goto("/settings/keys")
    secret = make_key(page, "Laptop")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as .env").click()
    assert download.value.suggested_filename == "slipway.env"
    assert f"SLIPWAY_KEY={secret}\n" in Path(download.value.path()).read_text()
    expect(page.get_by_role("region", name="The new key", exact=True)).to_have_text(SECRET)  # still there


def test_a_dialog_takes_the_focus_and_gives_it_back(
    partner: Partner, sign_in: SignIn, cast: Cast, complaints: list[str]
) -> None:
    page = sign_in(cast.starlight.owner)
    page.goto("/settings/keys")
    opener = page.get_by_role("link", name="Add an app")
    for closing in ("Escape", "Cancel"):
        opener.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Add an app")).to_be_focused()
        if closing == "Escape":
            page.keyboard.press("Escape")
        else:
            page.get_by_role("dialog").get_by_role("link", name="Cancel").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(opener).to_be_focused()
        expect(page.locator("#dialog")).to_be_empty()
    expect(page).to_have_url(re.compile("/settings/keys$"))
    assert complaints == []


def test_a_refused_dialog_becomes_a_page_that_keeps_the_input(partner: Partner, sign_in: SignIn, cast: Cast) -> None:
    page = sign_in(cast.starlight.owner)
    page.goto("/settings/keys")
    page.get_by_role("link", name="Add an app").click()
    page.get_by_label("Name").fill("Build farm")
    page.get_by_label("Description").fill("On every tag")
    page.get_by_role("button", name="Add the app").click()
    expect(page.locator("#summary")).to_be_focused()
    expect(page.get_by_label("Description")).to_have_value("On every tag")
    page.get_by_label("Name").fill("Another farm")
    page.get_by_role("button", name="Add the app").click()
    expect(page.get_by_role("heading", name="Another farm")).to_be_visible()


def test_the_name_of_a_new_app_is_asked_for_only_when_there_is_one(
    partner: Partner, sign_in: SignIn, cast: Cast
) -> None:
    page = sign_in(cast.starlight.owner)
    page.goto("/settings/keys/new")
    name = page.get_by_label("Name of the new app")
    expect(name).to_be_hidden()
    page.get_by_label("App", exact=True).select_option(label="A new app")
    expect(name).to_be_visible()


def test_a_role_is_saved_by_its_button_which_is_there_when_it_differs(
    partner: Partner, sign_in: SignIn, cast: Cast, complaints: list[str]
) -> None:
    page = sign_in(cast.starlight.owner)
    page.goto("/settings/members")
    row = page.get_by_role("row", name="viewer@starlight.example")
    save, choice = row.get_by_role("button", name="Save"), row.get_by_role("combobox")
    expect(save).to_be_hidden()
    choice.select_option("developer")
    expect(save).to_be_visible()
    choice.select_option("viewer")
    expect(save).to_be_hidden()
    choice.select_option("developer")
    save.click()
    expect(page.locator(".toast")).to_contain_text("Viewer is a developer now")
    db.session.rollback()
    db.session.expire_all()
    assert db.session.scalars(select(Member).where(Member.email == cast.starlight.viewer)).one().role == "developer"
    assert complaints == []


def test_somebody_is_invited_and_joins_in_another_browser(
    chromium: Browser,
    site: LiveServer,
    partner: Partner,
    sign_in: SignIn,
    cast: Cast,
    effort: Effort,
    complaints: list[str],
) -> None:
    page = sign_in(cast.starlight.owner)
    effort.begin(page)
    page.get_by_role("link", name="Members", exact=True).first.click()
    form = page.get_by_role("form", name="Invite somebody")
    form.get_by_label("Email").fill("kim@starlight.example")
    form.get_by_label("Role").select_option("viewer")
    page.get_by_role("button", name="Create invitation").click()
    link = page.get_by_role("region", name="The link", exact=True).inner_text().strip()
    page.locator(".shown-once .copy").click()
    effort.assert_documented("Invite a member and copy the link", page)
    page.reload()
    expect(page.get_by_role("region", name="The link", exact=True)).to_have_count(0)

    other = visit(chromium, site.url, complaints)
    joining = other.new_page()
    effort_of_joining = Effort(other)
    joining.goto(link)
    expect(joining.get_by_label("Your name")).to_be_focused()
    joining.keyboard.type("Kim")
    joining.get_by_label("Password", exact=True).fill("a new long password")
    joining.get_by_role("button", name="Join and sign in").click()
    expect(joining.locator(".toast")).to_contain_text("Welcome to Starlight Studio")
    effort_of_joining.assert_documented("Join with an invitation", joining)
    joining.goto("/settings/members")
    expect(joining.get_by_role("row", name="kim@starlight.example")).to_contain_text("Kim you")
    other.close()
    assert complaints == []


def test_a_toast_leaves_when_it_is_dismissed(partner: Partner, sign_in: SignIn, cast: Cast) -> None:
    page = sign_in(cast.starlight.owner)
    page.goto("/settings/members")
    page.get_by_role("button", name="Withdraw the invitation of noor@starlight.example").click()
    toast = page.locator(".toast")
    expect(toast).to_contain_text("is withdrawn")
    expect(page.get_by_role("status")).to_contain_text("is withdrawn")
    toast.get_by_role("button", name="Dismiss").click()
    expect(toast).to_have_count(0)


def test_the_theme_changes_in_place(sign_in: SignIn, cast: Cast, complaints: list[str]) -> None:
    page = sign_in(cast.starlight.owner)
    page.goto("/settings/appearance")
    page.evaluate("window.sameDocument = true")
    dark = page.locator("main").get_by_role("button", name="Dark")
    dark.click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(dark).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("window.sameDocument")
    assert complaints == []


def test_folded_filters_and_the_menu_of_a_phone_can_be_tapped(partner: Partner, sign_in: SignIn, cast: Cast) -> None:
    page = sign_in(cast.starlight.owner)
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto("/settings/activity")
    page.get_by_text("Filters and order").click()
    page.get_by_role("link", name="Releases", exact=True).click()
    expect(page.get_by_role("link", name="Releases", exact=True)).to_have_attribute("aria-current", "true")
    page.locator(".small-menu > summary").click()
    expect(page.locator(".small-menu").get_by_role("link", name="Members")).to_be_visible()


def test_everything_can_be_done_without_a_script(
    chromium: Browser, site: LiveServer, partner: Partner, cast: Cast, complaints: list[str]
) -> None:
    context = chromium.new_context(base_url=site.url, java_script_enabled=False)
    context.set_default_timeout(10_000)
    page = context.new_page()
    page.goto("/sign-in")
    page.get_by_label("Email").fill(cast.starlight.owner)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.goto("/settings/keys")
    page.get_by_role("link", name="Create a key", exact=True).click()
    page.get_by_label("App", exact=True).select_option(label="Build farm")
    page.get_by_label("Name", exact=True).fill("Plain")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Create the key").click()
    expect(page.get_by_role("region", name="The new key", exact=True)).to_have_text(SECRET)
    page.get_by_role("link", name="I have stored it").click()
    page.get_by_role("row", name="Plain").get_by_role("link", name="Revoke").click()
    page.get_by_role("button", name="Revoke key").click()
    expect(page.locator(".toast")).to_contain_text("is revoked")
    page.goto("/settings/members")
    row = page.get_by_role("row", name="viewer@starlight.example")
    row.get_by_role("combobox").select_option("developer")
    row.get_by_role("button", name="Save").click()
    expect(page.locator(".toast")).to_contain_text("Viewer is a developer now")
    page.goto("/settings/appearance")
    page.locator("main").get_by_role("button", name="Light").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    expect(page).to_have_url(re.compile("/settings/appearance$"))
    context.close()


PAGES = [
    *(f"/settings/{name}" for name in ("partner", "members", "keys", "quota", "appearance", "activity", "keys/new")),
    "/settings/apps/new",
    "/settings/activity?kind=games",
    "/profile",
    "/reference",
]


@LOOKS
def test_axe_finds_nothing_and_no_page_scrolls_sideways(
    page: Page, partner: Partner, sign_in: SignIn, cast: Cast, theme: Literal["light", "dark"], width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=theme)
    link = f"/invitations/{invite(partner, 'kim@starlight.example', 'viewer', CAST)[1]}"
    page.goto(link)
    found = {"/invitations": findings(page)}
    page.get_by_role("button", name="Join and sign in").click()
    page.locator("#summary").wait_for()
    found["/invitations, refused"] = findings(page)
    sign_in(cast.starlight.owner)
    for path in PAGES:
        page.goto(path)
        found[path] = findings(page)
        with_fonts(page)
        for each in (360, width):
            page.set_viewport_size({"width": each, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= each, path
    page.goto("/settings/keys")
    make_key(page, "Shown")
    found["a key is shown"] = findings(page)
    page.get_by_role("link", name="Roll").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    found["a dialog"] = findings(page)
    page.get_by_role("button", name="Roll the key").click()
    page.locator("#summary").wait_for()
    found["a refused roll"] = findings(page)
    page.goto("/settings/members")
    page.get_by_role("button", name="Password link").first.click()
    made = page.locator(".shown-once pre")
    made.wait_for()
    found["a password link"] = findings(page)
    page.goto(made.inner_text().strip())
    found["/new-password"] = findings(page)
    page.get_by_role("button", name="Set password and sign in").click()
    page.locator("#summary").wait_for()
    found["/new-password, refused"] = findings(page)
    page.goto("/operator/servers")
    found["an operator's page, to an owner"] = findings(page)
    assert {path: each for path, each in found.items() if each} == {}
