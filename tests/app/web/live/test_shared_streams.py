"""Live pages of one game at a real web server: one thread writes the events of all of them."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest
import urllib3

from app.accounts.partners import create_member, create_partner
from app.data.extensions import db
from app.data.models.partner import Partner
from app.storage.embedded_server import StorageAccess
from app.web.live.streams import MAX_STREAMS_OF_MEMBER
from tests.app.runtime.processes import wait_until
from tests.app.uploads.raw.live import STUDIO, Gunicorn, World, world_on_sqlite
from tests.conftest import bearer

pytestmark = pytest.mark.slow
STREAMS = 120  # a partner has half of them
PAGES = MAX_STREAMS_OF_MEMBER
PASSWORD = "correct horse battery staple"
PATIENCE = 60.0


class OpenPage:
    """A live page's connection, read as it comes."""

    def __init__(self, port: int, path: str, cookie: str) -> None:
        self.text = b""
        self._client = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.get(path, cookie)

    def get(self, path: str, cookie: str) -> None:
        head = f"GET {path} HTTP/1.1\r\nHost: here\r\nCookie: {cookie}\r\nAccept: text/event-stream\r\n\r\n"
        self._client.sendall(head.encode())

    def reads(self, wanted: bytes) -> bytes:
        """Everything up to and with the wanted bytes."""
        while wanted not in self.text:
            data = self._client.recv(65536)
            assert data, f"the server closed before {wanted!r}: {self.text[-300:]!r}"
            self.text += data
        end = self.text.index(wanted) + len(wanted)
        found, self.text = self.text[:end], self.text[end:]
        return found

    def close(self) -> None:
        self._client.close()


class Studio:
    """Members of a partner, and a game whose title changes."""

    def __init__(self, world: World, gunicorn: Gunicorn, partner_id: str | None = None) -> None:
        self.world = world
        self.gunicorn = gunicorn
        self.partner_id = partner_id or world.partner_id
        self.slug = world.new_game(self.partner_id)

    def signed_in(self, email: str) -> str:
        """The `Cookie` header of a new member."""
        with self.world.app.app_context():
            create_member(db.session.get_one(Partner, self.partner_id), email, "Mira", "owner", PASSWORD, STUDIO)
        page = urllib3.request("GET", f"{self.gunicorn.address}/sign-in", retries=False)
        fields = {"email": email, "password": PASSWORD, "csrf_token": _token(page.data)}
        cookie = page.headers["Set-Cookie"].partition(";")[0]
        answer = self.post("/sign-in", fields, cookie)
        return answer.headers["Set-Cookie"].partition(";")[0]

    def sign_out(self, cookie: str) -> None:
        page = urllib3.request("GET", f"{self.gunicorn.address}/games", headers={"Cookie": cookie}, retries=False)
        newer = page.headers.get("Set-Cookie", cookie).partition(";")[0]  # the page's token belongs to it
        self.post("/sign-out", {"csrf_token": _token(page.data)}, newer)

    def post(self, path: str, fields: dict[str, str], cookie: str) -> urllib3.BaseHTTPResponse:
        with urllib3.PoolManager(retries=False) as http:
            url = self.gunicorn.address + path
            headers = {"Cookie": cookie}
            answer = http.request_encode_body("POST", url, fields=fields, encode_multipart=False, headers=headers)
        assert answer.status == 303, answer.data
        return answer

    def rename(self, title: str) -> None:
        answer = urllib3.request(
            "PATCH",
            f"{self.gunicorn.address}/api/partners/games/{self.slug}",
            headers=bearer(self.world.key),
            json={"title": title},
        )
        assert answer.status == 200, answer.data

    @contextmanager
    def pages(self, count: int, cookie: str) -> Iterator[list[OpenPage]]:
        """Live pages of the game that show its present state."""
        with ExitStack() as opened:
            found: list[OpenPage] = []
            while len(found) < count:
                # The places of an earlier test's pages become free within seconds.
                wait_until(lambda: self._opens(found, cookie), PATIENCE, "there is a place for the page")
                opened.callback(found[-1].close)
                found[-1].reads(b"event: live")
            yield found

    def _opens(self, pages: list[OpenPage], cookie: str) -> bool:
        page = self.page(cookie)
        if b" 200 " in page.reads(b"\r\n\r\n"):
            pages.append(page)
            return True
        page.close()
        return False

    def page(self, cookie: str) -> OpenPage:
        return OpenPage(self.gunicorn.port, f"/games/{self.slug}/live", cookie)

    def threads(self) -> int:
        return psutil.Process(self.gunicorn.worker).num_threads()


