"""Files dropped and chosen, in a real browser: their parts go straight to real storage."""

from __future__ import annotations

import gzip
import io
import json
import random
import re
import tarfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, FilePayload, Page, Request, Route, expect

from app.accounts.sign_ins import end_all
from app.config.settings import MIB
from app.data.database import writing
from app.data.extensions import db
from app.data.models.partner import Member
from app.data.models.upload import Upload
from app.storage import part_writer
from tests.app.web import scenes
from tests.app.web.conftest import ONE_DATABASE
from tests.browser.conftest import ZONE, visit, wait_for, wait_for_announcement
from tests.conftest import PASSWORD, Cast
from tests.faults.packing import LAUNCHER, packed_game
from tests.game_archives import add_file, big_archive, game_archive
from tests.live_server import LiveServer

pytestmark = [pytest.mark.browser, ONE_DATABASE, pytest.mark.usefixtures("workers")]

SignIn = Callable[[str], Page]
GZIP = "application/gzip"
ARCHIVE = packed_game(7, 11_000_000).archive  # three parts
LATER_PARTS = re.compile(r"partNumber=[2-9]")
LIVE_UPDATES = re.compile(r"/games/[^/]+/(live|matrix)")
ANSWERS = re.compile(r"/uploads/[^/?]+$")  # about one upload

# A file let go over the page, as the browser tells of it.
DROP = """([name, size]) => {
    const files = new DataTransfer();
    files.items.add(new File([new Uint8Array(size)], name));
    for (const type of ["dragenter", "dragover", "drop"]) {
        document.querySelector("h1").dispatchEvent(
            new DragEvent(type, {bubbles: true, cancelable: true, dataTransfer: files}));
        if (type === "dragover") window.seen = document.querySelector("#drop")?.innerText;
    }
}"""

# A file dragged over the page, or away from it.
DRAG = """(type) => {
    const files = new DataTransfer();
    files.items.add(new File([new Uint8Array(1)], "game.tar.gz"));
    document.querySelector("h1").dispatchEvent(
        new DragEvent(type, {bubbles: true, cancelable: true, dataTransfer: files}));
}"""

# Whether each file that the page sends to storage is the file itself or a slice of it.
RECORD_BODIES = """() => {
    window.bodies = [];
    const send = XMLHttpRequest.prototype.send;
    XMLHttpRequest.prototype.send = function (body) {
        if (body instanceof Blob) window.bodies.push(body instanceof File ? "file" : "slice");
        return send.call(this, body);
    };
}"""


@pytest.fixture
def lanterns(sign_in: SignIn, cast: Cast) -> Page:
    """The page of a game that waits for its first build."""
    scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns")
    page = sign_in(cast.starlight.owner)
    page.goto("/games/paper-lanterns")
    return page


def file(name: str, content: bytes) -> FilePayload:
    return FilePayload(name=name, mimeType=GZIP, buffer=content)


def hold(page: Page) -> list[Route]:
    """Uploads do not get further than being announced until their route is continued."""
    held: list[Route] = []
    page.route("**/uploads", lambda route: held.append(route))
    return held


