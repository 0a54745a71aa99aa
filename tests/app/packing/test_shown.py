"""What people and scripts see of packs: lists of builds, pages, commands."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, update

from app.catalog.games import register_game
from app.data.database import free_connection, writing
from app.data.extensions import db
from app.data.models.game import Build
from app.data.models.pack import BuildPack, PackUpdate
from app.data.models.partner import Partner
from app.packing.pack_claims import claim_pack
from app.packing.pack_states import PackStatus
from app.packing.pack_work import make_due_packs
from app.web.builds.build_words import pack_words
from tests.app.packing.scenes import Studio, game_files, pack_of, ready_pack, update_of
from tests.app.runtime.commands.conftest import Shell
from tests.conftest import CAST, Cast, bearer


@pytest.fixture
def shell(app: Flask) -> Shell:
    return Shell(app)


@pytest.fixture
def build(studio: Studio) -> Build:
    return studio.publish(game_files())


def change(build: Build, **values: Any) -> None:
    with writing() as session:
        session.execute(update(BuildPack).where(BuildPack.build_id == build.id).values(**values))
    free_connection()


def test_the_api_shows_each_state(client: FlaskClient, cast: Cast, studio: Studio, build: Build) -> None:
    def shown() -> Any:
        base = f"/api/partners/games/{studio.slug}/builds"
        listed = client.get(base, headers=bearer(cast.starlight.key)).get_json()["builds"][0]["pack"]
        assert listed == client.get(f"{base}/1", headers=bearer(cast.starlight.key)).get_json()["pack"]
        return listed

    nothing = {"progress": None, "bytes": None, "reason": None}
    assert shown() == {"state": "waiting"} | nothing
    claim = claim_pack(build.id)
    assert claim is not None
    assert shown() == {"state": "making"} | nothing | {"progress": 0}
    change(build, bytes_done=claim.work_bytes * 2 // 5)
    assert shown()["progress"] in {39, 40}
    change(build, bytes_done=claim.work_bytes)
    assert shown()["progress"] == 99, "never 100 % before it is stored"
    change(build, state="no_room", maker=None, reason="The disk is full.")
    assert shown() == {"state": "no_room"} | nothing | {"reason": "The disk is full."}
    change(build, state="waiting", reason=None, makings_begun=0)
    make_due_packs()
    pack = ready_pack(build)
    assert shown() == {"state": "ready"} | nothing | {"bytes": pack.stored_bytes}
    with writing() as session:
        session.delete(session.get_one(BuildPack, build.id))
    assert shown() is None


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (None, ""),
        (PackStatus("ready", None, 1000, None), ""),
        (PackStatus("waiting", None, None, None), "Updates will be prepared"),
        (PackStatus("making", 40, None, None), "Preparing updates 40 %"),
        (PackStatus("no_room", None, None, "The disk is full."), "Servers fetch the archive. The disk is full."),
        (PackStatus("failed", None, None, "It broke."), "Servers fetch the archive. It broke."),
    ],
)
def test_the_words_of_each_state(status: PackStatus | None, words: str) -> None:
    assert pack_words(status).replace("\u00a0", " ") == words


def test_packs_make_makes_what_is_missing_and_names_it(shell: Shell, build: Build) -> None:
    made = shell.run("packs", "make")
    pack = ready_pack(build)
    assert made.exit_code == 0, made.output
    size = pack.pack_bytes + pack.index_bytes
    assert made.stdout == f"paper-lanterns, build 1: {size:,} bytes\nPacks and updates: 1 made\n"
    assert shell.run("packs", "make").stdout == "Nothing to make: every build has its pack\n"


def test_packs_make_names_updates_too(shell: Shell, studio: Studio, build: Build) -> None:
    make_due_packs()
    second = studio.publish(game_files(scripts=2))
    make_due_packs()
    with writing() as session:
        session.execute(delete(PackUpdate))
    made = shell.run("packs", "make")
    back = update_of(second, build)
    assert back is not None
    assert made.stdout.splitlines() == [
        f"paper-lanterns, update from build 2 to build 1: transfers {back.transfer_bytes:,} bytes",
        "Packs and updates: 1 made",
    ]


@pytest.mark.settings(PACK_DISK_BYTES="1")
def test_packs_make_fails_with_the_reason(shell: Shell, build: Build) -> None:
    made = shell.run("packs", "make")
    assert made.exit_code == 1
    assert "paper-lanterns, build 1: Build 1 takes " in made.stdout
    assert made.stdout.endswith("Packs and updates: 0 made, 1 could not be made\n")


def test_packs_make_tries_again_what_failed(shell: Shell, build: Build) -> None:
    change(build, state="failed", reason="It broke.", makings_begun=99)
    assert shell.run("packs", "make").exit_code == 0
    ready_pack(build)


def test_packs_make_leaves_what_another_worker_makes(shell: Shell, build: Build) -> None:
    assert claim_pack(build.id) is not None
    made = shell.run("packs", "make")
    assert made.exit_code == 0
    assert made.stdout.splitlines() == [
        "paper-lanterns, build 1: another worker is making it",
        "Packs and updates: 0 made, 1 left to other workers or deleted",
    ]


def test_packs_make_takes_one_game(shell: Shell, studio: Studio, build: Build, cast: Cast) -> None:
    assert "No game with slug 'other'" in shell.refused("packs", "make", "--game", "other")
    namesake = register_game(
        db.session.get_one(Partner, cast.moonbase.partner_id),
        studio.slug,
        {"title": "Namesake", "developer": "-", "description": "-", "tags": ["-"]},
        CAST,
    )
    assert namesake.slug == studio.slug
    refused = shell.refused("packs", "make", "--game", studio.slug)
    assert "Moonbase, Starlight Studio. Name one with --partner." in refused
    assert shell.run("packs", "make", "--game", studio.slug, "--partner", "Moonbase").stdout.startswith(
        "Nothing to make"
    )
    assert pack_of(build) is not None
    assert shell.run("packs", "make", "--game", studio.slug, "--partner", "Starlight Studio").exit_code == 0
    ready_pack(build)