def _token(page: bytes) -> str:
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.decode())
    assert found
    return found[1]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, empty_sqlite: Path, storage: StorageAccess) -> Iterator[World]:
    rates = {"SLIPWAY_API_RATE": "100000 per minute"}
    with world_on_sqlite(tmp_path_factory.mktemp("streams") / "instance", empty_sqlite, storage, **rates) as world:
        yield world


@pytest.fixture(scope="module")
def gunicorn(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    log = tmp_path_factory.mktemp("log") / "gunicorn.log"
    server = Gunicorn(world.settings, log).start(SLIPWAY_STREAMS=str(STREAMS))
    yield server
    server.kill()


@pytest.fixture
def studio(world: World, gunicorn: Gunicorn) -> Studio:
    return Studio(world, gunicorn)


def test_many_pages_of_a_game_share_one_thread_and_each_gets_every_change(studio: Studio) -> None:
    cookie = studio.signed_in("many@example.org")
    with studio.pages(1, cookie):
        before = studio.threads()
        with studio.pages(PAGES - 1, cookie) as pages:
            # Each request used a thread while it was answered; they came one after the other.
            assert studio.threads() < before + PAGES / 2
            for title in ("First change", "Second change"):
                studio.rename(title)
                for page in pages:
                    event = page.reads(title.encode())
                    assert b"\nid: " in event


def test_signing_out_ends_the_pages_of_that_browser_and_no_other(studio: Studio) -> None:
    leaving, staying = studio.signed_in("leaving@example.org"), studio.signed_in("staying@example.org")
    with studio.pages(3, leaving) as ended, studio.pages(3, staying) as others:
        studio.sign_out(leaving)
        for page in ended:
            page.reads(b"0\r\n\r\n")  # the end of the answer; its connection is open for the next request
        ended[0].get("/sign-in", leaving)
        assert b"200 OK" in ended[0].reads(b"</html>")
        studio.rename("After signing out")
        for page in others:
            assert b"\r\n0\r\n\r\n" not in page.reads(b"After signing out")


def test_places_of_closed_pages_are_free_again(studio: Studio) -> None:
    cookie = studio.signed_in("closing@example.org")
    with studio.pages(PAGES, cookie):
        refused = studio.page(cookie)
        assert b" 503 " in refused.reads(b"\r\n\r\n")
        refused.close()

    with studio.pages(PAGES, cookie) as pages:
        assert len(pages) == PAGES


def test_one_member_who_opens_pages_without_end_keeps_nobody_elses_from_going_live(
    world: World, gunicorn: Gunicorn
) -> None:
    with world.app.app_context():
        flooded, another = (Studio(world, gunicorn, create_partner(name, STUDIO).id) for name in ("Flooded", "Another"))
    flooding = flooded.signed_in("flooding@example.org")
    colleague, stranger = flooded.signed_in("colleague@example.org"), another.signed_in("stranger@example.org")
    with flooded.pages(PAGES, flooding), ExitStack() as opened:
        for _ in range(STREAMS):
            refused = flooded.page(flooding)
            opened.callback(refused.close)
            assert b" 503 " in refused.reads(b"\r\n\r\n")
            refused.reads(b"Your account uses 50 of the 120 places for live pages, the maximum for one account.")
        for studio, cookie in ((flooded, colleague), (another, stranger)):
            page = studio.page(cookie)
            opened.callback(page.close)
            assert b" 200 " in page.reads(b"\r\n\r\n"), "at the first try"
            page.reads(b"event: live")


def test_the_first_signal_ends_shared_pages(world: World, tmp_path: Path) -> None:
    gunicorn = Gunicorn(world.settings, tmp_path / "gunicorn.log").start(
        SLIPWAY_STREAMS="10", SLIPWAY_DRAIN_SECONDS="30"
    )
    try:
        studio = Studio(world, gunicorn)
        cookie = studio.signed_in("until-the-end@example.org")
        with studio.pages(5, cookie) as pages:
            gunicorn.stop(PATIENCE)
            for page in pages:
                page.reads(b"0\r\n\r\n")
        assert gunicorn.log.read_text().count("/live 200 ") == 5, "each has its line in the access log"
    finally:
        gunicorn.kill()
