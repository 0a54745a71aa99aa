"""Lists of files of builds without a pack: kept when it is freed, and made when somebody compares the build."""

from __future__ import annotations

import errno
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.accounts.build_quota import build_quota
from app.catalog.build_list import find_build
from app.catalog.releasing import release
from app.catalog.retention import delete_build
from app.data.database import free_connection, writing
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.game import Build
from app.data.models.pack import BuildPack
from app.data.models.partner import Partner
from app.maintenance.build_sweep import check, sweep
from app.packing import pack_making, pack_reading
from app.packing.due_packs import NEWEST_PACKED, due_packs
from app.packing.pack_claims import claim_pack, free_claim
from app.packing.pack_removal import discard_pack, free_packs
from app.packing.pack_requests import request_list
from app.packing.pack_states import pack_states
from app.packing.pack_work import make_due_packs, make_unready_packs
from app.storage.bucket import bucket
from app.storage.objects import ObjectMissing, OpenObject
from tests.app.api.calling import GAMES, Script
from tests.app.fleet.acting import STUDIO
from tests.app.packing.scenes import Studio, game_files, pack_objects_stored, pack_of, ready_pack
from tests.conftest import Cast

NOW = timedelta(0)
# What differs between databases is in the other tests: the requests, and the choice of what is due.
sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def script(client: FlaskClient, cast: Cast) -> Script:
    return Script(client, cast.starlight.key)


@pytest.fixture
def old_builds(studio: Studio) -> list[Build]:
    """More builds than have packs: two old ones, then the newest. The last one is live."""
    made = []
    for number in range(NEWEST_PACKED + 2):
        made.append(studio.publish(game_files(scripts=number + 1, media=1000)))
        make_due_packs()
    return made


def ask(script: Script, number: int, against: int) -> tuple[str, list[str]]:
    """The error, and the paths that differ."""
    answer = script.ask("GET", f"{GAMES}/paper-lanterns/builds/{number}/changes", query_string={"against": against})
    found: dict[str, Any] = answer.get_json()
    return found.get("error", ""), [change["path"] for change in found.get("changes", [])]


def without_pack(build: Build) -> None:
    """As a build from before packs: no row and no objects."""
    discard_pack(ready_pack(build))


def listed(build: Build) -> BuildPack:
    pack = pack_of(build)
    assert pack is not None
    assert (pack.state, pack.has_index, pack.pack_bytes) == ("listed", True, 0)
    return pack


def test_two_builds_whose_packs_were_freed_can_be_compared(script: Script, old_builds: list[Build]) -> None:
    first, second = old_builds[:2]
    kept = {ready_pack(first).index_key, ready_pack(second).index_key}
    sweep(NOW)
    assert {listed(first).index_key, listed(second).index_key} == kept
    assert ask(script, 2, 1) == ("", ["game/script.rpy"])
    assert ask(script, 1, len(old_builds)) == ("", ["game/script.rpy"])
    assert due_packs() == []
    assert (check().missing, check().orphans) == ([], [])
    assert pack_states([first.id]) == {}, "no server needs a pack of it"


@sqlite_only
def test_lists_count_against_the_quota(old_builds: list[Build], cast: Cast) -> None:
    sweep(NOW)
    free_connection()
    quota = build_quota(db.session(), db.session.get_one(Partner, cast.starlight.partner_id))
    assert quota.packs == sum(pack_objects_stored().values())


def test_a_build_that_never_had_a_pack_gets_its_list_when_somebody_asks(
    script: Script, studio: Studio, old_builds: list[Build]
) -> None:
    for build in old_builds[:2]:
        without_pack(build)
    before = pack_objects_stored().keys()
    assert due_packs() == [], "nobody asked"

    assert ask(script, 2, 1)[0] == "index_preparing"
    assert ask(script, 2, 1)[0] == "index_preparing"
    assert sorted(due_packs()) == sorted(build.id for build in old_builds[:2])
    assert pack_states([old_builds[0].id]) == {}
    sweep(NOW)
    make_due_packs()

    lists = {listed(build).index_key for build in old_builds[:2]}
    assert pack_objects_stored().keys() - before == lists, "of the packs, only their lists are stored"
    assert ask(script, 2, 1) == ("", ["game/script.rpy"])
    assert due_packs() == []
    sweep(NOW)
    assert {listed(build).index_key for build in old_builds[:2]} == lists


def test_a_list_is_made_for_a_build_for_whose_pack_the_quota_has_no_room(
    script: Script, studio: Studio, cast: Cast
) -> None:
    first = studio.publish(game_files(media=1000))
    make_due_packs()
    second = studio.publish(game_files(scripts=2, media=1000))
    with writing() as session:
        session.execute(update(Partner).where(Partner.id == cast.starlight.partner_id).values(build_quota_bytes=1))
    make_due_packs()
    refused = pack_of(second)
    assert refused is not None
    assert (refused.state, refused.has_index) == ("no_room", False)

    assert ask(script, 2, 1)[0] == "index_preparing"
    make_due_packs()

    assert ask(script, 2, 1) == ("", ["game/script.rpy"])
    again = pack_of(second)
    assert again is not None
    assert (again.state, again.reason) == ("no_room", refused.reason), "servers still fetch the archive"
    assert first.id


