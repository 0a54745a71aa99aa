"""Every page, wide and narrow, light and dark, into screenshots/: to be looked at beside the design.

    make screenshots            all of them
    .venv/bin/python -m tests.screenshots games settings     those whose name holds one of the words

A page is a line of PARTNER_PAGES or OPERATOR_PAGES: its name and its address. The app is a real one, over a SQLite
database and a storage of its own, seeded with the situations of tests/app/web/scenes.py.
"""

from __future__ import annotations

import itertools
import logging
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask
from flask_migrate import upgrade
from playwright.sync_api import Browser, FilePayload, Page, sync_playwright
from sqlalchemy import select

from app import create_app
from app.config.settings import MIB
from app.data.database import announce, writing
from app.data.extensions import db
from app.data.models.game import Game
from app.data.models.partner import Partner
from app.fleet.servers import add_server
from app.storage import part_writer
from app.storage.availability import storage_status
from app.storage.embedded_server import EmbeddedStorage
from app.topics.names import FLEET_TOPIC, game_topic, partner_topic
from tests.app.web import asset_scenes, fleet_scenes, pack_scenes, scenes
from tests.chromium import ARGUMENTS, CHROMIUM
from tests.conftest import CAST, PASSWORD, ROOT, settings_for
from tests.live_server import LiveServer

FOLDER = ROOT / "screenshots"
GARDEN = "/games/garden-of-forking-paths"
HARBOUR = "/games/harbour-lights"

PARTNER_PAGES = [
    ("games", "/games"),
    ("games-no-match", "/games?q=lantern-fish"),
    ("game-new", "/games/new"),
    ("game", GARDEN),
    ("game-empty", "/games/moth-season"),
    ("game-details", f"{GARDEN}/details"),
    ("game-activity", f"{GARDEN}/activity"),
    ("game-builds", f"{GARDEN}/builds"),
    ("assets", f"{GARDEN}/assets"),
    ("components", f"{GARDEN}/components"),
    ("component-new", f"{GARDEN}/components/new"),
    ("revisions", f"{GARDEN}/revisions"),
    ("finalize", f"{GARDEN}/revisions/2/finalization"),
    ("game-build", f"{GARDEN}/builds/3"),
    ("game-changed-build", f"{HARBOUR}/builds/2"),
    ("game-changes", f"{HARBOUR}/builds/2/changes"),
    ("game-release", f"{GARDEN}/builds/5/release"),
    ("replica", f"{GARDEN}/builds/4/servers/srv-04"),
    ("not-found", "/games/garden-of-forking-path"),
    ("servers", "/servers"),
    ("server", "/servers/srv-04"),
    ("settings-partner", "/settings/partner"),
    ("settings-members", "/settings/members"),
    ("settings-keys", "/settings/keys"),
    ("settings-key-new", "/settings/keys/new"),
    ("settings-app-new", "/settings/apps/new"),
    ("settings-quota", "/settings/quota"),
    ("settings-activity", "/settings/activity"),
    ("settings-appearance", "/settings/appearance"),
    ("profile", "/profile"),
    ("reference", "/reference"),
    ("search", "/search?q=paths"),
    ("forbidden", "/operator/servers"),
]
OPERATOR_PAGES = [
    ("operator-servers", "/operator/servers?server=srv-04"),
    ("operator-server", "/operator/servers/srv-04"),
    ("operator-attention", "/operator/attention"),
    ("operator-add-server", "/operator/add-server"),
    ("operator-retire", "/operator/servers/srv-04/retirement"),
    ("operator-roll", "/operator/servers/srv-04/token"),
    ("operator-partners", "/operator/partners"),
    ("operator-partner-new", "/operator/partners/new"),
    ("operator-capacity", "/operator/capacity"),
    ("operator-storage", "/operator/storage"),
    ("operator-audit", "/operator/audit"),
]
SIZES = (360, 768, 1280, 1920)
THEMES = ("light", "dark")
# Two that never arrive, two that wait for them, one that is too large.
ON_THEIR_WAY = """() => {
    window.XMLHttpRequest.prototype.send = function () {
        this.upload.onprogress?.({loaded: 4_100_000});
    };
    const files = new DataTransfer();
    const png = new Uint8Array(6_200_000).fill(1);
    png.set([0x89, 0x50, 0x4e, 0x47]);
    for (const number of [16, 17, 18, 19]) files.items.add(new File([png], `card-0${number}-front.png`));
    files.items.add(new File([new Uint8Array(34_200_000)], "board-master.png"));
    const input = document.getElementById("image-files");
    input.files = files.files;
    input.dispatchEvent(new Event("change", {bubbles: true}));
}"""
EMPTY_STUDIO = "Moonbase"


@contextmanager
def stage() -> Iterator[LiveServer]:
    """The app, seeded, behind a server."""
    part_writer.PART = 5 * MIB  # small uploads show what large ones do
    with tempfile.TemporaryDirectory(prefix="slipway-screenshots-") as folder:
        root = Path(folder)
        (root / "storage").mkdir()
        with EmbeddedStorage(root / "storage") as storage:
            app = create_app(settings_for(root / "instance", storage))
            with app.app_context():
                upgrade(str(ROOT / "migrations"))
                app.extensions["slipway_bucket"].make()
                _seed()
            site = LiveServer(app)
            site.start()
            try:
                yield site
            finally:
                site.stop()