def parts_sent(page: Page) -> list[int]:
    """The numbers of parts that the page has sent whole, from now on."""
    numbers: list[int] = []

    def sent(request: Request) -> None:
        found = re.search(r"partNumber=(\d+)", request.url)
        if found and request.method == "PUT":
            numbers.append(int(found[1]))

    page.on("requestfinished", sent)
    return numbers


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A file of three parts on the machine of the browser."""
    path = tmp_path / "lanterns.tar.gz"
    path.write_bytes(ARCHIVE)
    return path


def half_way(page: Page, archive: Path) -> list[Route]:
    """One part of the archive is stored, the others do not get through until LATER_PARTS are routed no more. Returns
    the requests that are held."""
    held: list[Route] = []
    page.route(LATER_PARTS, lambda route: held.append(route))
    sent = parts_sent(page)
    page.locator("#drop-file").set_input_files(archive)
    expect(page.locator(".upload")).to_contain_text("Uploading 47\u00a0%")
    wait_for(page, lambda: len(sent) == 1 and len(held) == 2)
    return held


def let_go(held: list[Route]) -> None:
    for route in held:
        route.continue_()


def test_a_chosen_file_becomes_a_live_build_without_a_reload(lanterns: Page, complaints: list[str]) -> None:
    page = lanterns
    page.evaluate("window.sameDocument = true")
    version = page.get_by_label("Version (optional)")
    version.fill(" 1.4.2 ")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a file").click()
    chooser.value.set_files([file("paper-lanterns.tar.gz", big_archive(3_000_000))])
    row = page.locator("#uploads-here .upload")
    expect(row).to_have_attribute("data-phase", "live")
    expect(row).to_contain_text("Live on 0 of 3")
    expect(page.locator("#builds tbody tr")).to_have_count(1)
    expect(page.locator("#builds tbody tr")).to_contain_text("1.4.2")
    expect(version).to_have_value("")
    wait_for_announcement(page, "paper-lanterns.tar.gz")
    row.get_by_role("button", name="Dismiss").click()
    expect(page.locator("#uploads-here")).to_be_hidden()
    assert page.evaluate("window.sameDocument")
    assert complaints == []


def test_a_file_of_one_part_is_sent_as_the_file_itself(lanterns: Page, archive: Path, complaints: list[str]) -> None:
    """The browser's network process reads a file from the disk by itself, and gets a slice through another process."""
    page = lanterns
    page.evaluate(RECORD_BODIES)
    small = archive.with_name("small.tar.gz")
    small.write_bytes(game_archive())
    rows = page.locator("#uploads-here .upload")
    for number, path in enumerate((small, archive), 1):
        page.locator("#drop-file").set_input_files(path)
        expect(rows).to_have_count(number)
        expect(rows.last).to_have_attribute("data-phase", "live")
    assert page.evaluate("bodies") == ["file", "slice", "slice", "slice"]
    assert complaints == []


def test_the_whole_page_takes_a_drop_and_says_what_it_becomes(lanterns: Page, complaints: list[str]) -> None:
    lanterns.evaluate(DROP, ["broken.tar.gz", 5000])
    assert re.search("Let go to start uploading\\s+It becomes build 1 of Paper Lanterns", lanterns.evaluate("seen"))
    expect(lanterns.locator("#send-title")).to_have_text("Send a build")
    row = lanterns.locator("#uploads-here .upload")
    expect(row).to_have_attribute("data-phase", "failed")
    expect(row).to_contain_text("Rejected:")
    # The refusal stays, in the list of builds too, also on the other tabs.
    expect(lanterns.locator("#builds .refusals summary")).to_contain_text("Failed check")
    lanterns.get_by_role("link", name="Details").click()
    expect(lanterns.locator("#uploads .upload")).to_contain_text("Rejected:")
    assert complaints == []


def test_what_the_server_would_refuse_is_not_sent(lanterns: Page) -> None:
    sent = hold(lanterns)
    lanterns.locator("#drop-file").set_input_files([file("game.zip", b"PK"), file("empty.tar.gz", b"")])
    rows = lanterns.locator("#uploads-here .upload")
    expect(rows.nth(0)).to_contain_text("It is not a .tar.gz")
    expect(rows.nth(1)).to_contain_text("It is empty")
    expect(rows.locator(".progress").first).to_be_hidden()
    assert sent == []


def test_several_files_go_one_after_the_other_and_stay_across_pages(lanterns: Page, complaints: list[str]) -> None:
    page, held = lanterns, hold(lanterns)
    files = [file(f"lanterns-{number}.tar.gz", game_archive(seed=number)) for number in (1, 2)]
    page.get_by_label("Version (optional)").fill("1.4.2")
    page.locator("#drop-file").set_input_files(files)
    rows = page.locator("#uploads-here .upload")
    expect(rows.nth(1)).to_contain_text("Waiting · 1 ahead of it")
    expect(rows.locator(".becomes")).to_have_text(["becomes build 1 · 1.4.2", "becomes build 2"])
    page.get_by_role("link", name="Games", exact=True).first.click()
    expect(page.locator("h1")).to_have_text("Games")
    tray = page.get_by_role("complementary", name="Uploads")
    expect(tray.locator(".upload")).to_have_count(2)
    expect(page.locator("#uploads-sum")).to_contain_text("2 uploads · ")
    tray.get_by_role("button", name="Collapse the uploads").click()
    expect(tray.locator(".upload").first).to_be_hidden()
    page.locator("#uploads-sum").click()
    expect(tray.locator(".upload").first).to_be_visible()
    held.pop().continue_()
    expect(tray.locator(".upload").nth(0)).to_have_attribute("data-phase", "live")
    expect(tray.locator(".upload").nth(1)).to_contain_text("Uploading")
    page.get_by_role("link", name="Servers", exact=True).click()
    expect(page.locator("h1")).to_have_text("Servers")
    expect(tray.locator(".upload").nth(1)).to_be_visible()  # one is not finished
    let_go(held)
    expect(tray.locator(".upload").nth(1)).to_have_attribute("data-phase", "live")
    page.get_by_role("link", name="Games", exact=True).first.click()
    expect(tray.get_by_role("button", name="Expand the uploads")).to_be_visible()
    expect(tray.locator(".upload").first).to_be_hidden()
    assert complaints == []


