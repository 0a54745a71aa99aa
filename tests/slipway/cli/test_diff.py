"""What changed in a build, and what servers fetch for it, as the command prints it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import urllib3
from sqlalchemy import select

from app.accounts.build_quota import build_quota
from app.accounts.partners import set_build_quota
from app.data.extensions import db
from app.data.models.game import Build
from app.data.models.partner import Partner
from app.packing.pack_removal import discard_pack
from slipway.cli.exit_codes import ExitCode
from slipway.client.sizes import format_size
from tests.app.fleet.acting import DISK, HEALTH, SELF
from tests.app.packing.scenes import archive_of, game_files, ready_pack
from tests.app.runtime.processes import wait_until
from tests.app.uploads.raw.live import STUDIO, Gunicorn, World
from tests.conftest import bearer
from tests.slipway.cli.cli_process import Slipway

pytestmark = pytest.mark.slow
_boot = str(uuid.uuid4())
_sequence = iter(range(1, 10_000))


def report_cached(gunicorn: Gunicorn, world: World, slug: str, *builds: int) -> None:
    """The agent of srv-01 reports that it installed these builds from their packs."""
    source = {"kind": "pack", "from": None, "fallback": None}
    at = {"gameId": world.game_id(slug), "phase": "cached", "source": source}
    held = [at | {"build": build} for build in builds]
    document = {"bootId": _boot, "sequence": next(_sequence), "health": HEALTH, "disk": DISK, "builds": held}
    answer = urllib3.request(
        "POST", f"{gunicorn.address}{SELF}/reports", json=document, headers=bearer(world.server_token)
    )
    assert answer.status == 200, answer.data


def packed(slipway: Slipway, slug: str, build: int) -> None:
    """Wait until the build can be compared: then its pack is ready."""
    wait_until(lambda: slipway("diff", build, slug, "--against", build).code == ExitCode.OK, 90, "the pack is ready")


@pytest.fixture
def two_builds(slipway: Slipway, slug: str, tmp_path: Path, gunicorn: Gunicorn, world: World) -> str:
    """A game whose first build is live and on the server, and whose second is staged."""
    contents = (game_files(), game_files(scripts=3000) | {"game/new.txt": b"new" * 50})
    for number, (files, released) in enumerate(zip(contents, ("--release", "--no-release"), strict=True), 1):
        archive = tmp_path / f"{number}.tar.gz"
        archive.write_bytes(archive_of(files))
        assert slipway("push", archive, "--game", slug, released, "--quiet").code == ExitCode.OK
        packed(slipway, slug, number)
    report_cached(gunicorn, world, slug, 1)
    return slug


def test_the_files_that_differ_from_the_live_build(slipway: Slipway, two_builds: str) -> None:
    shown = slipway("diff", 2, two_builds)
    assert shown.code == ExitCode.OK, shown.err
    lines = [line.split() for line in shown.out.splitlines()]
    assert [line[:2] for line in lines[1:3]] == [["~", "game/script.rpy"], ["+", "game/new.txt"]]
    assert shown.out.splitlines()[-1] == "1 added, 1 changed since build 1; 38 KiB of new content, unpacked."
    only = slipway("diff", two_builds, 2, "--kind", "added", "--json").result
    assert [change["path"] for change in only["changes"]] == ["game/new.txt"]
    assert (only["build"], only["against"], only["total"]) == (2, 1, 1)
    back = slipway("diff", 1, two_builds, "--against", 2, "--path", "NEW", "--json").result
    assert [(change["path"], change["kind"]) for change in back["changes"]] == [("game/new.txt", "removed")]
    few = slipway("diff", 2, two_builds, "--limit", 1)
    assert few.out.splitlines()[-1].endswith("The largest 1 of 2 are shown.")
    assert slipway("diff", 1, two_builds, "--against", 1).out == "No files differ from build 1.\n"


def test_a_list_of_files_that_is_missing_is_waited_for(slipway: Slipway, two_builds: str, world: World) -> None:
    with world.app.app_context():
        query = select(Build).where(Build.game_id == world.game_id(two_builds), Build.number == 1)
        discard_pack(ready_pack(db.session.scalars(query).one()))
    hasty = slipway("diff", 2, two_builds, "--timeout", 0)
    assert (hasty.code, "The list of files of build 1 is being made." in hasty.err) == (ExitCode.REFUSED, True)
    shown = slipway("diff", 2, two_builds)
    assert shown.code == ExitCode.OK, shown.err
    assert shown.out.splitlines()[-1].startswith("1 added, 1 changed since build 1;")


def test_what_cannot_be_compared(slipway: Slipway, two_builds: str) -> None:
    assert slipway("diff", 9, two_builds).code == ExitCode.NOT_FOUND
    assert slipway("diff", 2, two_builds, "--against", 7).code == ExitCode.NOT_FOUND
    assert slipway("diff", two_builds).code == ExitCode.USAGE


def test_a_release_says_what_servers_fetch_before_it_is_made(slipway: Slipway, two_builds: str) -> None:
    staged = next(b for b in slipway("status", "--game", two_builds, "--json").result["builds"] if b["number"] == 2)
    amount, archive = staged["update"]["bytes"], staged["size"]
    assert amount < archive / 20
    asked = slipway("release", 2, "--game", two_builds)
    assert asked.code == ExitCode.USAGE
    assert f"1 server, {format_size(amount)} instead of {format_size(archive)}" in asked.err
    assert f"srv-01 fetches {format_size(amount)}, an update from build 1" in asked.err
    made = slipway("release", 2, "--game", two_builds, "--yes", "--json").result
    assert (made["bytesToFetch"], made["bytesOf"]) == (amount, archive)
    assert "srv-01 has it" in slipway("rollback", 1, "--game", two_builds, "--yes").err


@contextmanager
def build_quota_left(world: World, size: int) -> Iterator[None]:
    """The partner may store so many bytes more."""

    def set_limit(limit: int | None) -> None:
        set_build_quota(db.session.get_one(Partner, world.partner_id), limit, STUDIO)

    with world.app.app_context():
        set_limit(build_quota(db.session(), db.session.get_one(Partner, world.partner_id)).used + size)
    yield
    with world.app.app_context():
        set_limit(None)


def test_a_push_ends_with_what_servers_fetch(
    slipway: Slipway, two_builds: str, tmp_path: Path, gunicorn: Gunicorn, world: World
) -> None:
    third = tmp_path / "3.tar.gz"
    third.write_bytes(archive_of(game_files(scripts=4000)))
    pushed = slipway("push", third, "--game", two_builds, "--release", "--json")
    assert pushed.code == ExitCode.OK, pushed.err
    update = pushed.result["update"]
    assert (update["from"], update["preparing"]) == (1, False)
    sizes = f"{format_size(update['bytes'])} instead of {format_size(third.stat().st_size)}"
    assert pushed.result["message"] == f"Build 3 is live. Servers with build 1 fetch {sizes}."
    again = slipway("push", third, "--game", two_builds)
    assert again.out == "Nothing changed since build 3. Build 3 is live.\n"

    report_cached(gunicorn, world, two_builds, 1, 3)
    fourth = tmp_path / "4.tar.gz"
    fourth.write_bytes(archive_of(game_files(scripts=5000)))
    size = fourth.stat().st_size
    with build_quota_left(world, size * 3 // 2):  # room for the archive, but not for its pack
        pushed = slipway("push", fourth, "--game", two_builds, "--json")
    reason = pushed.result["pack"]["reason"]
    assert reason.startswith("The pack of build 4 takes about ")
    assert pushed.result["message"] == f"Build 4 is live. Servers fetch the archive, {format_size(size)}. {reason}"


def test_a_push_of_a_first_build_has_no_update(slipway: Slipway, slug: str, tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(archive_of(game_files(seed=7)))
    pushed = slipway("push", tmp_path / "a.tar.gz", "--game", slug, "--json").result
    assert (pushed["update"], pushed["message"]) == (None, "Build 1 is live.")
