"""A game's builds: the list and how it is kept, and one build."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
import urllib3
from flask import Flask
from sqlalchemy import select

from app.data.database import announce, writing
from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.game import Build, Game
from app.data.models.pack import BuildPack
from app.storage.bucket import bucket
from app.topics.names import game_topic
from app.uploads.resumable.archive_check import examine
from tests.app.web import scenes
from tests.app.web.builds.test_upload import sent
from tests.app.web.conftest import HTMX, ONE_DATABASE, Visitor
from tests.app.web.reading import afresh, errors, plain, rows
from tests.conftest import Cast
from tests.game_archives import game_archive

pytestmark = ONE_DATABASE

PAGE = "/games/garden-of-forking-paths"


@pytest.fixture
def garden(cast: Cast, six_servers: list[str]) -> str:
    game_id = scenes.forking_paths(cast.starlight.partner_id)
    scenes.servers_report(silent=["srv-06"])
    return game_id


def noted(game_id: str, number: int) -> str | None:
    afresh()
    return db.session.scalars(select(Build).where(Build.game_id == game_id, Build.number == number)).one().note


def test_a_build_says_what_it_is_and_where(owner: Visitor, garden: str) -> None:
    text = plain(owner.get(f"{PAGE}/builds/3").text)
    assert "Build 3 Ready, was live" in text
    assert "Cached on 5 of 6: srv-01, srv-02, srv-03, srv-04 and srv-05" in text
    assert "Unpacked 13.2 GiB in 1,204 files and folders" in text
    assert f"SHA-256 {'0' * 63}3" in text
    assert "Roll back to build 3" in text
    assert "Save the note" in text


def test_a_build_that_most_servers_keep_costs_them_nothing(owner: Visitor, garden: str) -> None:
    def update(number: int) -> str:
        (line,) = [line for line in rows(owner.get(f"{PAGE}/builds").text) if line.startswith(f"Build {number} ")]
        return line.split(" GiB ", 1)[1].split(" Cached on ")[0]

    assert update(3) == "0 B on 5 of 6"
    change_pack(built(garden, 3), state="making")
    assert update(3) == "0 B on 5 of 6", "whatever becomes of its pack"
    scenes.servers_report()
    change_pack(built(garden, 3), state="waiting")
    assert update(3) == "0 B"


def test_the_state_of_a_builds_pack_is_shown_in_the_list_and_on_its_page(owner: Visitor, garden: str) -> None:
    build = built(garden, 5)
    change_pack(build, state="making", bytes_done=4, bytes_total=10)
    assert "Preparing updates 40 %" in rows(owner.get(PAGE).text)[0]
    assert "Pack for updates Preparing updates 40 %" in plain(owner.get(f"{PAGE}/builds/5").text)
    change_pack(build, state="no_room", reason="The portal's disk is full.")
    assert "Servers fetch the archive. The portal's disk is full." in rows(owner.get(f"{PAGE}/builds").text)[0]
    change_pack(build, state="ready", reason=None, folder="packs/x", pack_bytes=3_000_000_000, index_bytes=1)
    assert "updates" not in rows(owner.get(PAGE).text)[0]
    assert "Pack for updates 2.8 GiB" in plain(owner.get(f"{PAGE}/builds/5").text)


def built(game_id: str, number: int) -> str:
    afresh()
    return db.session.scalars(select(Build.id).where(Build.game_id == game_id, Build.number == number)).one()


def change_pack(build_id: str, **values: Any) -> None:
    """Make the pack's row, or change it."""
    with writing() as session:
        session.merge(BuildPack(build_id=build_id, **values))
        announce(game_topic(session.get_one(Build, build_id).game_id))


def test_warnings_are_shown_in_the_list_on_the_page_and_before_a_release(owner: Visitor, garden: str) -> None:
    with writing() as session:
        build = session.scalars(select(Build).where(Build.game_id == garden, Build.number == 3)).one()
        build.warnings = ["lib/x/engine is a program without an execute bit", "README differs"]
    shown = next(row for row in rows(owner.get(PAGE).text) if row.startswith("Build 3 "))
    assert "2 warnings from its check" in shown
    assert f'href="{PAGE}/builds/3#warnings"' in owner.get(PAGE).text
    assert "Warnings from its check lib/x/engine is a program" in plain(owner.get(f"{PAGE}/builds/3").text)
    question = plain(owner.get(f"{PAGE}/builds/3/release").text)
    assert "lib/x/engine is a program without an execute bit. README differs." in question


def test_a_note_is_kept_and_shown_in_the_list(owner: Visitor, garden: str) -> None:
    answer = owner.post(f"{PAGE}/builds/5/note", {"note": " Fixes the harbour\r\nscene "})
    assert (answer.status_code, answer.location) == (303, f"{PAGE}/builds/5")
    assert noted(garden, 5) == "Fixes the harbour\nscene"
    assert "The note of build 5 is saved" in owner.get(f"{PAGE}/builds/5").text
    assert "Fixes the harbour scene" in rows(owner.get(PAGE).text)[0]
    long = owner.post(f"{PAGE}/builds/5/note", {"note": "x" * 2001})
    assert errors(long) == [
        "The note is not saved yet: 1 thing to change",
        "The note has at most 2,000 characters. Shorten it.",
    ]
    assert "x" * 2001 in long.text
    owner.post(f"{PAGE}/builds/5/note", {"note": ""})
    assert noted(garden, 5) is None


