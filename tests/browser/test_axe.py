"""axe-core finds nothing on any page, light and dark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from flask import Flask
from playwright.sync_api import FilePayload, Page
from sqlalchemy import select

from app.data.extensions import db
from app.data.models.game import Game
from app.storage.availability import storage_status
from tests.app.web import asset_scenes, fleet_scenes, scenes
from tests.app.web.conftest import ONE_DATABASE
from tests.conftest import Cast

pytestmark = [pytest.mark.browser, ONE_DATABASE]

# `findings` looks at the contrasts of both themes each time; everything in each, narrow and wide, in the long runs.
LOOKS = pytest.mark.parametrize(
    ("theme", "width"),
    [
        ("light", 1280),
        pytest.param("dark", 360, marks=pytest.mark.soak),
        pytest.param("light", 360, marks=pytest.mark.soak),
        pytest.param("dark", 1280, marks=pytest.mark.soak),
    ],
)

GZIP = "application/gzip"
RUN = "options => axe.run(document, options).then((found) => found.violations)"
AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
PAGES = [
    "/games",
    "/games?q=nothing",
    "/games/garden-of-forking-paths",
    "/games/moth-season",
    "/games/garden-of-forking-paths/builds/4/servers/srv-04",
    "/servers/srv-04",
    "/games/garden-of-forking-paths/details",
    "/games/garden-of-forking-paths/activity",
    "/games/garden-of-forking-paths/builds",
    "/games/garden-of-forking-paths/assets",
    "/games/garden-of-forking-paths/components",
    "/games/garden-of-forking-paths/builds/3",
    "/games/garden-of-forking-paths/builds/3/changes",
    "/games/garden-of-forking-paths/builds/3/release",
    "/games/garden-of-forking-paths/builds/2/deletion",
    "/games/new",
    "/games/nowhere",
]


def findings(page: Page) -> list[str]:
    """Rule and place of each violation, and of each contrast that is too weak in the other theme: themes differ in
    colours alone. Evaluated from outside, so that the page's policy does not block the script."""
    page.evaluate(AXE.read_text() + "; undefined")
    found = page.evaluate(RUN, {"resultTypes": ["violations"]})
    is_dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    page.emulate_media(color_scheme="light" if is_dark else "dark")
    found += page.evaluate(RUN, {"resultTypes": ["violations"], "runOnly": ["color-contrast"]})
    page.emulate_media(color_scheme="dark" if is_dark else "light")
    return [f"{rule['id']}: {node['target']}" for rule in found for node in rule["nodes"]]


def garden_of(cast: Cast) -> str:
    rows = select(Game.id).where(Game.slug == "garden-of-forking-paths", Game.partner_id == cast.starlight.partner_id)
    return db.session.scalars(rows).one()


def fail(**_: object) -> None:
    raise RuntimeError("on purpose")


@pytest.mark.usefixtures("workers")
@LOOKS
def test_nothing_is_found(
    app: Flask,
    page: Page,
    sign_in: Callable[[str], Page],
    cast: Cast,
    six_servers: list[str],
    monkeypatch: pytest.MonkeyPatch,
    theme: Literal["light", "dark"],
    width: int,
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=theme)
    page.goto("/sign-in")
    found = {"/sign-in": findings(page)}
    page.get_by_role("button", name="Sign in").click()
    page.locator("#summary").wait_for()
    found["/sign-in, refused"] = findings(page)
    sign_in(cast.starlight.owner)
    found["/games, first use"] = findings(page)
    scenes.catalog(cast.starlight.partner_id)
    scenes.servers_report(silent=["srv-06"])
    asset_scenes.one_of_each(garden_of(cast))
    fleet_scenes.months_of_transfers(garden_of(cast))
    for path in PAGES:
        page.goto(path)
        found[path] = findings(page)
    dialogs = [("components", "Ember"), ("components", "Finalize revision"), ("assets", "card-001-front.png")]
    for path, link in dialogs:
        page.goto(f"/games/garden-of-forking-paths/{path}")
        page.locator("main").get_by_role("link", name=link).click()
        page.locator("dialog[open] h2").wait_for()
        found[f"the dialog of {link}"] = findings(page)
    page.keyboard.press("Escape")
    page.locator("#image-files").set_input_files(FilePayload(name="plan.pdf", mimeType="image/png", buffer=b"%PDF"))
    page.locator("#image-uploads [data-phase=failed]").wait_for()
    found["an image, refused"] = findings(page)
    page.goto("/games/new")
    page.get_by_role("button", name="Register the game").click()
    page.locator("#summary").wait_for()
    found["/games/new, refused"] = findings(page)
    page.goto("/games/garden-of-forking-paths")
    page.get_by_role("link", name="Release build 5").first.click()
    page.locator("dialog[open]").wait_for()
    found["the question before a release"] = findings(page)
    page.get_by_role("button", name="Release build 5 to 6 servers").click()
    page.locator(".toast").get_by_role("link", name="Roll back to build 4").wait_for()
    found["released"] = findings(page)
    page.goto("/games/moth-season")
    page.route("**/archives/*", lambda route: None)  # no part gets through
    with page.expect_request("**/archives/*"):
        page.locator("#drop-file").set_input_files(FilePayload(name="moth-2.tar.gz", mimeType=GZIP, buffer=b"moths"))
    page.get_by_role("button", name="Pause").click()
    page.locator(".upload[data-phase=paused]").wait_for()
    found["an upload, paused"] = findings(page)
    page.goto("/games/moth-season")
    page.unroute("**/archives/*")
    page.locator(".upload[data-phase=stopped]").wait_for()
    found["an upload, stopped"] = findings(page)
    refused = FilePayload(name="moth.tar.gz", mimeType=GZIP, buffer=b"no archive")
    page.locator("#drop-file").set_input_files(refused)
    page.locator(".upload[data-phase=failed]").wait_for()
    found["an upload, refused"] = findings(page)
    page.get_by_role("link", name="Details").click()
    page.locator("#uploads .upload").nth(1).wait_for()
    found["the tray"] = findings(page)
    storage_status.record(answered=False)
    try:
        page.goto("/games/moth-season")
        found["storage is away"] = findings(page)
    finally:
        storage_status.clear()
    app.testing = False
    monkeypatch.setitem(app.view_functions, "game.page", fail)
    page.goto("/games/moth-season")
    page.get_by_role("heading", name="Something failed on our side").wait_for()
    found["a fault of ours"] = findings(page)
    assert {path: each for path, each in found.items() if each} == {}