def test_a_network_that_was_cut_costs_nothing_but_time(
    lanterns: Page, archive: Path, context: BrowserContext, complaints: list[str]
) -> None:
    page = lanterns
    half_way(page, archive)
    sent = parts_sent(page)
    context.set_offline(True)
    page.unroute(LATER_PARTS)
    row = page.locator("#uploads-here .upload")
    expect(row).to_have_attribute("data-phase", "held")
    expect(row).to_contain_text("Waiting at 5.0 of 10.5\u00a0MiB · this computer is offline, retrying in")
    before = int(page.get_by_role("progressbar").get_attribute("aria-valuenow") or 0)
    context.set_offline(False)
    expect(row).to_have_attribute("data-phase", "live", timeout=30_000)
    expect(page.locator("#builds tbody tr")).to_have_count(1)
    assert before >= 47
    assert sorted(sent) == [2, 3]
    assert [line for line in complaints if "ERR_INTERNET_DISCONNECTED" not in line] == []


def test_pause_and_resume(lanterns: Page, archive: Path, complaints: list[str]) -> None:
    page = lanterns
    half_way(page, archive)
    sent = parts_sent(page)
    row = page.locator("#uploads-here .upload")
    row.get_by_role("button", name="Pause: lanterns.tar.gz").click()
    expect(row).to_contain_text("Paused at 5.0 of 10.5\u00a0MiB")
    expect(page.locator("#uploads-sum")).to_contain_text("1 upload paused")
    page.unroute(LATER_PARTS)
    # It stays paused on other pages.
    page.get_by_role("link", name="Games", exact=True).first.click()
    expect(page.locator("#uploads .upload")).to_contain_text("Paused at")
    assert sent == []
    page.get_by_role("button", name="Resume: lanterns.tar.gz").click()
    expect(page.locator("#uploads .upload")).to_have_attribute("data-phase", "live", timeout=30_000)
    assert sorted(sent) == [2, 3]
    assert complaints == []


def test_a_reload_in_the_middle_and_the_file_again(
    lanterns: Page, archive: Path, tmp_path: Path, context: BrowserContext, complaints: list[str]
) -> None:
    page = lanterns
    half_way(page, archive)
    wait_for(page, lambda: '"head":"' in page.evaluate("Object.values(localStorage).join()"))
    other = context.new_page()
    other.goto("/games")
    expect(other.locator("h1")).to_have_text("Games")
    # By then it has asked other windows whose it is.
    wait_for(other, lambda: other.evaluate("performance.now()") > 1500)
    expect(other.locator("#uploads .upload")).to_have_count(0)
    assert "X-Amz" not in page.evaluate("JSON.stringify(localStorage)"), "addresses are for nobody else"
    page.reload()
    page.unroute(LATER_PARTS)
    row = page.locator("#uploads-here .upload")
    expect(row).to_contain_text(
        "Stopped at 5.0 of 10.5\u00a0MiB a moment ago: choose the file again to continue, or discard."
    )
    kept = datetime.now(ZONE) + timedelta(days=7)
    year = f" {kept.year}" if kept.year > datetime.now(ZONE).year else ""
    expect(row).to_contain_text(re.compile(rf"Kept until \d+ \w+{year}, \d\d:\d\d"))
    expect(other.locator("#uploads .upload")).to_contain_text("Stopped at")

    def choose(chosen: Path) -> None:
        with page.expect_file_chooser() as chooser:
            row.get_by_role("button", name="Choose the file again").click()
        chooser.value.set_files(chosen)

    other_file = tmp_path / "other" / "lanterns.tar.gz"
    other_file.parent.mkdir()
    other_file.write_bytes(ARCHIVE + b"more")
    choose(other_file)
    expect(row).to_contain_text(re.compile("This is another file: it has 11,[0-9,]+ bytes, the stopped one"))
    other_file.write_bytes(b"X" + ARCHIVE[1:])
    choose(other_file)
    expect(row).to_contain_text(
        "This is another file: it begins with different bytes. Choose lanterns.tar.gz, or discard"
    )
    sent = parts_sent(page)
    choose(archive)
    expect(other.locator("#uploads .upload")).to_have_count(0)
    expect(row).to_have_attribute("data-phase", "live", timeout=30_000)
    expect(page.locator("#builds tbody tr")).to_have_count(1)
    assert sorted(sent) == [2, 3]
    assert page.evaluate("localStorage.getItem(Object.keys(localStorage).find((key) => /uploads/.test(key)))") == "{}"
    assert complaints == []


