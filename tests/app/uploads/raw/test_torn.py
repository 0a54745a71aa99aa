"""Uploads that end badly, over real sockets into a real gunicorn: nothing is left of them, and what was there stays."""

from __future__ import annotations

import hashlib
import shutil
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import urllib3
from sqlalchemy import URL

from app.accounts.keys import create_key, revoke_key
from app.config.settings import MIB
from app.data.extensions import db
from app.data.models.partner import ApiKey, Partner
from app.storage.embedded_server import StorageAccess
from app.storage.part_writer import PART
from slipway.client.sizes import format_limit
from tests.app.runtime.processes import wait_until
from tests.app.uploads.raw.live import STUDIO, Gunicorn, World, world_of
from tests.app.uploads.raw.sending import RawUpload, upload
from tests.conftest import bearer, run_sql, settings_for
from tests.game_archives import big_archive, game_archive

pytestmark = pytest.mark.slow
PATIENCE = 3.0  # seconds without a byte, of the server that is asked how it gives up
CEILING = 24 * MIB
SLOTS = 3


# Most of what happens here is between a socket and the bucket; what the database decides is tried on both kinds.
on_both = pytest.mark.parametrize(
    "world", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


@pytest.fixture(scope="module", params=["sqlite"])
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, storage: StorageAccess
) -> Iterator[World]:
    instance = tmp_path_factory.mktemp("torn")
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("empty_sqlite"), instance / "slipway.db")
        url = f"sqlite:///{instance / 'slipway.db'}"
    else:
        server: URL = request.getfixturevalue("postgres")
        run_sql(server, f"CREATE DATABASE torn TEMPLATE {request.getfixturevalue('empty_postgres')}")
        url = server.set(database="torn").render_as_string(hide_password=False)
    limits = {
        "MAX_ARCHIVE_BYTES": str(CEILING),
        "SLIPWAY_RAW_UPLOADS": str(SLOTS),
    }
    with world_of(settings_for(instance, storage, DATABASE_URL=url, **limits)) as world:
        yield world
    if request.param == "postgres":
        run_sql(server, "DROP DATABASE torn WITH (FORCE)")