def _seed() -> None:
    from tests.conftest import _member, _studio  # the cast of the tests, without pytest

    studios = [_studio("Starlight Studio", "starlight"), _studio(EMPTY_STUDIO, "moonbase")]
    for number, region in enumerate(("fra", "fra", "dhk", "sin", "sin", "iad"), 1):
        add_server(f"srv-0{number}", region, CAST)
    # Before the transaction: no password may be hashed inside one.
    members = [_member(None, "operator@slipway.example", "operator")]
    for studio in studios:
        members += [_member(studio.partner_id, studio.owner, "owner")]
        members += [_member(studio.partner_id, studio.viewer, "viewer")]
    with writing() as session:
        session.add_all(members)
    scenes.catalog(studios[0].partner_id)
    garden = select(Game.id).where(Game.slug == "garden-of-forking-paths")
    garden_id = db.session.scalars(garden).one()
    asset_scenes.forking_paths_images(garden_id)
    pack_scenes.harbour_lights(studios[0].partner_id)
    pack_scenes.forking_paths_packs(garden_id)
    scenes.servers_report(silent=["srv-06"])
    fleet_scenes.machines()
    fleet_scenes.last_hour(studios[0].partner_id)
    fleet_scenes.months_of_transfers(garden_id)
    fleet_scenes.rollouts(garden_id, 210, 95, None, 1900, 340)


def _report(app: Flask) -> None:
    """Every server but the lost one speaks again: after 30 s of silence all would be without contact."""
    with app.app_context():
        scenes.servers_report(silent=["srv-06"])
        with writing() as session:
            games, partners = session.scalars(select(Game.id)), session.scalars(select(Partner.id))
            announce(FLEET_TOPIC, *map(game_topic, games), *map(partner_topic, partners))


def sign_in(page: Page, email: str) -> None:
    page.goto("/sign-in")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda address: "/sign-in" not in address)