def test_a_stopped_upload_is_discarded_with_its_bytes(lanterns: Page, archive: Path) -> None:
    page = lanterns
    half_way(page, archive)
    page.reload()
    row = page.locator("#uploads-here .upload")
    row.get_by_role("button", name="Discard").click()
    expect(row).to_have_count(0)
    page.reload()
    expect(page.locator("#freshness")).to_have_attribute("data-state", "live")
    expect(row).to_have_count(0)
    wait_for(page, lambda: not rows_of_uploads())


def rows_of_uploads() -> list[Upload]:
    db.session.rollback()
    return list(db.session.query(Upload))


def test_leaving_while_something_runs_is_asked_about(lanterns: Page) -> None:
    hold(lanterns)
    lanterns.locator("#drop-file").set_input_files(file("lanterns.tar.gz", game_archive()))
    expect(lanterns.locator("#uploads-here .upload")).to_be_visible()
    lanterns.locator("h1").click()  # browsers ask only who has done something on the page
    with lanterns.expect_event("dialog") as asked:
        lanterns.close(run_before_unload=True)
    assert asked.value.type == "beforeunload"
    asked.value.dismiss()


def test_a_cancelled_upload_is_gone_and_the_next_one_begins(lanterns: Page) -> None:
    held = hold(lanterns)
    files = [file(f"lanterns-{number}.tar.gz", game_archive(seed=number)) for number in (1, 2)]
    lanterns.locator("#drop-file").set_input_files(files)
    rows = lanterns.locator("#uploads-here .upload")
    rows.nth(0).get_by_role("button", name="Cancel").click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("lanterns-2.tar.gz")
    expect(rows).not_to_contain_text("Waiting ·")
    wait_for(lanterns, lambda: len(held) == 2)


def test_a_bar_is_never_full_before_the_answer(lanterns: Page) -> None:
    hold(lanterns)
    lanterns.locator("#drop-file").set_input_files(file("lanterns.tar.gz", game_archive()))
    bar = lanterns.get_by_role("progressbar")
    expect(bar).to_have_attribute("aria-valuenow", re.compile(r"^\d{1,2}$"))


def fill_in(page: Page) -> None:
    """What the archive does not say of its game."""
    page.get_by_label("Save directory").fill("PaperLanterns-1")
    page.get_by_label("Tags").fill("Visual Novel")
    page.get_by_label("Description").fill("Lanterns, made of paper.")


def new_game_is_begun(page: Page, archive: Path) -> list[Route]:
    """The archive of a new game was chosen. Its form is open, and it is half sent: the other parts are held."""
    page.evaluate("localStorage.removeItem('slipway-rate')")  # parts of the default size
    held: list[Route] = []
    page.route(LATER_PARTS, lambda route: held.append(route))
    sent = parts_sent(page)
    page.locator("#drop-file").set_input_files(archive)
    expect(page.get_by_role("heading", level=1)).to_have_text("Register a game")
    expect(page.locator("#uploads-here .upload")).to_contain_text("Uploading 47\u00a0%")
    wait_for(page, lambda: len(sent) == 1 and len(held) == 2)
    return held


