"""Crowds of clients that are slow on purpose, and a person who is served all the same: each answer within 2 s.

The server has 200 threads here, so a client that held one would be noticed long before the last of a crowd.
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import urllib3
from sqlalchemy import select

from app.accounts.partners import create_member, dashboard_app_id
from app.config.settings import MIB
from app.data.extensions import db
from app.data.models.asset import Blob
from app.data.models.game import Game
from app.data.models.partner import Partner
from app.images.intake.image_receiver import receive_image
from app.storage.embedded_server import StorageAccess
from tests.app.images.images import picture
from tests.app.runtime.crowds import Crowd
from tests.app.runtime.processes import wait_until
from tests.app.uploads.raw.live import STUDIO, Gunicorn, World, world_on_sqlite
from tests.app.uploads.raw.sending import RawUpload
from tests.conftest import bearer
from tests.game_archives import game_archive
from tests.signed_in_browsers import sign_in_by_form

pytestmark = pytest.mark.slow
LONGEST = 2.0  # seconds; the promise
OVERLOADED = 4.0  # times what an answer takes without the crowd: the bound where even that is slow
MANY = 1200
PASSWORD = "correct horse battery staple"
HALF_A_HEAD = b"GET /sign-in HTTP/1.1\r\nHost: here\r\nX-Half: "
A_FORM = (
    b"POST /sign-in HTTP/1.1\r\nHost: here\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: 5000\r\n\r\nemail="
)
A_CHUNKED_FORM = A_FORM.replace(b"Content-Length: 5000", b"Transfer-Encoding: chunked").replace(
    b"email=", b"1388\r\nemail="
)
CHUNKED_HEAD = A_CHUNKED_FORM.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, empty_sqlite: Path, storage: StorageAccess) -> Iterator[World]:
    instance = tmp_path_factory.mktemp("floods")
    rates = {"SLIPWAY_API_RATE": "100000 per minute", "SLIPWAY_UPLOAD_RATE": "100000 per hour"}
    with world_on_sqlite(instance / "instance", empty_sqlite, storage, **rates) as world:
        yield world


@pytest.fixture(scope="module")
def gunicorn(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    server = Gunicorn(world.settings, tmp_path_factory.mktemp("log") / "gunicorn.log").start()
    yield server
    server.kill()


class Person:
    """Somebody of another partner than the attacker's, who looks at pages, calls the API and sends builds."""

    def __init__(self, world: World, gunicorn: Gunicorn) -> None:
        self._port = gunicorn.port
        self._address = gunicorn.address
        self._key, self._slug = world.other_partner()
        with world.app.app_context():
            partner = db.session.scalars(
                select(Partner).join(Game, Game.partner_id == Partner.id).where(Game.slug == self._slug)
            ).one()
            create_member(partner, f"{self._slug}@example.org", "Mira", "owner", PASSWORD, STUDIO)
        self._cookie = self._sign_in(f"{self._slug}@example.org")
        self._archive = game_archive(seed=3)
        self._longest = 60.0
        self.is_served(1)  # what is made on first use is made

    def is_alone(self) -> None:
        """Measure how long an answer takes without a crowd, on this machine and now."""
        self._longest, began = 60.0, time.monotonic()
        self.is_served(1)
        self._longest = max(LONGEST, OVERLOADED * (time.monotonic() - began))

    def _sign_in(self, email: str) -> str:
        http = urllib3.PoolManager(retries=False, timeout=20)
        return sign_in_by_form(http, self._address, email, PASSWORD).partition(";")[0]

    def is_served(self, times: int = 4) -> None:
        """A page, a call and an upload, several times, each on a new connection."""
        for _ in range(times):
            self._takes("the page", lambda: self._get(f"/games/{self._slug}", {"Cookie": self._cookie}))
            self._takes("the call", lambda: self._get(f"/api/partners/games/{self._slug}", bearer(self._key)))
            self._takes("the upload", self._upload)

    def _get(self, path: str, headers: dict[str, str]) -> int:
        with urllib3.PoolManager(retries=False, timeout=20) as http:
            return http.request("GET", self._address + path, headers=headers, redirect=False).status

    def _upload(self) -> int:
        length = str(len(self._archive))
        with RawUpload(self._port, self._key, self._slug, Content_Length=length) as sending:
            return sending.send(self._archive).answer().status

    def _takes(self, what: str, ask: object) -> None:
        began = time.monotonic()
        assert callable(ask)
        assert ask() == 200, what
        took = time.monotonic() - began
        assert took < self._longest, f"{what} took {took:.1f} s"


@pytest.fixture(scope="module")
def known_person(world: World, gunicorn: Gunicorn) -> Person:
    return Person(world, gunicorn)


@pytest.fixture
def person(known_person: Person) -> Person:
    known_person.is_alone()
    return known_person


def upload_opening(world: World, slug: str) -> bytes:
    return (
        f"PUT /api/partners/games/{slug}/upload HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {world.key}\r\n"
        f"Content-Type: application/gzip\r\nContent-Length: {20 * MIB}\r\n\r\n"
    ).encode() + b"\x1f\x8b\x08"


def test_half_headers_and_dripping_forms_and_uploads_at_once(world: World, gunicorn: Gunicorn, person: Person) -> None:
    """The attack that took the site down: now each part of it costs no thread, or no more than a partner's share."""
    slug = world.new_game()
    with (
        Crowd(gunicorn.port, MANY, HALF_A_HEAD),
        Crowd(gunicorn.port, 100, A_FORM, rest=b"x", seconds=0.5),
        Crowd(gunicorn.port, 8, upload_opening(world, slug), rest=b"\0", seconds=20),
    ):
        person.is_served(5)


