"""What `slipway push` reports at its end is the state of the platform at that moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.accounts.actors import Actor
from app.accounts.keys import create_key
from app.data.extensions import db
from app.data.models.partner import Partner
from slipway.cli.exit_codes import ExitCode
from tests.app.runtime.processes import wait_until
from tests.app.uploads.raw.live import World
from tests.game_archives import big_archive, game_archive
from tests.slipway.cli.cli_process import Slipway, ended
from tests.slipway.cli.storage_proxy import StorageLine
from tests.slipway.cli.test_push import set_game, stage

pytestmark = pytest.mark.slow

MIB = 1024**2


@pytest.fixture
def a(tmp_path: Path) -> Path:
    return archive(tmp_path, "a", 1)


@pytest.fixture
def b(tmp_path: Path) -> Path:
    return archive(tmp_path, "b", 2)


def archive(folder: Path, name: str, seed: int) -> Path:
    path = folder / f"{name}.tar.gz"
    path.write_bytes(game_archive(seed=seed))
    return path


def live(slipway: Slipway, slug: str) -> int | None:
    found = slipway("status", slug, "--json").result["releasedBuild"]
    return None if found is None else int(found)


def checked(slipway: Slipway, slug: str, builds: int) -> None:
    wait_until(
        lambda: slipway("builds", slug, "--json").result["total"] == builds, 60, f"{builds} builds have been checked"
    )


def test_a_push_that_only_waited_for_storage_is_not_continued_after_a_newer_build(
    slipway: Slipway, slug: str, a: Path, b: Path
) -> None:
    assert slipway("push", a, slug, "--wait", "stored").code == ExitCode.OK
    checked(slipway, slug, 1)
    assert slipway("push", b, slug).out == "Build 2 is live.\n"
    again = slipway("push", a, slug, "--json")
    assert (again.code, again.result["build"], again.result["changed"]) == (ExitCode.OK, 3, True), again
    assert again.result["bytesSent"] == a.stat().st_size
    assert live(slipway, slug) == 3
    assert not list((slipway.config / "unfinished").iterdir())


def test_a_build_that_another_one_replaced_meanwhile_is_not_called_live(
    slipway: Slipway, slug: str, a: Path, b: Path
) -> None:
    slipway("push", a, slug)
    slipway("push", b, slug)
    slipway("rollback", slug, "--yes")
    pushed = slipway("push", b, slug, "--json")
    assert (pushed.code, pushed.result["reached"], pushed.result["releasedBuild"]) == (ExitCode.OK, "checked", 1)
    assert pushed.result["message"] == (
        "Nothing changed since build 2. Build 2 is checked but not live: build 1 is. "
        f"Run `slipway release 2 {slug}` to make it live."
    )
    assert pushed.result["released"] is False
    waited = slipway("push", b, slug, "--wait", "released")
    assert waited.code == ExitCode.NOT_RELEASED


@pytest.mark.parametrize("option", [(), ("--if-changed",)])
def test_release_of_unchanged_bytes_releases(
    slipway: Slipway, slug: str, a: Path, b: Path, option: tuple[str, ...]
) -> None:
    slipway("push", a, slug)
    slipway("push", b, slug)
    slipway("rollback", slug, "--yes")
    pushed = slipway("push", b, slug, "--release", *option, "--json")
    assert (pushed.code, pushed.result["reached"], pushed.result["changed"]) == (ExitCode.OK, "released", False)
    assert pushed.result["message"] == "Nothing changed since build 2. Build 2 is live."
    assert live(slipway, slug) == 2


def test_release_of_a_build_that_was_held_back(slipway: Slipway, world: World, slug: str, a: Path) -> None:
    slipway("push", a, slug, "--no-release")
    assert live(slipway, slug) is None
    assert slipway("push", a, slug, "--release").out == "Nothing changed since build 1. Build 1 is live.\n"
    assert live(slipway, slug) == 1


def test_a_release_that_the_key_may_not_make_has_its_own_code_and_is_named(
    slipway: Slipway, world: World, slug: str, a: Path
) -> None:
    """The game releases new builds by itself, so the scope `upload` is enough to begin."""
    slipway("push", a, slug, "--no-release")
    pushed = slipway.but(SLIPWAY_KEY=key_with(world, "read", "upload"))("push", a, slug, "--release", "--json")
    assert (pushed.code, pushed.result["released"]) == (ExitCode.NOT_RELEASED, False)
    assert "it was not released: " in pushed.result["message"]
    assert live(slipway, slug) is None


def test_changed_is_false_when_the_platform_made_no_build(
    slipway: Slipway, world: World, slug: str, line: StorageLine, tmp_path: Path
) -> None:
    """The same bytes arrive twice at the same time."""
    path = tmp_path / "large.tar.gz"
    path.write_bytes(big_archive(20 * MIB))
    line.hold_after(2 * MIB)
    other = Slipway(tmp_path / "elsewhere", slipway.environment)
    first, second = (one.begin("push", path, slug, "--json") for one in (slipway, other))
    wait_until(lambda: line.holding, 90, "the uploads are under way")
    wait_until(lambda: len(slipway("status", slug, "--json").result["uploads"]) == 2, 60, "both have begun")
    line.release()
    results = [ended(process).result for process in (first, second)]
    assert sorted(result["changed"] for result in results) == [False, True]
    assert [result["build"] for result in results] == [1, 1]
    assert len(world.builds(slug)) == 1


def test_changed_is_unknown_until_the_check(slipway: Slipway, slug: str, a: Path) -> None:
    assert slipway("push", a, slug, "--wait", "stored", "--json").result["changed"] is None


def test_a_game_that_stages_needs_the_scope_before_anything_is_sent(
    slipway: Slipway, world: World, slug: str, a: Path, line: StorageLine
) -> None:
    stage(world, slug)
    refused = slipway.but(SLIPWAY_KEY=key_with(world, "read", "upload"))("push", a, slug, "--release", "--json")
    assert (refused.code, refused.result["error"]) == (ExitCode.UNAUTHORIZED, "forbidden")
    assert "lacks the scope `write`" in refused.result["message"]
    assert line.sent == 0
    set_game(world, slug, auto_release=True)
    assert slipway.but(SLIPWAY_KEY=key_with(world, "read", "upload"))("push", a, slug, "--release").code == ExitCode.OK


def key_with(world: World, *scopes: str) -> str:
    with world.app.app_context():
        partner = db.session.get_one(Partner, world.partner_id)
        return create_key(partner, "CI", list(scopes), Actor("the studio"))[1]