def test_a_new_games_archive_is_sent_while_its_form_is_filled_in(
    sign_in: SignIn, archive: Path, chromium: Browser, site: LiveServer, cast: Cast, complaints: list[str]
) -> None:
    page = sign_in(cast.starlight.owner)
    page.evaluate("window.sameDocument = true")
    archive = archive.rename(archive.with_name("paper-lanterns-1.2-linux.tar.gz"))
    held = new_game_is_begun(page, archive)
    expect(page.get_by_label("Launcher")).to_have_value(LAUNCHER)
    expect(page.get_by_label("Title")).to_have_value("Paper Lanterns")
    expect(page.get_by_label("Title")).to_be_focused()
    expect(page.get_by_label("Slug")).to_have_value("paper-lanterns")
    expect(page.get_by_text("From the archive. Correct it if it is wrong.")).to_have_count(2)

    # A colleague sees it in the list of games, which has no game of it yet.
    context = visit(chromium, site.url, complaints)
    theirs = signed_in(context, cast.starlight.viewer, "/games")
    expect(theirs.locator("#other-uploads li")).to_contain_text("Uploading 47\u00a0% · 5.0 of 10.5\u00a0MiB")

    let_go(held)
    page.unroute(LATER_PARTS)
    expect(page.locator("#uploads-here .upload")).to_contain_text("its check begins when its game is registered")
    fill_in(page)
    page.get_by_label("Launcher").fill("wrong")
    page.get_by_role("button", name="Register the game").click()
    expect(page.locator("#summary")).to_contain_text("The game is not registered yet: 1 thing to change")
    expect(page.locator("#uploads-here .upload")).to_contain_text("its check begins when its game is registered")
    page.get_by_label("Launcher").fill(LAUNCHER)
    page.get_by_role("button", name="Register the game").click()
    page.wait_for_url("**/games/paper-lanterns")
    expect(page.locator("#uploads-here .upload")).to_have_attribute("data-phase", "live")
    expect(page.get_by_text("Live: build 1")).to_be_visible()
    assert page.evaluate("window.sameDocument")
    context.close()
    assert complaints == []


def test_a_new_games_upload_survives_a_reload_and_ends_when_the_form_is_left(
    sign_in: SignIn, archive: Path, cast: Cast, complaints: list[str]
) -> None:
    scenes.add_game(cast.starlight.partner_id, "Night Ferry", "night-ferry")
    page = sign_in(cast.starlight.owner)
    page.evaluate(DRAG, "dragenter")
    expect(page.locator("h1")).to_have_text("Let go to begin a new game")
    expect(page.get_by_text("It is sent while you name its game.")).to_be_visible()
    page.evaluate(DRAG, "dragleave")
    expect(page.locator("h1")).to_have_text("Games")
    new_game_is_begun(page, archive)
    page.on("dialog", lambda dialog: dialog.accept() if dialog.type == "beforeunload" else None)
    page.reload()
    row = page.locator("#uploads-here .upload")
    expect(row).to_contain_text("Stopped at 5.0 of 10.5\u00a0MiB")
    expect(page.get_by_label("Launcher")).to_have_value(LAUNCHER)
    page.unroute(LATER_PARTS)
    sent = parts_sent(page)
    with page.expect_file_chooser() as chooser:
        row.get_by_role("button", name="Choose the file again").click()
    chooser.value.set_files(archive)
    expect(row).to_contain_text("Uploaded · 10.5\u00a0MiB")
    assert sorted(sent) == [2, 3]

    # After another reload no file is needed: storage has all of it.
    page.reload()
    expect(row).to_contain_text("Uploaded · 10.5\u00a0MiB")
    page.goto("/games")
    page.get_by_role("button", name="Register its game: lanterns.tar.gz").click()
    expect(row).to_contain_text("Uploaded · 10.5\u00a0MiB")
    fill_in(page)
    page.get_by_label("Launcher").fill(LAUNCHER)
    page.get_by_label("Title").fill("Lanterns")
    page.get_by_label("Slug").fill("lanterns")
    page.get_by_role("button", name="Register the game").click()
    expect(row).to_have_attribute("data-phase", "live")
    expect(page).to_have_url(re.compile("/games/lanterns$"))

    page.get_by_role("link", name="Games", exact=True).first.click()
    expect(page.locator("h1")).to_have_text("Games")
    new_game_is_begun(page, archive)
    questions: list[str] = []

    def answer(dialog: Dialog) -> None:
        questions.append(dialog.message)
        if len(questions) == 1:
            dialog.dismiss()
        else:
            dialog.accept()

    page.on("dialog", answer)
    page.get_by_role("link", name="Cancel").click()
    wait_for(page, lambda: len(questions) == 1)
    expect(row).to_contain_text("Uploading")
    page.get_by_role("link", name="Cancel").click()
    expect(page.locator("h1")).to_have_text("Games")
    expect(page.locator(".upload")).to_have_count(1)  # the one that is live
    assert questions == ["lanterns.tar.gz has no game yet. Leave and cancel its upload?"] * 2
    wait_for(page, lambda: [upload.state for upload in rows_of_uploads()] == ["done"])
    assert complaints == []


