"""What is live: released, rolled back, listed, watched until the servers have it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from app.data.database import writing
from app.data.models.game import Build, Game
from app.storage.embedded_server import StorageAccess
from slipway.cli.exit_codes import ExitCode
from tests.app.runtime.processes import wait_until
from tests.app.uploads.raw.live import Gunicorn, World, world_on_sqlite
from tests.game_archives import game_archive
from tests.slipway.cli.cli_process import ROOT, Slipway, ended
from tests.slipway.cli.pseudo_terminal import terminal

pytestmark = pytest.mark.slow


@pytest.fixture
def two_builds(slipway: Slipway, slug: str, tmp_path: Path) -> str:
    """A game whose second build is live."""
    for number in (1, 2):
        archive = tmp_path / f"{number}.tar.gz"
        archive.write_bytes(game_archive(seed=number))
        assert slipway("push", archive, "--game", slug, "--quiet").code == ExitCode.OK
    return slug


def test_back_to_the_one_before_and_forth_again(slipway: Slipway, two_builds: str) -> None:
    back = slipway("rollback", "--game", two_builds, "--yes", "--json")
    assert (back.code, back.result["build"], back.result["before"]) == (ExitCode.OK, 1, 2)
    assert slipway("status", "--game", two_builds, "--json").result["releasedBuild"] == 1
    assert slipway("rollback", 2, "--game", two_builds, "--yes").code == ExitCode.OK
    again = slipway("rollback", 2, "--game", two_builds, "--yes", "--json")
    assert (again.code, again.result["changed"]) == (ExitCode.OK, False)
    listed = slipway("releases", "--game", two_builds, "--json").result
    assert [(release["build"], release["live"]) for release in listed["releases"]] == [
        (2, True),
        (1, False),
        (2, False),
        (1, False),
    ]
    newest = slipway("releases", "--game", two_builds).out.splitlines()[1].split()
    assert newest[:2] == ["2", "live"]


def test_a_release_that_somebody_else_made_meanwhile_changed_nothing(slipway: Slipway, two_builds: str) -> None:
    with terminal(slipway, "release", two_builds, "1") as person:
        person.sees(f"Release build 1 of {two_builds} instead of build 2?")
        assert slipway("release", two_builds, 1, "--yes", "--json").result["changed"] is True
        person.types("y")
        person.sees("Build 1 was already live.")
    assert slipway("releases", two_builds, "--json").result["total"] == 3


def test_nobody_is_there_to_be_asked(slipway: Slipway, two_builds: str) -> None:
    refused = slipway("rollback", "--game", two_builds)
    assert refused.code == ExitCode.USAGE
    assert "--yes" in refused.err
    assert "srv-01 fetches" in refused.err
    assert slipway("status", "--game", two_builds, "--json").result["releasedBuild"] == 2


def test_there_must_be_something_to_go_back_to(slipway: Slipway, slug: str) -> None:
    assert slipway("rollback", "--game", slug, "--yes").code == ExitCode.NOT_FOUND
    assert slipway("release", 7, "--game", slug, "--yes").code == ExitCode.NOT_FOUND
    assert slipway("watch", "--game", slug).code == ExitCode.NOT_RELEASED


def test_text_from_elsewhere_cannot_command_the_terminal(
    slipway: Slipway, world: World, slug: str, tmp_path: Path
) -> None:
    (tmp_path / "a.tar.gz").write_bytes(game_archive())
    assert slipway("push", tmp_path / "a.tar.gz", "--game", slug, "--note", "festival").code == ExitCode.OK
    with world.app.app_context(), writing() as session:  # the platform refuses such a note; another one might not
        build = session.scalars(select(Build).join(Game, Build.game_id == Game.id).where(Game.slug == slug)).one()
        build.note = "[bold]festival[/bold] \N{RIGHT-TO-LEFT OVERRIDE}\x9b31m"
    status = slipway("status", "--game", slug)
    assert "[bold]festival[/bold]" in status.out
    assert "\x9b" not in status.out
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in status.out


def test_servers_that_do_not_fetch_it_are_named_when_the_time_is_over(
    slipway: Slipway, slug: str, tmp_path: Path
) -> None:
    (tmp_path / "a.tar.gz").write_bytes(game_archive())
    assert slipway("push", tmp_path / "a.tar.gz", "--game", slug).code == ExitCode.OK
    again = ("--if-changed", "--wait", "cached", "--timeout", 0)
    push = slipway("push", tmp_path / "a.tar.gz", "--game", slug, *again, "--json")
    assert (push.code, push.result["reached"], push.result["build"]) == (ExitCode.NOT_CACHED, "released", 1)
    assert "srv-01 (pending)" in push.result["message"]
    watch = slipway("watch", "--game", slug, "--timeout", 0, "--json")
    assert (watch.code, watch.result["cachedOn"], watch.result["totalServers"]) == (ExitCode.NOT_CACHED, 0, 1)


@pytest.fixture
def agent(world: World, gunicorn: Gunicorn, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The agent of srv-01, a real one."""
    process = subprocess.Popen(
        [sys.executable, "-m", "slipway.agent", "run", "--url", gunicorn.address, "--cache", str(tmp_path / "games")],
        cwd=ROOT,
        env=os.environ | {"SLIPWAY_TOKEN": world.server_token},
        stderr=(tmp_path / "agent.log").open("wb"),
    )
    yield process
    process.send_signal(signal.SIGTERM)
    process.wait(20)


@pytest.mark.usefixtures("agent")
def test_a_push_waits_until_every_server_has_the_build(slipway: Slipway, slug: str, tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(game_archive())
    push = slipway("push", tmp_path / "a.tar.gz", "--game", slug, "--wait", "cached", "--timeout", 150, "--json")
    assert (push.code, push.result["reached"], push.result["cachedOn"]) == (ExitCode.OK, "cached", 1), push
    assert [line["phase"] for line in push.lines if line["event"] == "progress"][-1] == "caching"
    watch = slipway("watch", "--game", slug)
    assert (watch.code, watch.out) == (ExitCode.OK, "Build 1 is cached on 1 of 1 servers.\n")


def test_watching_ends_when_another_build_goes_live(slipway: Slipway, two_builds: str) -> None:
    watching = slipway.begin("watch", "--game", two_builds, "--json")
    assert watching.stdout is not None
    assert '"caching"' in watching.stdout.readline()
    slipway("rollback", "--game", two_builds, "--yes")
    wait_until(lambda: watching.poll() is not None, 30, "the watch ended")
    watched = ended(watching)
    assert (watched.code, watched.result["releasedBuild"]) == (ExitCode.NOT_RELEASED, 1)


def test_an_archive_that_nobody_checks_yet_is_stored(
    storage: StorageAccess, empty_sqlite: Path, tmp_path: Path
) -> None:
    """A platform whose workers are elsewhere and do not run."""
    (tmp_path / "a.tar.gz").write_bytes(game_archive())
    with world_on_sqlite(tmp_path / "instance", empty_sqlite, storage) as world:
        idle = Gunicorn(world.settings, tmp_path / "idle.log", SLIPWAY_WORK_IN_WEB="off").start()
        try:
            slipway = Slipway(tmp_path / "home", {"SLIPWAY_URL": idle.address, "SLIPWAY_KEY": world.key})
            world.new_game()
            push = slipway("push", tmp_path / "a.tar.gz", "--timeout", 1, "--json")
        finally:
            idle.kill()
    assert (push.code, push.result["reached"]) == (ExitCode.NOT_CHECKED, "stored"), push
    assert "slipway status" in push.result["message"]
