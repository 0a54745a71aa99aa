"""Nothing typed is lost: the session ends, the token is old, the network is gone, a dialog needs a change."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Dialog, Page, expect

from app.accounts.keys import create_key
from app.accounts.sign_ins import end_all
from app.data.database import writing
from app.data.extensions import db
from app.data.models.partner import Member, Partner
from app.refusals import Unavailable
from app.web.games import game_details
from tests.app.web import scenes
from tests.app.web.conftest import ONE_DATABASE
from tests.browser.conftest import wait_for
from tests.browser.effort import Effort
from tests.conftest import CAST, PASSWORD, Cast

pytestmark = [pytest.mark.browser, ONE_DATABASE]

SignIn = Callable[[str], Page]
# What htmx writes about a request that failed.
FAILED = re.compile(r"^Response Status Error Code|^\[object Event\]|ERR_INTERNET_DISCONNECTED|^htmx:")


@pytest.fixture
def details(sign_in: SignIn, cast: Cast) -> Page:
    """The details of a game, with a description that is typed and not saved."""
    scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns")
    page = sign_in(cast.starlight.owner)
    page.goto("/games/paper-lanterns/details")
    page.get_by_label("Description").fill("Typed, and not saved yet.")
    return page


def end_session(cast: Cast) -> None:
    member = db.session.query(Member).filter_by(email=cast.starlight.owner).one()
    with writing() as session:
        end_all(session, member)


def unexpected(complaints: list[str]) -> list[str]:
    """What the console says besides the requests that are meant to fail."""
    return [line for line in complaints if not FAILED.search(line)]


def save(page: Page) -> None:
    page.get_by_role("button", name="Save the details").click()


def answer_no(asked: list[str]) -> Callable[[Dialog], None]:
    """Answer a question of the browser with no, and record it."""

    def answer(question: Dialog) -> None:
        asked.append(question.message)
        question.dismiss()

    return answer


def expect_saved(page: Page) -> None:
    expect(page.locator(".toast")).to_contain_text("The details are saved")
    expect(page.get_by_label("Description")).to_have_value("Typed, and not saved yet.")


def test_a_session_that_ended_is_renewed_over_the_page(
    details: Page, cast: Cast, effort: Effort, complaints: list[str]
) -> None:
    page = details
    end_session(cast)
    effort.begin(page)
    save(page)
    dialog = page.get_by_role("dialog", name="You are no longer signed in")
    expect(dialog.get_by_label("Email")).to_be_focused()
    dialog.get_by_label("Email").fill(cast.starlight.owner)
    dialog.get_by_label("Password", exact=True).fill(PASSWORD)
    dialog.get_by_role("button", name="Sign in").click()
    expect_saved(page)
    effort.assert_documented("Save a form after the session has expired", page, has_long_form=True)
    assert unexpected(complaints) == []


def test_a_wrong_password_keeps_the_dialog_of_an_ended_session(
    details: Page, cast: Cast, complaints: list[str]
) -> None:
    page = details
    end_session(cast)
    save(page)
    dialog = page.get_by_role("dialog", name="You are no longer signed in")
    dialog.get_by_label("Email").fill(cast.starlight.owner)
    dialog.get_by_label("Password", exact=True).fill("wrong" + PASSWORD)
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog).to_contain_text("Email or password is wrong")
    dialog.get_by_label("Password", exact=True).fill(PASSWORD)
    dialog.get_by_role("button", name="Sign in").click()
    expect_saved(page)
    assert unexpected(complaints) == []


def test_a_page_of_an_earlier_session_sends_its_form_with_the_new_token(
    details: Page, context: BrowserContext, cast: Cast, complaints: list[str]
) -> None:
    other = context.new_page()
    other.goto("/games")
    other.get_by_text("Account").locator("..").click()
    other.get_by_role("button", name="Sign out").last.click()
    other.get_by_label("Email").fill(cast.starlight.owner)
    other.get_by_label("Password", exact=True).fill(PASSWORD)
    other.get_by_role("button", name="Sign in").click()
    other.wait_for_url("**/games")
    save(details)
    expect_saved(details)
    assert unexpected(complaints) == []


def test_another_member_does_not_send_what_was_typed(details: Page, context: BrowserContext, cast: Cast) -> None:
    other = context.new_page()
    context.clear_cookies()
    other.goto("/sign-in")
    other.get_by_label("Email").fill(cast.starlight.viewer)
    other.get_by_label("Password", exact=True).fill(PASSWORD)
    other.get_by_role("button", name="Sign in").click()
    other.wait_for_url("**/games")
    save(details)
    expect(details.get_by_role("alert")).to_contain_text("Another member is signed in now")
    expect(details.get_by_label("Description")).to_have_value("Typed, and not saved yet.")


def test_a_press_that_could_not_be_sent_is_reported(
    details: Page, context: BrowserContext, complaints: list[str]
) -> None:
    page = details
    context.set_offline(True)
    save(page)
    expect(page.get_by_role("alert")).to_contain_text("This was not sent")
    expect(page.get_by_role("alert")).to_contain_text("This computer is offline. What you typed is still here.")
    context.set_offline(False)
    save(page)
    expect_saved(page)
    expect(page.get_by_role("alert")).to_have_count(0)
    assert unexpected(complaints) == []


def test_a_link_that_could_not_be_opened_is_reported(sign_in: SignIn, context: BrowserContext, cast: Cast) -> None:
    page = sign_in(cast.starlight.owner)
    context.set_offline(True)
    page.get_by_role("link", name="Settings", exact=True).first.click()
    expect(page.get_by_role("alert")).to_contain_text("The page was not opened")


def test_leaving_edited_details_asks(details: Page, complaints: list[str]) -> None:
    page = details
    asked: list[str] = []
    page.once("dialog", answer_no(asked))
    page.get_by_role("link", name="Activity", exact=True).first.click()
    assert asked == ["What you changed here is not saved. Leave without saving?"]
    expect(page.get_by_label("Description")).to_have_value("Typed, and not saved yet.")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("link", name="Images").click()
    expect(page.get_by_role("heading", name="Add images")).to_be_visible()
    assert complaints == []


def test_leaving_details_that_were_not_edited_does_not_ask(sign_in: SignIn, cast: Cast) -> None:
    scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns")
    page = sign_in(cast.starlight.owner)
    page.goto("/games/paper-lanterns/details")
    asked: list[str] = []
    page.on("dialog", answer_no(asked))
    page.get_by_label("Description").fill("Typed, and saved.")
    save(page)
    expect(page.locator(".toast")).to_contain_text("The details are saved")
    page.get_by_role("link", name="Images").click()
    expect(page.get_by_role("heading", name="Add images")).to_be_visible()
    assert asked == []


def test_the_back_button_asks_before_it_leaves_edited_details(sign_in: SignIn, cast: Cast) -> None:
    scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns")
    page = sign_in(cast.starlight.owner)
    page.goto("/games/paper-lanterns")
    page.get_by_role("link", name="Details").click()
    page.get_by_label("Description").fill("Typed, and not saved yet.")
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.evaluate("history.back()")
    page.wait_for_url("**/details")
    expect(page.get_by_label("Description")).to_have_value("Typed, and not saved yet.")


@pytest.fixture
def keys(sign_in: SignIn, cast: Cast) -> Page:
    """The page of API keys, with one app."""
    partner = db.session.get_one(Partner, cast.starlight.partner_id)
    create_key(partner, "Build farm", ["read", "upload"], CAST, "Nightly")
    page = sign_in(cast.starlight.owner)
    page.goto("/settings/keys")
    return page


def test_a_dialog_that_needs_a_change_stays_a_dialog(keys: Page, complaints: list[str]) -> None:
    page = keys
    page.get_by_role("link", name="Create a key", exact=True).click()
    dialog = page.get_by_role("dialog", name="Create a key")
    dialog.get_by_label("Name", exact=True).fill("Release pipeline")
    dialog.get_by_label("Your password").fill("wrong" + PASSWORD)
    dialog.get_by_role("button", name="Create the key").click()
    expect(dialog.get_by_role("alert")).to_be_focused()
    expect(dialog.get_by_label("Name", exact=True)).to_have_value("Release pipeline")
    assert page.url.endswith("/settings/keys")
    dialog.get_by_label("Your password").fill(PASSWORD)
    dialog.get_by_role("button", name="Create the key").click()
    expect(page.get_by_role("region", name="The new key", exact=True)).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert complaints == []


def test_back_closes_a_dialog_and_leaves_the_page(keys: Page, complaints: list[str]) -> None:
    page = keys
    page.evaluate("window.sameDocument = true")
    before = page.evaluate("history.length")
    page.get_by_role("link", name="Add an app").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.evaluate("history.back()")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("link", name="Add an app").click()
    page.get_by_role("dialog").get_by_role("link", name="Cancel").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.wait_for_function("history.state !== 'dialog'")
    assert page.evaluate("history.length") == before + 1, "the entry of the dialog is used again"
    assert page.evaluate("window.sameDocument")
    page.get_by_role("link", name="Add an app").click()
    page.get_by_role("dialog").get_by_label("Name", exact=True).fill("Component Studio")
    page.get_by_role("dialog").get_by_role("button", name="Add the app").click()
    expect(page.locator(".toast")).to_contain_text("Component Studio")
    page.evaluate("history.back()")
    page.wait_for_url(re.compile(r"/settings/keys$"))
    expect(page.get_by_role("heading", name="API keys")).to_be_visible()
    assert complaints == []


def test_an_edited_dialog_asks_before_it_closes(sign_in: SignIn, cast: Cast, complaints: list[str]) -> None:
    scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns")
    page = sign_in(cast.starlight.owner)
    page.goto("/games/paper-lanterns/components")
    page.get_by_role("link", name="Add a component").first.click()
    dialog = page.get_by_role("dialog", name="Add a component")
    dialog.get_by_label("Name", exact=True).fill("Queen")
    asked: list[str] = []
    page.on("dialog", answer_no(asked))
    page.evaluate("history.back()")
    wait_for(page, lambda: len(asked) == 1)
    page.wait_for_function("history.state === 'dialog'")
    dialog.get_by_role("link", name="Close").click()
    page.keyboard.press("Escape")
    wait_for(page, lambda: len(asked) == 3)
    expect(dialog.get_by_label("Name", exact=True)).to_have_value("Queen")
    dialog.get_by_role("button", name="Add the component").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Enter a key")
    dialog.get_by_label("External key").fill("card-012")
    dialog.get_by_label("Kind").select_option("tile")
    dialog.get_by_role("button", name="Add the component").click()
    expect(page.locator(".toast")).to_contain_text("Queen is added")
    assert len(asked) == 3
    assert complaints == []


def test_what_was_typed_stays_while_storage_is_away(
    details: Page, monkeypatch: pytest.MonkeyPatch, complaints: list[str]
) -> None:
    def away(*_: object) -> None:
        raise Unavailable("Storage is unreachable. Try again in 5 seconds.", retry_after=5)

    with monkeypatch.context() as patched:
        patched.setattr(game_details, "update_game", away)
        save(details)
        expect(details.get_by_role("alert")).to_contain_text("Storage is unreachable. Try again in 5 seconds.")
    save(details)
    expect_saved(details)
    assert unexpected(complaints) == []


def test_a_second_tab_that_changed_the_same_is_named(
    details: Page, context: BrowserContext, complaints: list[str]
) -> None:
    other = context.new_page()
    other.goto("/games/paper-lanterns/details")
    other.get_by_label("Description").fill("Typed in the other tab.")
    other.get_by_label("Developer").fill("Kite Works East")
    save(other)
    expect(other.locator(".toast")).to_contain_text("The details are saved")
    save(details)
    expect(details.locator("#summary")).to_be_focused()
    expect(details.locator("#summary")).to_contain_text("It is now “Typed in the other tab.”")
    expect(details.get_by_label("Developer")).to_have_value("Kite Works East")
    save(details)
    expect_saved(details)
    assert complaints == []
