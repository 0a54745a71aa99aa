"""Names of files that a page is about to send are shown as the server shows them: escaped where they mislead."""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, FilePayload, Page, Route, expect

from slipway.archive.invisible_characters import INVISIBLE, escape_invisible
from tests.app.images.images import picture
from tests.app.web import scenes
from tests.app.web.conftest import ONE_DATABASE
from tests.browser.test_assets import drop
from tests.conftest import ROOT, Cast

pytestmark = pytest.mark.browser

SignIn = Callable[[str], Page]

ESCAPE_ALL = """async ([source]) => {
    const { escapeInvisible } = await import(`data:text/javascript;base64,${source}`);
    const found = [];
    for (let code = 0; code < 0x110000; code += 1) {
        if (code >= 0xd800 && code < 0xe000) continue;
        const letter = String.fromCodePoint(code);
        const shown = escapeInvisible(`a${letter}b`);
        if (shown !== `a${letter}b`) found.push([code, shown]);
    }
    return found;
}"""


def test_the_script_escapes_what_the_server_escapes(chromium: Browser) -> None:
    source = (ROOT / "app" / "static" / "src" / "js" / "invisible.js").read_bytes()
    page = chromium.new_page()
    try:
        escaped = page.evaluate(ESCAPE_ALL, [base64.b64encode(source).decode()])
    finally:
        page.close()

    expected = [
        [code, escape_invisible(f"a{chr(code)}b")]
        for code in range(sys.maxunicode + 1)
        if not 0xD800 <= code < 0xE000 and INVISIBLE.match(chr(code))
    ]
    assert escaped == expected


@ONE_DATABASE
def test_an_image_that_is_being_sent_shows_its_name_escaped(sign_in: SignIn, cast: Cast) -> None:
    scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns")
    page = sign_in(cast.starlight.owner)
    page.goto("/games/paper-lanterns/assets")
    held: list[Route] = []
    page.route("**/presign", lambda route: held.append(route))
    drop(page, **{"card\u202egpj": picture()})

    tile = page.locator("#image-uploads .tile")
    expect(tile.locator(".name")).to_have_text("card\\u202egpj.png")
    assert "\u202e" not in tile.inner_html()


@ONE_DATABASE
def test_an_archive_that_is_refused_shows_its_name_escaped(sign_in: SignIn, cast: Cast) -> None:
    scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns")
    page = sign_in(cast.starlight.owner)
    page.goto("/games/paper-lanterns")
    page.locator("#drop-file").set_input_files(
        FilePayload(name="game\u202egnp.zip", mimeType="application/zip", buffer=b"PK")
    )

    row = page.locator("#uploads-here .upload")
    expect(row.locator(".name")).to_have_text("game\\u202egnp.zip")
    assert "\u202e" not in row.inner_html()
