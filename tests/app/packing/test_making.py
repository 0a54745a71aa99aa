"""A build's pack, from its publishing to the files on a server."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from app.data.models.game import Build
from app.packing.pack_work import make_due_packs
from tests.app.fleet.acting import FleetAgent, held
from tests.app.packing.scenes import (
    PackInstaller,
    Studio,
    edited,
    game_files,
    installed_files,
    pack_objects_stored,
    pack_of,
    ready_pack,
    update_of,
)


def planned(agent: FleetAgent, build: Build) -> dict[str, Any]:
    """The build's entry in the server's plan."""
    return next(entry for entry in agent.plan()["builds"] if entry["build"] == build.number)


def test_a_published_build_waits_for_its_pack_and_gets_it(studio: Studio, agent: FleetAgent) -> None:
    build = studio.publish(game_files())
    row = pack_of(build)
    assert row is not None
    assert row.state == "waiting"
    assert planned(agent, build)["pack"] is None
    version = agent.plan()["version"]

    make_due_packs()

    pack = ready_pack(build)
    assert pack_objects_stored() == {pack.pack_key: pack.pack_bytes, pack.index_key: pack.index_bytes}
    assert agent.plan()["version"] > version, "the servers whose plan names the build get a new plan"
    assert planned(agent, build)["pack"]["bytes"] == pack.pack_bytes


def test_padding_at_the_beginning_of_an_archive_is_no_bomb(studio: Studio) -> None:
    """The ratio of a complete archive of a known size counts, also while it is received and unpacked."""
    build = studio.publish({"a-padding.bin": bytes(80 * 2**20)} | game_files(media=2**20))
    make_due_packs()
    assert build.unpacked_bytes > 50 * build.size
    ready_pack(build)


def test_a_server_installs_exactly_the_files_of_the_archive(
    studio: Studio, agent: FleetAgent, installer: PackInstaller
) -> None:
    files = game_files()
    build = studio.publish(files)
    make_due_packs()

    installed = installer.install(planned(agent, build))

    assert installed_files(installed) == files
    pack = ready_pack(build)
    assert installer.received == pack.pack_bytes + pack.index_bytes


@pytest.mark.parametrize("change", ["script", "engine"])
def test_an_update_transfers_what_its_row_counts(
    studio: Studio, agent: FleetAgent, installer: PackInstaller, change: str
) -> None:
    files = game_files()
    first = studio.publish(files)
    make_due_packs()
    old = installer.install(planned(agent, first))
    agent.report(held(first, "cached"))
    after = files | ({"game/script.rpy": b"label start:\n    pass\n"} if change == "script" else {})
    if change == "engine":
        after["lib/linux-x86_64/engine"] = edited(files["lib/linux-x86_64/engine"])
    second = studio.publish(after)
    make_due_packs()
    update = update_of(first, second)
    assert update is not None
    assert update.delta_bytes is not None, "the index is sent as the difference to the older one"
    assert (update.patch_bytes is not None) is (change == "engine"), "a patch is stored where it saves bytes"
    entry = planned(agent, second)
    assert [way["build"] for way in entry["pack"]["updates"]] == [first.number]
    assert entry["pack"]["updates"][0]["bytes"] == update.transfer_bytes

    installer.received = 0
    installed = installer.install(entry, old)

    assert installed_files(installed) == after
    assert installer.received == update.transfer_bytes
    assert installer.received < 20_000


def test_an_attempt_that_is_repeated_changes_nothing(app: Flask, studio: Studio) -> None:
    build = studio.publish(game_files())
    make_due_packs()
    pack, stored = ready_pack(build), pack_objects_stored()

    make_due_packs()

    assert ready_pack(build).made_at == pack.made_at
    assert pack_objects_stored() == stored