def test_a_versions_name_is_in_the_list_and_on_the_builds_page(owner: Visitor, garden: str) -> None:
    with writing() as session:
        query = select(Build).where(Build.game_id == garden, Build.number == 5)
        session.scalars(query).one().version_label = "1.4.2 <rc>"
    assert "1.4.2 <rc>" in rows(owner.get(PAGE).text)[0]
    assert "Version 1.4.2 <rc>" in plain(owner.get(f"{PAGE}/builds/5").text)


def test_a_download_leads_to_the_archive_in_storage(app: Flask, owner: Visitor, viewer: Visitor, cast: Cast) -> None:
    scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns")
    archive = game_archive()
    examine(sent(owner, archive).rpartition("/")[2])
    answer = viewer.get("/games/paper-lanterns/builds/1/download")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (302, "no-store")
    found = urllib3.request("GET", answer.location)
    assert found.data == archive
    assert 'filename="paper-lanterns-1.tar.gz"' in found.headers["Content-Disposition"]
    assert urlsplit(answer.location).query.count("X-Amz-Signature") == 1
    with app.app_context():
        bucket().delete([db.session.scalars(select(Build)).one().object_key])
    missing = owner.get("/games/paper-lanterns/builds/1/download")
    assert missing.status_code == 404
    assert "is not in storage" in missing.text


def test_a_build_that_nothing_uses_is_deleted(owner: Visitor, garden: str) -> None:
    assert "This removes 6.6 GiB from storage" in plain(owner.get(f"{PAGE}/builds/2/deletion", headers=HTMX).text)
    answer = owner.post(f"{PAGE}/builds/2/deletion")
    assert (answer.status_code, answer.location) == (303, f"{PAGE}/builds")
    assert "Build 2 is deleted" in owner.get(f"{PAGE}/builds").text
    assert owner.get(f"{PAGE}/builds/2").status_code == 404
    assert db.session.scalars(select(AuditEntry.actor).where(AuditEntry.action == "build.deleted")).all() == ["Owner"]


def test_what_is_live_or_in_use_is_not_deleted(owner: Visitor, garden: str) -> None:
    live = owner.post(f"{PAGE}/builds/4/deletion")
    assert errors(live)[1] == "Build 4 is live. Release another build first."
    assert "Build 3 is in use on" in errors(owner.post(f"{PAGE}/builds/3/deletion"))[1]
    assert "/builds/4/deletion" not in owner.get(f"{PAGE}/builds/4").text
    assert owner.get(f"{PAGE}/builds/4").status_code == 200


def test_how_builds_are_kept_is_set_for_the_game(owner: Visitor, garden: str) -> None:
    assert owner.post(f"{PAGE}/builds", {"keep_builds": "3"}).status_code == 303
    afresh()
    game = db.session.get_one(Game, garden)
    assert (game.auto_release, game.keep_builds) == (False, 3)
    page = owner.get(f"{PAGE}/builds").text
    assert "The settings for builds are saved" in page
    assert 'value="3"' in page
    assert 'data-release="0"' in page, "the drop zone stages too"
    for wrong in ("0", "1001", "many", "-1"):
        answer = owner.post(f"{PAGE}/builds", {"keep_builds": wrong, "auto_release": "y"})
        assert errors(answer) == [
            "The settings for builds are not saved yet: 1 thing to change",
            "Keep 1 to 1,000 builds, or leave the field empty to keep all",
        ]
        assert f'value="{wrong}"' in answer.text
    owner.post(f"{PAGE}/builds", {"keep_builds": "", "auto_release": "y"})
    afresh()
    game = db.session.get_one(Game, garden)
    assert (game.auto_release, game.keep_builds) == (True, None)


def test_viewers_read_and_change_nothing(viewer: Visitor, garden: str) -> None:
    with writing() as session:
        session.scalars(select(Build).where(Build.game_id == garden, Build.number == 5)).one().note = "For the demo"
    page = viewer.get(f"{PAGE}/builds/5").text
    assert "For the demo" in page
    assert "Download" in page
    for absent in ("Save the note", "/deletion", "/release"):
        assert absent not in page
    assert "Release when ready Yes" in plain(viewer.get(f"{PAGE}/builds").text)
    paths = [f"{PAGE}/builds", f"{PAGE}/builds/5/note", f"{PAGE}/builds/2/deletion"]
    assert [viewer.post(path).status_code for path in paths] == [403] * 3
    assert viewer.get(f"{PAGE}/builds/2/deletion").status_code == 403


def test_strangers_and_the_signed_out_find_nothing(stranger: Visitor, visitor: Visitor, garden: str) -> None:
    reads = [f"{PAGE}/builds", f"{PAGE}/builds/5", f"{PAGE}/builds/5/download", f"{PAGE}/builds/2/deletion"]
    writes = [f"{PAGE}/builds", f"{PAGE}/builds/5/note", f"{PAGE}/builds/2/deletion"]
    assert [stranger.get(path).status_code for path in reads] == [404] * 4
    assert [stranger.post(path).status_code for path in writes] == [404] * 3
    for path in reads:
        assert visitor.get(path).location.startswith("/sign-in")
        assert visitor.get(path, headers=HTMX).status_code == 401
    for path in writes:
        assert visitor.post(path).location.startswith("/sign-in")


def test_unknown_builds_and_missing_tokens(owner: Visitor, garden: str) -> None:
    for path in ("builds/9", "builds/9/download", "builds/9/deletion", "builds/0"):
        assert owner.get(f"{PAGE}/{path}").status_code == 404, path
    assert owner.post(f"{PAGE}/builds/9/note", {"note": "x"}).status_code == 404
    for path in ("builds", "builds/5/note", "builds/2/deletion"):
        assert owner.post(f"{PAGE}/{path}", {"note": "x"}, token=False).status_code == 400
    assert noted(garden, 5) is None