def test_the_slug_follows_the_title_until_it_is_written(sign_in: SignIn, cast: Cast) -> None:
    page = sign_in(cast.starlight.owner)
    page.goto("/games/new")
    page.get_by_label("Title").press_sequentially("Été: Après")
    expect(page.get_by_label("Slug")).to_have_value("ete-apres")
    page.get_by_label("Slug").fill("own")
    page.get_by_label("Title").press_sequentially("!")
    expect(page.get_by_label("Slug")).to_have_value("own")
    expect(page.get_by_text("0 of 5,000 characters")).to_be_visible()


def with_options(script: str) -> bytes:
    """An archive whose game names itself, with members that have long names before that."""
    unpacked = io.BytesIO()
    with tarfile.open(fileobj=unpacked, mode="w", format=tarfile.GNU_FORMAT) as tar:
        add_file(tar, f"Lanterns/game/{'x' * 150}.txt", random.Random(1).randbytes(3000))
        add_file(tar, "Lanterns/game/options.rpy", script.encode())
        add_file(tar, "Lanterns/sub/other.sh", b"")
        add_file(tar, "Lanterns/notes.sh", b"#!/bin/sh\n")
        add_file(tar, "Lanterns/lanterns.sh", b"#!/bin/sh\n", 0o755)
    return gzip.compress(unpacked.getvalue())


def test_the_form_is_filled_from_the_archive(sign_in: SignIn, cast: Cast, complaints: list[str]) -> None:
    page = sign_in(cast.starlight.owner)
    script = (
        'define config.name = _("Été: Lanterns & Kites")\n    define config.save_directory = "Lanterns-1698234567"\n'
    )
    page.locator("#drop-file").set_input_files(file("build.tar.gz", with_options(script)))
    expect(page.get_by_label("Title")).to_have_value("Été: Lanterns & Kites")
    expect(page.get_by_label("Launcher")).to_have_value("lanterns.sh")
    expect(page.get_by_label("Save directory")).to_have_value("Lanterns-1698234567")
    assert complaints == []


def test_an_archive_that_says_nothing_leaves_the_form_empty(sign_in: SignIn, cast: Cast) -> None:
    page = sign_in(cast.starlight.owner)
    page.locator("#drop-file").set_input_files(file("paper-kites.tar.gz", b"no archive"))
    expect(page.get_by_label("Title")).to_have_value("Paper Kites")
    expect(page.get_by_label("Launcher")).to_have_value("")


def signed_in(context: BrowserContext, email: str, path: str) -> Page:
    """Somebody else at their own browser, on this page."""
    page = context.new_page()
    page.goto(f"/sign-in?next={path}")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    return page


def as_if_quiet(route: Route) -> None:
    """An answer about an upload whose last part arrived three minutes ago."""
    answer = route.fetch()
    body = answer.json()
    expires_at = datetime.fromisoformat(body["expiresAt"]) - timedelta(minutes=3)
    route.fulfill(response=answer, json=body | {"expiresAt": expires_at.isoformat()})


