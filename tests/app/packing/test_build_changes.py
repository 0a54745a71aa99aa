"""Changes between two builds, from the indexes of packs that are really stored: the domain and the API."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.catalog.releasing import make_release
from app.data.database import free_connection
from app.data.extensions import db
from app.data.models.game import Build, Game
from app.limits import thread_budgets
from app.limits.slots import Owner
from app.packing import build_changes as compared
from app.packing import pack_reading
from app.packing.build_changes import build_changes, other_numbers
from app.packing.pack_work import make_due_packs
from app.packing.pack_writing import store
from app.refusals import Unavailable
from app.storage.bucket import bucket
from slipway.packs.format.index_encoding import encode_index
from slipway.packs.format.index_transfer import compress_index, reference_to
from tests.app.api.calling import GAMES, Script
from tests.app.fleet.acting import STUDIO
from tests.app.fleet.packs import add_pack
from tests.app.packing import scenes
from tests.app.packing.scenes import Studio, game_files, ready_pack
from tests.app.packing.test_damaged import flip
from tests.conftest import Cast
from tests.slipway.packs.test_comparing import many_files

# Nothing here depends on the kind of database.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def script(client: FlaskClient, cast: Cast) -> Script:
    return Script(client, cast.starlight.key)


@pytest.fixture
def two_builds(studio: Studio) -> tuple[Build, Build]:
    """The live build, and a staged one with changes; both have packs."""
    old = studio.publish(game_files() | {"game/old.txt": b"gone" * 10})
    new = studio.publish(
        game_files(scripts=900)
        | {"game/new.png": b"picture" * 5000, "game/moved.bin": game_files()["game/images.rpa"]},
        release=False,
    )
    make_due_packs()
    return old, new


def go_live(game: Game, number: int) -> None:
    free_connection()
    make_release(db.session.get_one(Game, game.id), number, STUDIO)


def ask(script: Script, number: int, **query: Any) -> TestResponse:
    return script.ask("GET", f"{GAMES}/paper-lanterns/builds/{number}/changes", query_string=query)


def paths(answer: TestResponse) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [change["path"] for change in answer.get_json()["changes"]]


def test_the_files_that_differ_from_the_live_build_largest_first(
    script: Script, two_builds: tuple[Build, Build]
) -> None:
    found = ask(script, 2).get_json()
    size = len(game_files(scripts=900)["game/script.rpy"])
    assert found == {
        "build": 2,
        "against": 1,
        "topDirectory": "PaperLanterns-1.0",
        "topDirectoryAgainst": "PaperLanterns-1.0",
        "added": 2,
        "removed": 1,
        "changed": 1,
        "newBytes": 35_000 + size,
        "changes": [
            {"path": "game/moved.bin", "kind": "added", "oldSize": None, "newSize": 300_000, "newBytes": 0},
            {"path": "game/new.png", "kind": "added", "oldSize": None, "newSize": 35_000, "newBytes": 35_000},
            {
                "path": "game/script.rpy",
                "kind": "changed",
                "oldSize": len(game_files()["game/script.rpy"]),
                "newSize": size,
                "newBytes": size,
            },
            {"path": "game/old.txt", "kind": "removed", "oldSize": 40, "newSize": None, "newBytes": 0},
        ],
        "total": 4,
    }


def test_any_other_build_can_be_compared_with(script: Script, two_builds: tuple[Build, Build]) -> None:
    assert ask(script, 1, against=2).get_json()["removed"] == 2
    assert paths(ask(script, 1, against=1)) == []


def test_the_live_build_is_compared_with_the_one_that_was_live_before(
    script: Script, game: Game, two_builds: tuple[Build, Build]
) -> None:
    assert ask(script, 1).status_code == 404, "no other build was live, and there is no lower number"
    go_live(game, 2)
    assert ask(script, 2).get_json()["against"] == 1
    assert ask(script, 1).get_json()["against"] == 2


def test_kind_and_text_filter(script: Script, two_builds: tuple[Build, Build]) -> None:
    assert paths(ask(script, 2, kind="added")) == ["game/moved.bin", "game/new.png"]
    assert paths(ask(script, 2, q="NEW.")) == ["game/new.png"]
    both = ask(script, 2, kind="removed", q=".png").get_json()
    assert (both["changes"], both["total"], both["added"]) == ([], 0, 1)
    assert ask(script, 2, kind="moved").status_code == 400


def test_pages_follow_each_other_also_when_another_build_goes_live_meanwhile(
    script: Script, game: Game, two_builds: tuple[Build, Build]
) -> None:
    seen: list[str] = []
    cursor = None
    for _ in range(4):
        answer = ask(script, 2, limit=1, **({"cursor": cursor} if cursor else {}))
        seen += paths(answer)
        cursor = answer.get_json().get("nextCursor")
        go_live(game, 2)
    assert cursor is None
    assert seen == ["game/moved.bin", "game/new.png", "game/script.rpy", "game/old.txt"]


def test_a_cursor_of_another_list_is_refused(script: Script, two_builds: tuple[Build, Build]) -> None:
    cursor = ask(script, 2, limit=1).get_json()["nextCursor"]
    assert ask(script, 2, cursor=cursor, against=2).status_code == 400
    for wrong in ("7", "!!", "MSAx", "LTEgLTE"):
        assert ask(script, 2, cursor=wrong).status_code in {200, 400}
    assert ask(script, 2, cursor="LTEgLTE").status_code == 400, "negative numbers"


def test_a_build_with_another_top_directory_is_compared_file_by_file(
    studio: Studio, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.publish(game_files())
    monkeypatch.setattr(scenes, "TOP", "PaperLanterns-1.1")
    studio.publish(game_files(scripts=2), release=False)
    make_due_packs()
    found = ask(script, 2).get_json()
    assert (found["topDirectoryAgainst"], found["topDirectory"]) == ("PaperLanterns-1.0", "PaperLanterns-1.1")
    assert [change["path"] for change in found["changes"]] == ["game/script.rpy"]


def test_a_build_without_a_pack_says_when_it_can_be_compared(script: Script, two_builds: tuple[Build, Build]) -> None:
    add_pack(two_builds[1], "making")
    answer = ask(script, 2)
    assert (answer.status_code, answer.get_json()["error"]) == (409, "index_preparing")
    assert answer.get_json()["message"] == "The list of files of build 2 is being made. Try again in a minute."


def test_the_newest_builds_are_offered_and_the_one_that_is_asked_for(game: Game, studio: Studio) -> None:
    builds = [studio.publish(game_files(scripts=number, media=1000), release=False) for number in range(4)]
    assert other_numbers(game, builds[3], 10, None) == [3, 2, 1]
    assert other_numbers(game, builds[3], 2, None) == [3, 2]
    assert other_numbers(game, builds[3], 2, 1) == [3, 1]


@pytest.mark.parametrize("damage", ["lost", "changed"])
def test_a_damaged_index_is_made_again(script: Script, two_builds: tuple[Build, Build], damage: str) -> None:
    key = ready_pack(two_builds[1]).index_key
    if damage == "lost":
        bucket().delete([key])
    else:
        flip(key)
    answer = ask(script, 2)
    assert (answer.status_code, answer.get_json()["error"]) == (409, "index_preparing")
    make_due_packs()
    assert len(paths(ask(script, 2))) == 4


def test_the_indexes_are_read_once(script: Script, game: Game, two_builds: tuple[Build, Build]) -> None:
    assert len(paths(ask(script, 2))) == 4
    bucket().delete([ready_pack(build).index_key for build in two_builds])
    assert len(paths(ask(script, 2))) == 4, "builds are immutable, so the comparison is too"


def test_a_comparison_that_has_to_wait_too_long_is_refused(
    script: Script, game: Game, two_builds: tuple[Build, Build], monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = threading.Lock()
    busy.acquire()
    monkeypatch.setattr(compared, "_comparing", busy)
    monkeypatch.setattr(compared, "MAX_WAIT_SECONDS", 0.01)
    with pytest.raises(Unavailable, match="Try again in 30 seconds"):
        build_changes(game, two_builds[1])


def test_one_partner_uses_at_most_half_of_the_places_for_comparisons(
    script: Script, game: Game, two_builds: tuple[Build, Build]
) -> None:
    slots, owner = thread_budgets.comparisons, Owner.partner(game.partner_id, "Starlight")
    for _ in range(slots.half):
        slots.acquire(owner)
    try:
        answer = ask(script, 2)
    finally:
        for _ in range(slots.half):
            slots.free(owner)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    assert len(paths(ask(script, 2))) == 4


def test_no_database_connection_is_held_while_storage_is_read(
    script: Script, game: Game, two_builds: tuple[Build, Build], monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []
    read = pack_reading.read_own_index

    def watched(pack: Any) -> Any:
        held.append(db.engine.pool.checkedout())  # type: ignore[attr-defined]  # every pool of ours counts
        return read(pack)

    monkeypatch.setattr(compared, "read_own_index", watched)
    free_connection()
    build_changes(game, two_builds[1])
    assert held == [0, 0]


def test_a_stranger_compares_nothing(script: Script, cast: Cast, two_builds: tuple[Build, Build]) -> None:
    assert ask(Script(script.client, cast.moonbase.key), 2).status_code == 404
    assert ask(script, 2, against=9).status_code == 404
    assert ask(script, 9).status_code == 404


@pytest.mark.slow
def test_builds_of_two_hundred_thousand_files(studio: Studio, script: Script) -> None:
    builds = [studio.publish(game_files(), release=True), studio.publish(game_files(scripts=2), release=False)]
    for build, salt in zip(builds, (b"a", b"b"), strict=True):
        encoded = encode_index(many_files(salt, 200_000))
        reference, frame = reference_to(encoded), compress_index(encoded)
        store(f"packs/{build.id}/index", frame)
        add_pack(build, pack_bytes=1, index_bytes=len(frame), index_sha256=reference.sha256, index_size=reference.size)
    first = ask(script, 2, limit=1000)
    assert (len(paths(first)), first.get_json()["total"]) == (1000, 2000)
    began = time.process_time()
    assert len(paths(ask(script, 2, q="100", cursor=first.get_json()["nextCursor"]))) > 0
    assert time.process_time() - began < 10, "a tenth of a second on an idle machine"