@sqlite_only
def test_a_list_that_cannot_be_made_says_why_and_is_tried_again_after_the_next_sweep(
    script: Script, old_builds: list[Build], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = old_builds[0]
    without_pack(first)
    ask(script, 2, 1)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(pack_making, "write_build", full)
        make_due_packs()
        answer = script.ask("GET", f"{GAMES}/paper-lanterns/builds/2/changes", query_string={"against": 1}).get_json()
    assert answer["error"] == "no_index"
    assert answer["message"].startswith(
        "Build 1 cannot be compared, because the list of its files could not be made. The portal's disk filled up"
    )
    sweep(NOW)
    assert ask(script, 2, 1)[0] == "index_preparing"
    make_due_packs()
    assert ask(script, 2, 1) == ("", ["game/script.rpy"])


@sqlite_only
def test_a_listed_build_that_is_released_gets_its_pack_and_its_list_goes_with_it(
    script: Script, studio: Studio, old_builds: list[Build]
) -> None:
    first = old_builds[0]
    sweep(NOW)
    old_list = listed(first).index_key
    release(studio.game, first.number, STUDIO)
    waiting = pack_of(first)
    assert waiting is not None
    assert waiting.state == "waiting"
    assert waiting.awaited_until is not None, "servers wait for it"
    assert ask(script, 1, 2) == ("", ["game/script.rpy"]), "its list is there all the time"

    make_due_packs()

    assert ready_pack(first).list_folder is None
    assert old_list not in pack_objects_stored()
    assert ask(script, 1, 2) == ("", ["game/script.rpy"])
    assert (check().missing, check().orphans) == ([], [])


@sqlite_only
def test_a_release_while_the_list_is_made_makes_the_pack_next(studio: Studio, old_builds: list[Build]) -> None:
    first = old_builds[0]
    without_pack(first)
    request_list(first.id)

    def released(point: str) -> None:
        if point == "pack-objects-stored" and studio.game.released_build_id != first.id:
            release(studio.game, first.number, STUDIO)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pack_making, "crash_point", released)
        make_due_packs()

    assert ready_pack(first).list_folder is None
    assert (check().missing, check().orphans) == ([], [])


@sqlite_only
def test_an_attempt_at_a_list_that_is_continued_later_keeps_the_request(old_builds: list[Build]) -> None:
    first = old_builds[0]
    without_pack(first)
    request_list(first.id)
    claim = claim_pack(first.id)
    assert claim is not None
    assert claim.list_only
    free_claim(claim)
    assert due_packs() == [first.id]
    sweep(NOW)
    make_due_packs()
    listed(first)


@sqlite_only
def test_deleting_a_build_deletes_its_list(studio: Studio, old_builds: list[Build]) -> None:
    first = old_builds[0]
    free_packs()
    assert listed(first).index_key in pack_objects_stored()
    delete_build(studio.game, first.number, STUDIO)
    assert (check().missing, check().orphans) == ([], [])


@sqlite_only
def test_a_lost_list_is_found_and_made_again(script: Script, studio: Studio, old_builds: list[Build]) -> None:
    first = old_builds[0]
    free_packs()
    lost = listed(first).index_key
    bucket().delete([lost])
    assert check().missing == [f"{studio.slug}, list of files of build 1: {lost}"]

    assert list(make_unready_packs(None)) == []

    assert check().missing == []
    assert ask(script, 2, 1)[0] == "index_preparing"
    assert [made.name for made in make_unready_packs(None)] == [f"{studio.slug}, build 1, list of files"]
    assert ask(script, 2, 1) == ("", ["game/script.rpy"])


@sqlite_only
def test_a_list_of_a_build_that_is_deleted_meanwhile_is_not_requested(studio: Studio, old_builds: list[Build]) -> None:
    first = find_build(studio.game, "1")
    build_id = first.id
    delete_build(studio.game, 1, STUDIO)
    request_list(build_id)
    assert due_packs() == []
    assert old_builds


@sqlite_only
def test_packs_for_servers_are_made_before_lists(studio: Studio, old_builds: list[Build]) -> None:
    first, newest = old_builds[0], studio.publish(game_files(scripts=9, media=1000), release=False)
    without_pack(first)
    request_list(first.id)
    with writing() as session:
        session.execute(update(Build).where(Build.id == first.id).values(created_at=now() + timedelta(days=1)))
    assert due_packs() == [newest.id, first.id]


def test_a_request_waits_for_nobody_who_only_refers_to_the_build(app: Flask, old_builds: list[Build]) -> None:
    """Whoever adds the row of the pack meanwhile waits for the request: both would wait for each other."""
    first = old_builds[0]
    without_pack(first)
    if db.engine.dialect.name == "sqlite":
        request_list(first.id)
    else:
        with db.engine.connect() as other:
            other.execute(select(Build.id).where(Build.id == first.id).with_for_update(read=True, key_share=True))
            with ThreadPoolExecutor(1) as pool:
                done = pool.submit(_in_app, app, lambda: request_list(first.id))
                try:
                    done.result(timeout=30)
                finally:
                    other.rollback()
    assert due_packs() == [first.id]


def _in_app(app: Flask, call: Callable[[], None]) -> None:
    with app.app_context():
        call()


@sqlite_only
def test_a_comparison_discards_no_list_that_storage_only_fails_to_send(
    script: Script, old_builds: list[Build], monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep(NOW)
    kept = listed(old_builds[0]).index_key

    def missing(*_: Any) -> OpenObject:
        raise ObjectMissing("reading an object that is not there")

    with monkeypatch.context() as patched:
        patched.setattr(pack_reading, "open_object", missing)
        answer = script.ask("GET", f"{GAMES}/paper-lanterns/builds/2/changes", query_string={"against": 1})
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    assert listed(old_builds[0]).index_key == kept
    assert ask(script, 2, 1) == ("", ["game/script.rpy"])