def test_the_upload_of_a_colleague_is_shown_with_its_state(
    lanterns: Page, archive: Path, chromium: Browser, site: LiveServer, cast: Cast, complaints: list[str]
) -> None:
    half_way(lanterns, archive)
    expect(lanterns.locator("#uploads-here .upload")).to_be_visible()
    expect(lanterns.locator("#other-uploads")).to_be_hidden()
    context = visit(chromium, site.url, complaints)
    listed = signed_in(context, cast.starlight.viewer, "/games").locator("#game-paper-lanterns .row-uploads")
    expect(listed).to_contain_text("lanterns.tar.gz")
    expect(listed).to_contain_text("Uploading 47\u00a0% · 5.0 of 10.5\u00a0MiB")
    theirs = context.new_page()
    theirs.route(ANSWERS, as_if_quiet)
    theirs.goto("/games/paper-lanterns")
    row = theirs.locator("#other-uploads li")
    expect(row).to_contain_text("Stopped at 5.0 of 10.5\u00a0MiB, nothing received for 3 minutes")
    stopped = row.locator(".phase").evaluate("phase => getComputedStyle(phase).color")
    theirs.unroute(ANSWERS)
    theirs.reload()
    expect(row).to_contain_text("lanterns.tar.gz")
    assert row.locator(".phase").evaluate("phase => getComputedStyle(phase).color") != stopped
    expect(row).to_contain_text("Uploading 47\u00a0% · 5.0 of 10.5\u00a0MiB")
    lanterns.reload()
    lanterns.unroute(LATER_PARTS)
    expect(lanterns.locator("#uploads-here .upload")).to_contain_text("Stopped at 5.0 of 10.5\u00a0MiB")
    lanterns.locator("#drop-file").set_input_files(archive)
    expect(theirs.locator("#other-uploads")).to_be_hidden()
    expect(theirs.locator("#builds tbody tr")).to_have_count(1)
    expect(listed).to_have_count(0)
    context.close()
    assert complaints == []


def test_a_slow_line_gets_smaller_parts(lanterns: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_writer, "PART", 16 * MIB)
    begun: list[Request] = []
    lanterns.on("request", lambda one: begun.append(one) if one.url.endswith("/uploads") else None)
    for rate, wanted in ((200_000, 5 * MIB), (1_200_000, 7 * MIB), (9_000_000, None)):
        lanterns.evaluate("(rate) => localStorage.setItem('slipway-rate', rate)", rate)
        lanterns.locator("#drop-file").set_input_files(file("lanterns.tar.gz", game_archive(seed=rate)))
        expect(lanterns.locator("#uploads-here .upload").last).to_have_attribute("data-phase", "live")
        assert json.loads(begun[-1].post_data or "").get("partSize") == wanted
        answer = begun[-1].response()
        assert answer is not None
        assert answer.json()["partSize"] == (wanted or 16 * MIB)


def sign_in_again(page: Page, email: str) -> None:
    dialog = page.get_by_role("dialog", name="You are no longer signed in")
    dialog.get_by_label("Email").fill(email)
    dialog.get_by_label("Password", exact=True).fill(PASSWORD)
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog).to_be_hidden()


def end_session(cast: Cast) -> None:
    member = db.session.query(Member).filter_by(email=cast.starlight.owner).one()
    with writing() as session:
        end_all(session, member)


def test_an_upload_goes_on_after_signing_in_again(lanterns: Page, archive: Path, cast: Cast) -> None:
    page = lanterns
    page.route(LIVE_UPDATES, lambda route: route.abort())  # otherwise these notice the end of the session first
    page.reload()
    held = half_way(page, archive)
    end_session(cast)
    let_go(held)  # storage takes them without a session, but completing needs one
    sign_in_again(page, cast.starlight.owner)
    expect(page.locator("#uploads-here .upload")).to_have_attribute("data-phase", "live")


def test_live_updates_that_find_no_session_do_not_leave_a_page_with_an_upload(
    lanterns: Page, archive: Path, cast: Cast
) -> None:
    page = lanterns
    page.evaluate("window.sameDocument = true")
    held = half_way(page, archive)
    end_session(cast)
    sign_in_again(page, cast.starlight.owner)  # it is asked without a press
    let_go(held)
    expect(page.locator("#uploads-here .upload")).to_have_attribute("data-phase", "live")
    expect(page.locator("#freshness")).to_have_attribute("data-state", "live")
    assert page.evaluate("window.sameDocument")


def test_a_call_that_was_under_way_while_somebody_signed_in_again_is_repeated(
    lanterns: Page, archive: Path, cast: Cast
) -> None:
    page = lanterns
    held: list[Route] = []
    page.route("**/complete", lambda route: route.continue_() if held else held.append(route))
    page.locator("#drop-file").set_input_files(archive)
    wait_for(page, lambda: bool(held))
    end_session(cast)
    sign_in_again(page, cast.starlight.owner)
    let_go(held)  # with the token of the session that has ended
    expect(page.locator("#uploads-here .upload")).to_have_attribute("data-phase", "live")
