"""What a release will cost each server, before it is made: the bytes that the server then fetches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.data.database import writing
from app.data.models.game import Game
from app.data.models.pack import PackUpdate
from app.packing.pack_work import make_due_packs
from app.storage.bucket import bucket
from tests.app.api.calling import GAMES, Script
from tests.app.fleet.acting import FleetAgent, held
from tests.app.fleet.packs import add_pack
from tests.app.packing.scenes import PackInstaller, Studio, edited, game_files, ready_pack, update_of
from tests.conftest import Cast

RELEASES = f"{GAMES}/paper-lanterns/releases"
PACK = {"kind": "pack", "from": None, "fallback": None}


@pytest.fixture
def agents(client: FlaskClient, cast: Cast) -> list[FleetAgent]:
    return [FleetAgent(client, cast.servers[f"srv-0{number}"]) for number in (1, 2, 3)]


@pytest.fixture
def script(client: FlaskClient, cast: Cast) -> Script:
    return Script(client, cast.starlight.key)


def forecast(script: Script, number: int) -> dict[str, Any]:
    answer = script.ask("GET", f"{RELEASES}/preview", query_string={"build": number})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def ways(found: dict[str, Any]) -> list[tuple[str, int | None]]:
    return [(server["way"], server["fromBuild"]) for server in found["servers"]]


def release(script: Script, number: int) -> None:
    answer = script.ask("POST", RELEASES, json={"build": number})
    assert answer.status_code == 201, answer.text


def test_the_forecast_is_what_each_server_then_fetches_to_the_byte(
    studio: Studio, script: Script, agents: list[FleetAgent], tmp_path: Path
) -> None:
    """One server holds the live build, one an older build, and one nothing."""
    files = game_files()
    oldest = studio.publish(files)
    make_due_packs()
    installers = [PackInstaller(tmp_path / agent.boot_id) for agent in agents]
    for installer in installers:
        installer.folder.mkdir()
    copies: list[Any] = [None, installers[1].install(agents[1].plan()["builds"][0]), None]
    agents[1].report(held(oldest, "cached", source=PACK))
    live = studio.publish(files | {"game/images.rpa": edited(files["game/images.rpa"])})
    make_due_packs()
    copies[0] = installers[0].install(agents[0].plan()["builds"][0])
    agents[0].report(held(live, "cached", source=PACK))
    staged = studio.publish(files | {"game/script.rpy": b"label start:\n    pass\n" * 99}, release=False)
    make_due_packs()

    found = forecast(script, staged.number)
    assert ways(found) == [("update", live.number), ("update", oldest.number), ("pack", None)]
    assert found["preparing"] is False
    assert found["bytesOf"] == 3 * staged.size

    release(script, staged.number)
    for agent, installer, copy, server in zip(agents, installers, copies, found["servers"], strict=True):
        before = installer.received
        entry = next(build for build in agent.plan()["builds"] if build["active"])
        installer.install(entry, copy)
        assert installer.received - before == server["bytesToFetch"]
    assert sum(server["bytesToFetch"] for server in found["servers"]) == found["bytesToFetch"]

    agents[0].report(held(live, "cached"), held(staged, "cached"))
    assert ways(forecast(script, staged.number))[0] == ("none", None)
    assert forecast(script, live.number)["servers"][0]["bytesToFetch"] == 0, "rolling back to a kept build"


def test_an_update_that_nobody_measured_yet_is_measured_for_the_forecast(
    studio: Studio, script: Script, agents: list[FleetAgent]
) -> None:
    first = studio.publish(game_files())
    make_due_packs()
    agents[0].report(held(first, "cached", source=PACK))
    second = studio.publish(game_files(scripts=5), release=False)
    make_due_packs()
    measured = update_of(first, second)
    assert measured is not None
    with writing() as session:
        session.delete(session.get_one(PackUpdate, (second.id, first.id)))
    found = forecast(script, second.number)
    assert ways(found)[0] == ("update", 1)
    again = update_of(first, second)
    assert again is not None
    assert found["servers"][0]["bytesToFetch"] == again.transfer_bytes
    assert again.transfer_bytes < 5000


def test_storage_that_does_not_answer_is_no_reason_to_refuse_the_forecast(
    studio: Studio, script: Script, agents: list[FleetAgent]
) -> None:
    first = studio.publish(game_files())
    make_due_packs()
    agents[0].report(held(first, "cached"))
    second = studio.publish(game_files(scripts=5), release=False)
    make_due_packs()
    with writing() as session:
        session.delete(session.get_one(PackUpdate, (second.id, first.id)))
    pack = ready_pack(second)
    bucket().delete([pack.index_key])
    server = forecast(script, second.number)["servers"][0]
    assert server["bytesToFetch"] == second.size, "its damaged pack is made again, and the archive is the most"


def test_without_a_pack_the_archive_is_fetched(studio: Studio, script: Script, agents: list[FleetAgent]) -> None:
    first = studio.publish(game_files())
    agents[0].report(held(first, "cached"))
    second = studio.publish(game_files(scripts=5), release=False)
    add_pack(second, "failed")
    found = forecast(script, second.number)
    assert ways(found) == [("archive", None)] * 3
    assert found["bytesToFetch"] == 3 * second.size
    assert found["preparing"] is False


def test_servers_that_play_another_build_wait_for_the_update(
    studio: Studio, script: Script, agents: list[FleetAgent]
) -> None:
    first = studio.publish(game_files())
    agents[0].report(held(first, "cached"))
    second = studio.publish(game_files(scripts=5), release=False)
    add_pack(second, "making", done=40, total=100)
    found = forecast(script, second.number)
    assert [server["preparing"] for server in found["servers"]] == [True, False, False]
    assert found["preparing"] is True

    release(script, second.number)
    assert forecast(script, 2)["preparing"] is True
    add_pack(second, "making", awaited_until=None)
    assert forecast(script, 2)["preparing"] is False, "it has waited long enough, and fetches the archive"


def test_a_download_that_has_begun_costs_what_is_left(
    studio: Studio, script: Script, agents: list[FleetAgent], game: Game
) -> None:
    first = studio.publish(game_files())
    make_due_packs()
    agents[0].report(held(first, "downloading", bytesDone=100, bytesTotal=300, source=PACK))
    assert forecast(script, 1)["servers"][0]["bytesToFetch"] == 200
    agents[0].report(held(first, "verifying", source=PACK))
    assert forecast(script, 1)["servers"][0]["bytesToFetch"] == 0


def test_the_index_of_a_copy_that_came_as_an_archive_is_not_part_of_the_update(
    studio: Studio, script: Script, agents: list[FleetAgent]
) -> None:
    """The server fetches it beforehand. It counts with the copy's own bytes."""
    first = studio.publish(game_files())
    agents[0].report()
    agents[0].report(held(first, "cached"))
    make_due_packs()
    second = studio.publish(game_files(scripts=5), release=False)
    make_due_packs()
    update = update_of(first, second)
    assert update is not None
    assert forecast(script, second.number)["servers"][0]["bytesToFetch"] == update.transfer_bytes

    release(script, second.number)
    updated = {"kind": "update", "from": 1, "fallback": None}
    agents[0].report(held(first, "cached"), held(second, "downloading", source=updated))
    agents[0].report(held(first, "cached"), held(second, "cached", source=updated))
    index = ready_pack(first).index_bytes
    rows = script.ask("GET", f"{GAMES}/paper-lanterns/builds").get_json()["builds"]
    assert {row["number"]: (row["sentBytes"], row["savedBytes"]) for row in rows} == {
        1: (first.size + index, 0),
        2: (update.transfer_bytes, second.size - update.transfer_bytes - index),
    }
