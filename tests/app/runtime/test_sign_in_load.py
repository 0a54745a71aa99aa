"""Many people at the door at once, of a real server: others do not notice, and nobody waits without end."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import urllib3
from argon2 import PasswordHasher

from app.accounts.password_hashing import MAX_HASHES, MAX_WAITING
from app.data.database import writing
from app.data.models.partner import Member
from app.storage.embedded_server import StorageAccess
from tests.app.uploads.raw.live import Gunicorn, World, world_on_sqlite
from tests.conftest import bearer

pytestmark = pytest.mark.slow

TRIES = 130
EMAIL = "owner@starlight.example"
NO_LIMIT = dict.fromkeys(
    ("SLIPWAY_SIGN_IN_RATE", "SLIPWAY_SIGN_IN_ADDRESS_RATE", "SLIPWAY_SIGN_IN_ACCOUNT_RATE"), "100000 per minute"
)


@pytest.fixture
def world(tmp_path: Path, empty_sqlite: Path, storage: StorageAccess) -> Iterator[World]:
    """An installation whose one member has a password hash that costs what it costs outside of tests."""
    with world_on_sqlite(tmp_path / "instance", empty_sqlite, storage) as world:
        password_hash = PasswordHasher().hash("the right password")
        with world.app.app_context(), writing() as session:
            session.add(
                Member(
                    partner_id=world.partner_id, email=EMAIL, name="Owner", role="owner", password_hash=password_hash
                )
            )
        yield world


class Door:
    """The sign-in form, for many tries with one page's token."""

    def __init__(self, server: Gunicorn) -> None:
        self.url = f"{server.address}/sign-in"
        self.http = urllib3.PoolManager(maxsize=TRIES, retries=False, timeout=120)
        page = self.http.request("GET", self.url)
        self._cookie = page.headers["Set-Cookie"].partition(";")[0]
        found = re.search(r'name="csrf-token" content="([^"]+)"', page.data.decode())
        assert found
        self._token = found[1]

    def knock(self, password: str) -> urllib3.BaseHTTPResponse:
        return self.http.request(
            "POST",
            self.url,
            fields={"email": EMAIL, "password": password, "csrf_token": self._token},
            headers={"Cookie": self._cookie},
            encode_multipart=False,
            redirect=False,
        )


def timed(door: Door, world: World, server: Gunicorn) -> float:
    """How many seconds a call of a partner takes."""
    began = time.monotonic()
    answer = door.http.request("GET", f"{server.address}/api/partners/games", headers=bearer(world.key))
    assert answer.status == 200, answer.data
    return time.monotonic() - began


@pytest.mark.parametrize("rates", [{}, NO_LIMIT], ids=["as installed", "without limits"])
def test_130_tries_at_once_leave_other_calls_under_a_second(
    world: World, tmp_path: Path, rates: dict[str, str]
) -> None:
    server = Gunicorn(
        world.settings, tmp_path / "gunicorn.log", SLIPWAY_STREAMS="200", SLIPWAY_API_RATE="100000 per minute", **rates
    ).start()
    try:
        door = Door(server)
        quiet = max(timed(door, world, server) for _ in range(20))
        slowest, asked = 0.0, 0
        with ThreadPoolExecutor(TRIES) as threads:
            tries = [threads.submit(door.knock, f"wrong password {number}") for number in range(TRIES)]
            while not all(one.done() for one in tries):
                slowest, asked = max(slowest, timed(door, world, server)), asked + 1
        answers = [one.result() for one in tries]
        found = Counter(answer.status for answer in answers)
        if rates:
            assert set(found) <= {422, 503}
            assert found[422] >= MAX_HASHES + MAX_WAITING
        else:
            assert found == {422: 10, 429: TRIES - 10}
        assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers if answer.status in {429, 503})
        assert asked > 0
        # A machine that is busy with other things is slow before anybody signs in.
        bound = max(1.0, 4 * quiet)
        assert slowest < bound, f"the slowest of {asked} other calls took {slowest:.2f} s, {quiet:.2f} before; {found}"
    finally:
        server.kill()