class Camera:
    """One window of one size and theme, and the folder its pictures go to."""

    def __init__(self, browser: Browser, site: LiveServer, width: int, theme: Any, words: Sequence[str]) -> None:
        self.browser, self.site, self.width, self.theme, self.words = browser, site, width, theme, words
        self.taken = 0

    @contextmanager
    def window(self, email: str | None) -> Iterator[Page]:
        context = self.browser.new_context(
            base_url=self.site.url,
            viewport={"width": self.width, "height": 800},
            color_scheme=self.theme,
            reduced_motion="reduce",
            timezone_id="Europe/Oslo",
        )
        page = context.new_page()
        if email:
            sign_in(page, email)
        yield page
        context.close()

    def wants(self, name: str) -> bool:
        return not self.words or any(word in name for word in self.words)

    def take(self, page: Page, name: str) -> None:
        page.evaluate("document.fonts.ready")
        page.screenshot(path=FOLDER / f"{name}-{self.width}-{self.theme}.png", full_page=True, animations="disabled")
        self.taken += 1

    def visit(self, email: str, pages: Sequence[tuple[str, str]]) -> None:
        wanted = [(name, address) for name, address in pages if self.wants(name)]
        if not wanted:
            return
        with self.window(email) as page:
            for name, address in wanted:
                _report(self.site.app)
                page.goto(address)
                self.take(page, name)

    def states(self) -> None:
        """What only shows after something was done."""
        if self.wants("sign-in"):
            with self.window(None) as page:
                page.goto("/sign-in")
                self.take(page, "sign-in")
        if self.wants("games-first-use"):
            with self.window("owner@moonbase.example") as page:
                self.take(page, "games-first-use")
        if self.wants("form-errors"):
            with self.window("owner@starlight.example") as page:
                self._refused_form(page)
        if self.wants("storage-unreachable"):
            with self.window("owner@starlight.example") as page:
                _report(self.site.app)
                storage_status.record(answered=False)
                page.goto(GARDEN)
                self.take(page, "storage-unreachable")
                storage_status.clear()
        if self.wants("password-link"):
            with self.window("owner@starlight.example") as page:
                self._password_link(page)
        if self.wants("assets"):
            with self.window("owner@starlight.example") as page:
                self._images(page)
        if self.wants("uploads"):
            with self.window("owner@starlight.example") as page:
                self._uploads(page)
        if self.wants("palette"):
            with self.window("owner@starlight.example") as page:
                self._palette(page)
        if self.wants("operator-token"):
            with self.window("operator@slipway.example") as page:
                self._new_token(page)
        if self.wants("release-dialog"):
            with self.window("owner@starlight.example") as page:
                self._question(page)

    def _refused_form(self, page: Page) -> None:
        page.goto("/games/new")
        page.get_by_label("Title").fill("Paper Lanterns: After the Rain")
        page.get_by_label("Slug").fill("paper-lanterns")
        page.get_by_label("Save directory").fill("PaperLanterns-1698234567")
        page.get_by_label("Launcher").fill("bin/start")
        page.get_by_label("Description").fill("Mei returns to the harbour town a year after the festival.")
        page.get_by_role("button", name="Register the game").click()
        page.locator("#summary").wait_for()
        self.take(page, "form-errors")

    def _password_link(self, page: Page) -> None:
        page.goto("/settings/members")
        page.get_by_role("button", name="Password link").first.click()
        page.locator(".shown-once").wait_for()
        self.take(page, "password-link-made")
        page.goto(page.locator(".shown-once pre").inner_text().strip())
        self.take(page, "password-link")

    def _images(self, page: Page) -> None:
        page.goto(f"{GARDEN}/assets")
        page.get_by_role("link", name="card-001-front.png").click()
        page.locator("dialog[open] img[data-loaded]").wait_for()
        self.take(page, "assets-detail")
        page.keyboard.press("Escape")
        page.evaluate(ON_THEIR_WAY)
        page.locator("#image-uploads .tile").nth(4).wait_for()
        page.locator("#image-uploads [data-phase=failed]").wait_for()
        self.take(page, "assets-on-their-way")

    def _uploads(self, page: Page) -> None:
        """One that a reload stopped, one under way, one that is not taken."""
        page.route(re.compile("partNumber=[2-9]"), lambda route: None)  # these parts do not get through
        page.goto(GARDEN)
        page.locator("#drop-file").set_input_files(_file("garden-1.7.2-hotfix.tar.gz", 8_000_000))
        page.locator(".upload").get_by_text("Uploading 65").wait_for()
        page.reload()
        page.locator(".upload[data-phase=stopped]").wait_for()
        page.evaluate("localStorage.removeItem('slipway-rate')")  # on a slow machine the parts would be of another size
        page.locator("#drop-file").set_input_files([_file("garden-1.8.0.tar.gz", 12_000_000), _file("garden.zip", 9)])
        page.locator(".upload").get_by_text("Uploading 43").wait_for()
        self.take(page, "uploads-here")
        page.get_by_role("button", name="Pause").click()
        page.get_by_role("link", name="Games").first.click()
        page.locator("#uploads .upload").nth(2).wait_for()
        self.take(page, "uploads-tray")
        # Other windows would show what is left here.
        for button in ("Dismiss", "Discard", "Cancel"):
            page.locator("#uploads").get_by_role("button", name=button).click()
        page.locator("#uploads .upload").first.wait_for(state="detached")

    def _question(self, page: Page) -> None:
        page.goto(GARDEN)
        page.get_by_role("link", name="Release build 5").first.click()
        self._take_dialog(page, "release-dialog")

    def _palette(self, page: Page) -> None:
        page.goto(GARDEN)
        page.keyboard.press("Control+k")
        page.get_by_role("option").first.wait_for()
        self._take_dialog(page, "palette")
        page.get_by_role("combobox").fill("garden 3")
        page.get_by_role("option", name="build 3").wait_for()
        self._take_dialog(page, "palette-build")

    def _new_token(self, page: Page) -> None:
        page.goto("/operator/servers/srv-06/token")
        page.get_by_label("Your password").fill(PASSWORD)
        page.get_by_role("button", name="Roll the token").click()
        page.locator(".shown-once").wait_for()
        self.take(page, "operator-token-rolled")
        page.goto("/operator/add-server")
        name = f"srv-{self.theme}-{self.width}"
        page.get_by_label("Id").fill(name)
        page.get_by_label("Your password").fill(PASSWORD)
        page.get_by_role("button", name="Add the server").click()
        page.locator(".shown-once").wait_for()
        self.take(page, "operator-token")
        page.goto(f"/operator/servers/{name}/retirement")  # it would be in every later picture
        page.get_by_role("button", name="Retire server").click()
        page.get_by_text(f"{name} is retired").wait_for()

    def _take_dialog(self, page: Page, name: str) -> None:
        page.locator("dialog[open]").wait_for()
        page.evaluate("document.fonts.ready")
        page.screenshot(path=FOLDER / f"{name}-{self.width}-{self.theme}.png", animations="disabled")
        self.taken += 1


def _file(name: str, size: int) -> FilePayload:
    return FilePayload(name=name, mimeType="application/gzip", buffer=b"\x1f\x8b" + bytes(size))


def main(words: Sequence[str]) -> int:
    logging.disable(logging.WARNING)
    FOLDER.mkdir(exist_ok=True)
    taken = 0
    with stage() as site, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        for width, theme in itertools.product(SIZES, THEMES):
            camera = Camera(browser, site, width, theme, words)
            camera.visit("owner@starlight.example", PARTNER_PAGES)
            camera.visit("operator@slipway.example", OPERATOR_PAGES)
            camera.states()
            taken += camera.taken
        browser.close()
    print(f"{taken} pictures in {FOLDER}")  # noqa: T201  # a command's answer
    return 0 if taken else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
