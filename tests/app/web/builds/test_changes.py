"""The pages of what changed in a build, what its release costs, and what was sent."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from app.data.database import writing
from app.data.models.game import Build, Game
from app.data.models.server import Server
from app.packing.pack_removal import discard_pack
from app.packing.pack_work import make_due_packs
from tests.app.fleet.acting import FleetAgent, held, new_game
from tests.app.fleet.packs import add_pack
from tests.app.packing.scenes import LAUNCHER, Studio, game_files, ready_pack
from tests.app.web.conftest import ONE_DATABASE, Visitor
from tests.app.web.reading import errors, plain, rows
from tests.conftest import Cast

pytestmark = ONE_DATABASE
PAGE = "/games/paper-lanterns"


@pytest.fixture
def two_builds(client: FlaskClient, cast: Cast) -> tuple[Build, Build]:
    """The live build, on srv-01 and srv-02, and a staged one with changes."""
    game = new_game(cast.starlight.partner_id, "paper-lanterns", launcher=LAUNCHER)
    studio = Studio(game.slug)
    old = studio.publish(game_files())
    for server in ("srv-01", "srv-02"):
        FleetAgent(client, cast.servers[server]).report(held(old, "cached"))
    pictures = {f"game/images/<i>{number:03}.webp": b"p" * (5000 + number) for number in range(210)}
    new = studio.publish(game_files(scripts=900) | pictures, release=False)
    make_due_packs()
    return old, new


def test_the_changes_since_the_live_build_largest_first(owner: Visitor, two_builds: tuple[Build, Build]) -> None:
    page = owner.get(f"{PAGE}/builds/2/changes").text
    assert "Changes in build 2 since build 1" in plain(page)
    assert "211 files differ, with 1.0 MiB of new content, unpacked" in plain(page)
    lines = rows(page)
    assert lines[0].split() == ["game/script.rpy", "Changed", "26", "B", "11", "KiB", "11", "KiB"]
    assert lines[1].split()[:3] == ["game/images/<i>209.webp", "Added", "—"]
    assert "<i>209" not in page, "names are escaped"
    assert len(lines) == 200


def test_pages_and_filters_are_links_and_forms(owner: Visitor, two_builds: tuple[Build, Build]) -> None:
    page = owner.get(f"{PAGE}/builds/2/changes?kind=added").text
    assert "All 211" in plain(page)
    assert "Added 210" in plain(page)
    after = re.search(r'href="([^"]+)">Smaller files', page)
    assert after, page
    second = owner.get(html.unescape(after[1])).text
    assert [line.split()[0] for line in rows(second)] == [
        f"game/images/<i>{number:03}.webp" for number in range(9, -1, -1)
    ]
    assert "Smaller files" not in second
    found = owner.get(f"{PAGE}/builds/2/changes?q=SCRIPT&against=1").text
    assert [line.split()[0] for line in rows(found)] == ["game/script.rpy"]
    nothing = plain(owner.get(f"{PAGE}/builds/2/changes?q=nowhere").text)
    assert "No changes match “nowhere”" in nothing


def test_any_two_builds_can_be_compared(owner: Visitor, two_builds: tuple[Build, Build]) -> None:
    back = plain(owner.get(f"{PAGE}/builds/1/changes?against=2").text)
    assert "Changes in build 1 since build 2" in back
    assert "Removed 210" in back
    assert "All files are the same" in plain(owner.get(f"{PAGE}/builds/1/changes?against=1").text)
    assert "There is no other build to compare with" in plain(owner.get(f"{PAGE}/builds/1/changes").text)
    for wrong in ("against=9", "against=-1", "kind=moved", "after=x"):
        assert owner.get(f"{PAGE}/builds/2/changes?{wrong}").status_code in {400, 404}


def test_a_list_of_files_that_is_being_made_is_waited_for(owner: Visitor, two_builds: tuple[Build, Build]) -> None:
    discard_pack(ready_pack(two_builds[1]))
    for address in (f"{PAGE}/builds/2/changes?q=script", f"{PAGE}/builds/2/changes/largest"):
        answer = owner.get(address)
        assert answer.status_code == 200
        assert "The list of files of build 2 is being made. Try again in a minute." in plain(answer.text)
        assert 'hx-trigger="every 3s"' in answer.text, "nobody has to"
    make_due_packs()
    shown = owner.get(f"{PAGE}/builds/2/changes?q=script").text
    assert [line.split()[0] for line in rows(shown)] == ["game/script.rpy"]
    assert "every 3s" not in shown


def test_a_list_of_files_that_could_not_be_made_says_why(owner: Visitor, two_builds: tuple[Build, Build]) -> None:
    add_pack(two_builds[1], "failed", reason="The build cannot be cut.")
    page = owner.get(f"{PAGE}/builds/2/changes").text
    assert (
        "Build 2 cannot be compared, because the list of its files could not be made. The build cannot be cut."
        in plain(page)
    )
    assert "every 3s" not in page


def test_the_page_of_a_build_loads_the_largest_changes(owner: Visitor, two_builds: tuple[Build, Build]) -> None:
    page = owner.get(f"{PAGE}/builds/2").text
    assert "Largest changes since build 1" in plain(page)
    assert f'hx-get="{PAGE}/builds/2/changes/largest"' in page
    assert f'href="{PAGE}/builds/2/changes"' in page, "without JavaScript it is a link"
    part = owner.get(f"{PAGE}/builds/2/changes/largest").text
    assert len(rows(part)) == 8
    assert "Show all changes, or compare with another build" in plain(part)
    assert re.search(rf'href="{PAGE}/builds/2/changes">Compare</a>', page), "above what fills the first screen"
    assert ">Compare</a>" not in owner.get(f"{PAGE}/builds/1").text
    assert "There is no other build to compare with" in plain(owner.get(f"{PAGE}/builds/1").text)


def test_the_question_before_a_release_loads_the_changes_since_the_live_build(
    owner: Visitor, two_builds: tuple[Build, Build]
) -> None:
    page = owner.get(f"{PAGE}/builds/2/release").text
    assert "Largest changes since build 1" in plain(page)
    assert f'hx-get="{PAGE}/builds/2/changes/largest?against=1"' in page
    assert f'href="{PAGE}/builds/2/changes?against=1"' in page, "without JavaScript it is a link"
    part = owner.get(f"{PAGE}/builds/2/changes/largest?against=1").text
    assert rows(part)[0].startswith("game/script.rpy Changed 26 B 11 KiB")
    assert "Largest changes" not in owner.get(f"{PAGE}/builds/1/release").text, "it is live already"
    assert owner.get(f"{PAGE}/builds/2/changes/largest?against=9").status_code == 404


def test_strangers_see_no_changes(stranger: Visitor, two_builds: tuple[Build, Build]) -> None:
    for path in ("changes", "changes/largest"):
        assert stranger.get(f"{PAGE}/builds/2/{path}").status_code == 404


def test_the_builds_table_says_what_servers_with_the_live_build_fetch(
    owner: Visitor, two_builds: tuple[Build, Build]
) -> None:
    lines = rows(owner.get(f"{PAGE}/builds").text)
    assert lines[0].startswith("Build 2 Ready 501 KiB 11 KiB — the studio")
    assert "489 KiB — Cached on 2 of 3 the studio" in lines[1], "the live build costs nothing"
    add_pack(two_builds[1], "making", done=40, total=100)
    assert "Preparing updates 40 % 501 KiB —" in rows(owner.get(f"{PAGE}/builds").text)[0]


def test_the_question_before_a_release_says_the_bytes_of_the_update(
    owner: Visitor, two_builds: tuple[Build, Build]
) -> None:
    page = owner.get(f"{PAGE}/builds/2/release").text
    lines = rows(page)
    assert "Updates from build 1" in lines[0]
    assert "never" not in lines[0]
    assert "Never reported: fetches later" in lines[2]
    assert "3 servers, up to " in plain(page)
    add_pack(two_builds[1], "making")
    waiting = owner.get(f"{PAGE}/builds/2/release").text
    assert "at most" in rows(waiting)[0]
    assert "Waits for its update, which is being prepared" in rows(waiting)[0]


def test_what_was_sent_and_saved_is_on_the_pages(owner: Visitor, two_builds: tuple[Build, Build]) -> None:
    with writing() as session:
        build = session.get_one(Build, two_builds[0].id)
        build.sent_bytes, build.saved_bytes = 54_000, 112_000_000
        game = session.get_one(Game, build.game_id)
        game.sent_bytes, game.saved_bytes = 7_000_000, 9_000_000
    assert "Sent to servers 53 KiB; 107 MiB saved by updates" in plain(owner.get(f"{PAGE}/builds/1").text)
    assert "Sent to servers: 6.7 MiB; 8.6 MiB saved by updates" in plain(owner.get(PAGE).text)


def test_a_cell_says_why_the_archive_was_used(
    client: FlaskClient, cast: Cast, owner: Visitor, two_builds: tuple[Build, Build]
) -> None:
    source = {"kind": "archive", "from": None, "fallback": "The pack failed its check: chunk 7 is damaged"}
    agent = FleetAgent(client, cast.servers["srv-03"])
    agent.report(held(two_builds[0], "downloading", bytesDone=10, source=source))
    words = plain(owner.get(f"{PAGE}/builds/1/servers/srv-03").text)
    assert "Fetched as The archive, because the pack failed its check: chunk 7 is damaged" in words


def kept_on(server_id: str) -> int:
    with writing() as session:
        return session.get_one(Server, server_id).keep_previous


def test_an_operator_sets_how_many_builds_a_server_keeps(
    cast: Cast, signed_in: Callable[[str], Visitor], owner: Visitor
) -> None:
    operator = signed_in(cast.operator)
    page = operator.get("/operator/servers/srv-01").text
    assert "Builds kept for rolling back" in plain(page)
    answer = operator.post("/operator/servers/srv-01/kept-builds", {"keep_previous": "3"})
    assert (answer.status_code, answer.location) == (303, "/operator/servers/srv-01")
    assert kept_on("srv-01") == 3
    assert "srv-01 keeps 3 builds per game for rolling back" in plain(operator.get("/operator/servers/srv-01").text)
    for wrong in ("21", "-1", "many", ""):
        refused = operator.post("/operator/servers/srv-01/kept-builds", {"keep_previous": wrong})
        assert errors(refused) == ["The setting is not saved yet: 1 thing to change", "Keep 0 to 20 builds"]
    assert operator.post("/operator/servers/srv-01/kept-builds", {"keep_previous": "0"}).status_code == 303
    assert kept_on("srv-01") == 0
    assert owner.post("/operator/servers/srv-01/kept-builds", {"keep_previous": "3"}).status_code in {403, 404}