@pytest.fixture(scope="module")
def gunicorn(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    server = Gunicorn(world.settings, tmp_path_factory.mktemp("log") / "gunicorn.log").start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def impatient(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    """One that gives up on who sends nothing for PATIENCE."""
    log = tmp_path_factory.mktemp("log") / "impatient.log"
    server = Gunicorn(world.settings, log, SLIPWAY_BODY_TIMEOUT=str(PATIENCE)).start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def archive() -> bytes:
    """Of two parts."""
    made = big_archive(PART + 2 * MIB)
    assert PART + MIB < len(made) < CEILING
    return made


@pytest.fixture
def slug(world: World, gunicorn: Gunicorn) -> Iterator[str]:
    """A game with one build, which must be untouched in the end, with nothing else left over."""
    slug = world.new_game()
    first = game_archive()
    answer = upload(gunicorn.port, world.key, slug, first)
    assert (answer.status, answer.json["build"]) == (200, 1)
    yield slug
    assert world.builds(slug)[0] == (1, hashlib.sha256(first).hexdigest())
    world.is_clean()


def test_a_key_that_is_revoked_meanwhile_sends_no_build(
    world: World, gunicorn: Gunicorn, slug: str, archive: bytes
) -> None:
    """A body may take days; whoever revokes a key must not find a build of it live after that."""
    with world.app.app_context():
        partner = db.session.get_one(Partner, world.partner_id)
        key, secret = create_key(partner, "CI", ["upload"], STUDIO)
    with RawUpload(gunicorn.port, secret, slug, Content_Length=str(len(archive))) as sending:
        sending.send(archive[:PART])
        wait_until(lambda: world.uploads() > 0, 20, "it is being received")
        with world.app.app_context():
            revoke_key(db.session.get_one(ApiKey, key.id), STUDIO)
        answer = sending.send(archive[PART:]).answer()
    assert (answer.status, answer.json["error"]) == (401, "unauthorized")
    assert [number for number, _ in world.builds(slug)] == [1]


STAGES = {
    "after the headers": 0,
    "after one byte": 1,
    "inside the first part": 5 * MIB + 77,
    "between two parts": PART,
    "inside the second part": PART + MIB + 1,
    "one byte short": -1,
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_client_that_stops_sending_is_told_how_far_it_came(
    world: World, gunicorn: Gunicorn, slug: str, archive: bytes, stage: str
) -> None:
    sent = archive[: STAGES[stage]]
    with RawUpload(gunicorn.port, world.key, slug, Content_Length=str(len(archive))) as sending:
        answer = sending.send(sent).say_no_more().answer()
    assert (answer.status, answer.code) == (400, "upload_interrupted")
    assert f"after {len(sent):,} of {len(archive):,} bytes" in answer.json["message"]
    world.is_clean()
    assert world.refusals(slug) == ["upload_interrupted"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_connection_that_breaks_leaves_nothing(
    world: World, gunicorn: Gunicorn, slug: str, archive: bytes, stage: str
) -> None:
    with RawUpload(gunicorn.port, world.key, slug, Content_Length=str(len(archive))) as sending:
        sending.send(archive[: STAGES[stage]]).hang_up()
    wait_until(lambda: world.refusals(slug) == ["upload_interrupted"], 20, "it is noted")
    world.is_clean()


@on_both
@pytest.mark.parametrize("sent", [0, 1, 3 * MIB])
def test_a_client_that_stalls_is_told_and_its_place_given_back(
    world: World, impatient: Gunicorn, slug: str, archive: bytes, sent: int
) -> None:
    begun = time.monotonic()
    with RawUpload(impatient.port, world.key, slug, Content_Length=str(len(archive))) as sending:
        answer = sending.send(archive[:sent]).answer()
    assert (answer.status, answer.code) == (400, "upload_interrupted")
    assert f"nothing came for {PATIENCE:g} seconds" in answer.json["message"]
    assert PATIENCE <= time.monotonic() - begun < 25
    assert world.refusals(slug) == ["upload_interrupted"]


def test_a_json_call_that_stalls_is_given_up_too(world: World, impatient: Gunicorn) -> None:
    """A handful of such clients would otherwise take every thread there is."""
    head = (
        "POST /api/partners/games HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {world.key}\r\nContent-Length: 100\r\n\r\n"
    )
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=20) as client:
        client.sendall(head.encode() + b'{"title": ')
        assert client.recv(100).startswith(b"HTTP/1.1 400 ")
    assert PATIENCE <= time.monotonic() - begun < 25


def test_a_client_that_is_slow_but_sends_is_waited_for(
    world: World, impatient: Gunicorn, slug: str, archive: bytes
) -> None:
    """Above the least rate a body may take as long as it needs."""
    made = archive
    pieces = 6
    with RawUpload(impatient.port, world.key, slug, Content_Length=str(len(made))) as sending:
        for number in range(pieces):
            sending.send(made[len(made) * number // pieces : len(made) * (number + 1) // pieces])
            last = time.monotonic() + 1.5 * PATIENCE / pieces
            wait_until(lambda until=last: time.monotonic() > until, 30, "a pause")  # type: ignore[misc]
        assert sending.answer().status == 200


def test_an_archive_in_chunks_is_taken(world: World, gunicorn: Gunicorn, slug: str, archive: bytes) -> None:
    with RawUpload(gunicorn.port, world.key, slug, Transfer_Encoding="chunked") as sending:
        for start in range(0, len(archive), 700_001):
            sending.send_chunk(archive[start : start + 700_001])
        answer = sending.end_of_chunks().answer()
    assert answer.status == 200, answer.json
    digest = hashlib.sha256(archive).hexdigest()
    assert (answer.json["size"], answer.json["checksum"]) == (len(archive), f"sha256:{digest}")
    assert world.builds(slug)[-1] == (2, digest)


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("a size that is no number", b"zzz\r\nmore\r\n"),
        ("a chunk shorter than it says", b"ffff\r\nshort"),
        ("a chunk without its end", b"4\r\nfourXX"),
        ("no last chunk", b""),
        ("an endless size line", b"1" * 20_000),
    ],
)
def test_broken_chunks_are_an_interrupted_upload(
    world: World, gunicorn: Gunicorn, slug: str, archive: bytes, name: str, ending: bytes
) -> None:
    with RawUpload(gunicorn.port, world.key, slug, Transfer_Encoding="chunked") as sending:
        sending.send_chunk(archive[: 2 * MIB]).send(ending)
        answer = sending.say_no_more().answer()
    assert (answer.status, answer.code) == (400, "upload_interrupted"), name
    world.is_clean()
    assert world.refusals(slug) == ["upload_interrupted"]


def test_too_many_announced_bytes_are_refused_before_one_is_sent(world: World, gunicorn: Gunicorn, slug: str) -> None:
    with RawUpload(gunicorn.port, world.key, slug, Content_Length=str(CEILING + 1)) as sending:
        answer = sending.answer()
    assert (answer.status, answer.code) == (413, "payload_too_large")
    assert f"larger than {format_limit(CEILING)}" in answer.json["message"]


def test_a_client_that_asks_first_is_refused_as_well(world: World, gunicorn: Gunicorn, slug: str) -> None:
    """gunicorn says `100 Continue` to everybody before the app hears of it; the refusal follows at once."""
    with RawUpload(gunicorn.port, world.key, slug, Content_Length=str(CEILING + 1), Expect="100-continue") as sending:
        assert sending.answer().status == 413


def test_too_many_bytes_in_chunks_are_refused_when_the_ceiling_is_reached(
    world: World, gunicorn: Gunicorn, slug: str, archive: bytes
) -> None:
    with RawUpload(gunicorn.port, world.key, slug, Transfer_Encoding="chunked") as sending:
        sending.send_chunk(archive)
        more = b"\0" * MIB
        for _ in range((CEILING - len(archive)) // MIB + 1):
            sending.send_chunk(more)
        answer = sending.answer()
    # Zeros after the end of the gzip stream may be seen first; either is a reason.
    assert (answer.status, answer.code) in {(413, "payload_too_large"), (400, "invalid_archive")}
    world.is_clean()
    assert len(world.refusals(slug)) == 1


@on_both
def test_other_bytes_than_were_announced_are_refused(world: World, gunicorn: Gunicorn, slug: str) -> None:
    made = game_archive(seed=2)
    answer = upload(gunicorn.port, world.key, slug, made, X_Checksum_Sha256="0" * 64)
    assert (answer.status, answer.code) == (400, "checksum_mismatch")
    assert hashlib.sha256(made).hexdigest() in answer.json["message"]
    world.is_clean()
    assert world.refusals(slug) == ["checksum_mismatch"]


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x", "text/plain"])
def test_another_type_is_refused_before_the_body_is_read(
    world: World, gunicorn: Gunicorn, slug: str, content_type: str
) -> None:
    with RawUpload(gunicorn.port, world.key, slug, Content_Length=str(2 * MIB), Content_Type=content_type) as sending:
        answer = sending.answer()
    assert (answer.status, answer.code) == (415, "unsupported_media_type")
    assert world.refusals(slug) == [], "no archive was looked at"


def test_an_archive_that_breaks_a_rule_is_refused_while_it_is_sent(
    world: World, impatient: Gunicorn, slug: str
) -> None:
    """All of it may be read before it is looked at: then the stall ends it, and its own fault is still the answer."""
    with RawUpload(impatient.port, world.key, slug, Content_Length=str(20 * MIB)) as sending:
        answer = sending.send(b"PK\x03\x04" + b"\0" * (2 * MIB)).answer()
    assert (answer.status, answer.code) == (400, "invalid_archive"), "not that it ended early, which it also did"
    world.is_clean()
    assert world.refusals(slug) == ["invalid_archive"]


def test_who_sends_on_after_the_refusal_can_still_read_it(world: World, impatient: Gunicorn, slug: str) -> None:
    with RawUpload(impatient.port, world.key, slug, Content_Length=str(20 * MIB)) as sending:
        answer = sending.send(b"PK\x03\x04" + b"\0" * (16 * MIB)).answer()
    assert (answer.status, answer.code) == (400, "invalid_archive")
    world.is_clean()


@on_both
def test_beyond_the_last_place_an_upload_is_told_when_to_come_again(
    world: World, gunicorn: Gunicorn, slug: str, archive: bytes
) -> None:
    other_key, other_slug = world.other_partner()
    share = (SLOTS + 1) // 2
    places = [(world.key, slug)] * share + [(other_key, other_slug)] * (SLOTS - share)
    held = [RawUpload(gunicorn.port, key, game, Content_Length=str(len(archive))) for key, game in places]
    wait_until(lambda: world.uploads() == SLOTS, 30, "every place is taken")
    answer = upload(gunicorn.port, world.key, slug, game_archive(seed=3))
    assert (answer.status, answer.code) == (503, "service_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert str(SLOTS) in answer.json["message"]
    other = urllib3.request("GET", f"{gunicorn.address}/api/partners/games/{slug}", headers=bearer(world.key))
    assert other.status == 200, "everything else goes on"
    for sending in held:
        sending.hang_up()
    # A place is given back at the end of its request, which is after its row is gone.
    wait_until(
        lambda: upload(gunicorn.port, world.key, slug, game_archive(seed=3)).status == 200, 30, "a place is free"
    )


def test_one_partner_never_takes_every_place(world: World, gunicorn: Gunicorn, slug: str, archive: bytes) -> None:
    other_key, other_slug = world.other_partner()
    share = (SLOTS + 1) // 2
    held = [RawUpload(gunicorn.port, world.key, slug, Content_Length=str(len(archive))) for _ in range(share)]
    wait_until(lambda: world.uploads() == share, 30, "the share is used")
    answer = upload(gunicorn.port, world.key, slug, game_archive(seed=3))
    assert (answer.status, answer.code) == (503, "service_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert f"Starlight Studio uses {share} of the {SLOTS} places for uploads" in answer.json["message"]
    assert upload(gunicorn.port, other_key, other_slug, game_archive(seed=3)).status == 200
    for sending in held:
        sending.hang_up()
    world.is_clean()


@on_both
def test_a_game_that_is_deleted_meanwhile_gets_no_build(
    world: World, gunicorn: Gunicorn, slug: str, archive: bytes
) -> None:
    doomed = world.new_game()
    with RawUpload(gunicorn.port, world.key, doomed, Content_Length=str(len(archive))) as sending:
        sending.send(archive[:MIB])
        wait_until(lambda: world.uploads() == 1, 30, "it has begun")
        deleted = urllib3.request(
            "DELETE", f"{gunicorn.address}/api/partners/games/{doomed}", headers=bearer(world.key)
        )
        assert deleted.status == 204
        answer = sending.send(archive[MIB:]).answer()
    assert (answer.status, answer.code) == (404, "not_found")
    world.is_clean()
    assert world.refusals(doomed) == ["not_found"]
    assert world.builds(doomed) == []


@on_both
def test_two_archives_for_one_game_at_once_are_two_builds(
    world: World, gunicorn: Gunicorn, slug: str, archive: bytes
) -> None:
    made = [archive, game_archive(seed=9)]
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda one: upload(gunicorn.port, world.key, slug, one), made))
    assert [answer.status for answer in answers] == [200, 200]
    assert sorted(answer.json["build"] for answer in answers) == [2, 3]
    assert {sha256 for _, sha256 in world.builds(slug)[1:]} == {hashlib.sha256(one).hexdigest() for one in made}


@on_both
def test_the_same_archive_twice_at_once_is_one_build(
    world: World, gunicorn: Gunicorn, slug: str, archive: bytes
) -> None:
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: upload(gunicorn.port, world.key, slug, archive), range(2)))
    assert [answer.status for answer in answers] == [200, 200]
    assert answers[0].json == answers[1].json
    assert [number for number, _ in world.builds(slug)] == [1, 2]


def test_a_stopping_server_cuts_what_takes_too_long_and_says_so(
    world: World, slug: str, archive: bytes, tmp_path: Path
) -> None:
    server = Gunicorn(world.settings, tmp_path / "log", SLIPWAY_DRAIN_SECONDS="1", SLIPWAY_BODY_TIMEOUT="30").start()
    try:
        with RawUpload(server.port, world.key, slug, Content_Length=str(len(archive))) as sending:
            sending.send(archive[:MIB])
            wait_until(lambda: world.uploads() == 1, 30, "it has begun")
            server.stop()
            answer = sending.answer()
    finally:
        server.kill()
    assert answer.code == "upload_interrupted"
    assert "the app is being stopped" in answer.json["message"]
    assert world.leftovers() == []
    assert world.refusals(slug) == ["upload_interrupted"]


def test_a_stopping_server_lets_a_quick_upload_finish(world: World, slug: str, archive: bytes, tmp_path: Path) -> None:
    server = Gunicorn(world.settings, tmp_path / "log", SLIPWAY_DRAIN_SECONDS="30").start()
    try:
        with RawUpload(server.port, world.key, slug, Content_Length=str(len(archive))) as sending:
            sending.send(archive[:MIB])
            wait_until(lambda: world.uploads() == 1, 30, "it has begun")
            assert server.process is not None
            server.process.terminate()
            answer = sending.send(archive[MIB:]).answer()
        server.process.wait(15)
    finally:
        server.kill()
    assert (answer.status, answer.json["build"]) == (200, 2)
