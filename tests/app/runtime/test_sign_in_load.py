"""Many people at the door at once, of a real server: others do not notice, and nobody waits without end."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
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


# In a process of its own: its threads must not keep the test, which times other calls, from its interpreter.
CROWD = """
import json, re, sys, urllib3
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

url, email, tries = sys.argv[1], sys.argv[2], int(sys.argv[3])
http = urllib3.PoolManager(maxsize=tries, retries=False, timeout=120)
page = http.request("GET", url)
headers = {"Cookie": page.headers["Set-Cookie"].partition(";")[0]}
token = re.search(r'name="csrf-token" content="([^"]+)"', page.data.decode())[1]

def knock(number):
    fields = {"email": email, "password": f"wrong password {number}", "csrf_token": token}
    answer = http.request("POST", url, fields=fields, headers=headers, encode_multipart=False, redirect=False)
    return answer.status, answer.headers.get("Retry-After")

with ThreadPoolExecutor(tries) as threads:
    print(json.dumps(list(threads.map(knock, range(tries)))))
"""


def timed(http: urllib3.PoolManager, world: World, server: Gunicorn) -> float:
    """How many seconds a call of a partner takes."""
    began = time.monotonic()
    answer = http.request("GET", f"{server.address}/api/partners/games", headers=bearer(world.key))
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
        http = urllib3.PoolManager(retries=False, timeout=120)
        quiet = max(timed(http, world, server) for _ in range(20))
        times: list[float] = []
        crowd = subprocess.Popen(
            [sys.executable, "-c", CROWD, f"{server.address}/sign-in", EMAIL, str(TRIES)], stdout=subprocess.PIPE
        )
        while crowd.poll() is None:
            times.append(timed(http, world, server))
        answers = json.loads(crowd.communicate()[0])
        found = Counter(status for status, _ in answers)
        if rates:
            assert set(found) <= {422, 503}
            assert found[422] >= MAX_HASHES + MAX_WAITING
        else:
            assert found == {422: 10, 429: TRIES - 10}
        assert all(int(wait) > 0 for status, wait in answers if status in {429, 503})
        assert len(times) >= 5
        # Tests beside this one want the same two cores. Nine calls of ten must keep the bound; a call that meets one of
        # their bursts may take longer, but not as long as the crowd.
        times.sort()
        bound = max(1.0, 4 * quiet)
        usual, slowest = times[len(times) * 9 // 10 - 1], times[-1]
        assert usual < bound, f"nine of ten of {len(times)} calls took {usual:.2f} s, {quiet:.2f} before; {found}"
        assert slowest < 5 * bound, f"one of {len(times)} calls took {slowest:.2f} s, {quiet:.2f} before; {found}"
    finally:
        server.kill()