@pytest.mark.parametrize(
    ("opening", "rest", "answered"),
    [
        pytest.param(A_FORM, b"x", False, id="forms"),
        pytest.param(A_CHUNKED_FORM, b"x", False, id="chunked forms"),
        pytest.param(
            A_FORM.replace(b"Content-Length: 5000", b"Content-Length: 1000000"), b"x", False, id="large forms"
        ),
        pytest.param(CHUNKED_HEAD + b"200000\r\n", b"", True, id="a large chunk announced"),
        pytest.param(CHUNKED_HEAD + b"000000100\r\n", b"x", False, id="zeros before a size"),
        pytest.param(CHUNKED_HEAD + b"0\r\n" + b"X: y\r\n" * 12_000, b"", True, id="trailers", marks=pytest.mark.soak),
        pytest.param(HALF_A_HEAD, b"x", False, id="dripping headers", marks=pytest.mark.soak),
        pytest.param(b"", b"", False, id="nothing at all"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n", b"", True, id="idle after a request"),
        pytest.param(
            b"GET /healthz HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n", b"", True, id="never closing"
        ),
        pytest.param(
            b"BREW / HTTP/1.1\r\nHost: here\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
            b"",
            True,
            id="100",
            marks=pytest.mark.soak,
        ),
    ],
)
def test_a_crowd_of_one_kind(gunicorn: Gunicorn, person: Person, opening: bytes, rest: bytes, answered: bool) -> None:
    with Crowd(gunicorn.port, MANY, opening, rest=rest, answered=answered):
        person.is_served(2)


@pytest.fixture(scope="module")
def image(world: World) -> str:
    """The path of an image that no send buffer of the kernel holds whole."""
    data = picture(1500, 1500, kind="PNG", compress_level=0)
    assert len(data) > 6 * MIB
    slug = world.new_game()
    with world.app.app_context():
        game = db.session.scalars(select(Game).where(Game.slug == slug)).one()
        receive_image(game, dashboard_app_id(world.partner_id), io.BytesIO(data), "wide.png", STUDIO)
        return "/" + db.session.scalars(select(Blob.object_key)).one()


@pytest.mark.parametrize("readers", [50, pytest.param(MANY, marks=pytest.mark.soak)])
def test_slow_readers_of_one_image(gunicorn: Gunicorn, person: Person, image: str, readers: int) -> None:
    """They keep their places, of which one address has half; another address sees the image, and pages are served."""
    opening = f"GET {image} HTTP/1.1\r\nHost: here\r\n\r\n".encode()
    with Crowd(gunicorn.port, readers, opening, answered=True, small_window=True) as crowd:
        person.is_served(2)
        other = urllib3.HTTPConnectionPool("127.0.0.1", gunicorn.port, source_address=("127.0.0.2", 0), retries=False)
        answer = other.request("GET", image)
        assert answer.status == 200
        assert len(answer.data) > 6 * MIB
        assert len(crowd.members) == readers


def test_who_reads_too_slowly_is_given_up(world: World, image: str, tmp_path: Path) -> None:
    server = Gunicorn(world.settings, tmp_path / "log", SLIPWAY_BODY_TIMEOUT="2").start()
    try:
        opening = f"GET {image} HTTP/1.1\r\nHost: here\r\n\r\n".encode()
        before = connections_of(server)  # idle ones of ours
        with Crowd(server.port, 5, opening, answered=True, small_window=True):
            wait_until(lambda: connections_of(server) == before, 30, "the server has closed their connections")
    finally:
        server.kill()


def connections_of(server: Gunicorn) -> int:
    """How many clients its worker is connected with."""
    open_ones = psutil.Process(server.worker).net_connections("tcp")
    return sum(one.laddr.port == server.port and one.status == psutil.CONN_ESTABLISHED for one in open_ones)


@pytest.mark.soak
def test_slow_readers_of_a_file(gunicorn: Gunicorn, person: Person) -> None:
    """The largest that anybody can ask for without being known."""
    folder = Path(__file__).parents[3] / "app" / "static" / "dist"
    largest = max(
        (path for path in folder.iterdir() if path.suffix in {".js", ".css"}), key=lambda path: path.stat().st_size
    )
    opening = f"GET /static/dist/{largest.name} HTTP/1.1\r\nHost: here\r\n\r\n".encode()
    with Crowd(gunicorn.port, MANY, opening, answered=True, small_window=True):
        person.is_served(2)


def test_beyond_the_last_place_the_oldest_slow_one_goes(world: World, tmp_path: Path) -> None:
    """A flood that fills every place does not shut out who comes after it, nor takes memory or files without end."""
    places = {"SLIPWAY_CONNECTIONS": "64", "SLIPWAY_WAITING_POLLS": "32"}
    server = Gunicorn(world.settings, tmp_path / "log", SLIPWAY_HEADER_TIMEOUT="60", **places).start()
    try:
        person = Person(world, server)
        person.is_alone()
        with contextlib.suppress(ConnectionResetError), Crowd(server.port, 600, HALF_A_HEAD):
            person.is_served(2)
            assert psutil.Process(server.worker).num_fds() < 600
    finally:
        server.kill()
