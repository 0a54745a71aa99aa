"""`slipway download`: the archive of a build, continued after interruptions, verified at its end."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from app.data.database import writing
from app.data.models.game import Build
from slipway.cli.exit_codes import ExitCode
from tests.app.runtime.processes import wait_until
from tests.app.uploads.raw.live import World
from tests.game_archives import big_archive, game_archive
from tests.slipway.cli.cli_process import Slipway
from tests.slipway.cli.storage_proxy import StorageLine

pytestmark = pytest.mark.slow

MIB = 1024**2


@pytest.fixture
def sent(slipway: Slipway, slug: str, tmp_path: Path) -> list[bytes]:
    """The archives of builds 1 and 2; build 1 is live."""
    archives = [game_archive(), big_archive(20 * MIB)]
    for archive in archives:
        (tmp_path / "sent.tar.gz").write_bytes(archive)
        assert slipway("push", tmp_path / "sent.tar.gz", slug).code == ExitCode.OK
    slipway("release", slug, 1, "--yes")
    return archives


def test_the_live_build_or_the_named_one(slipway: Slipway, slug: str, sent: list[bytes], tmp_path: Path) -> None:
    live = slipway("download", slug, "-o", tmp_path / "live.tar.gz")
    assert live.out == f"Build 1 of {slug} is in {tmp_path / 'live.tar.gz'}. Its checksum is right.\n"
    assert (tmp_path / "live.tar.gz").read_bytes() == sent[0]
    named = slipway("download", slug, 2, "-o", tmp_path / "two.tar.gz", "--json")
    assert (named.result["build"], named.result["size"]) == (2, len(sent[1]))
    assert (tmp_path / "two.tar.gz").read_bytes() == sent[1]
    assert slipway("download", slug, 2, "-o", tmp_path).code == ExitCode.OK
    assert (tmp_path / f"{slug}-2.tar.gz").read_bytes() == sent[1]
    phases = {line["phase"] for line in named.lines if line["event"] == "progress"}
    assert phases == {"downloading"}
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_a_file_that_exists_is_kept_unless_forced(
    slipway: Slipway, slug: str, sent: list[bytes], tmp_path: Path
) -> None:
    target = tmp_path / "mine.tar.gz"
    target.write_bytes(b"mine")
    refused = slipway("download", slug, "-o", target)
    assert refused.code == ExitCode.USAGE
    assert "--force" in refused.err
    assert target.read_bytes() == b"mine"
    assert slipway("download", slug, "-o", target, "--force").code == ExitCode.OK
    assert target.read_bytes() == sent[0]


def test_connections_that_break_are_continued(
    slipway: Slipway, slug: str, sent: list[bytes], line: StorageLine, tmp_path: Path
) -> None:
    line.cut_answers_after(3 * MIB, times=4)
    done = slipway("download", slug, 2, "-o", tmp_path / "two.tar.gz", "--json")
    assert done.code == ExitCode.OK, done
    assert line.cuts_left == 0
    assert (tmp_path / "two.tar.gz").read_bytes() == sent[1]


def test_a_download_that_was_killed_is_continued(
    slipway: Slipway, slug: str, sent: list[bytes], line: StorageLine, tmp_path: Path
) -> None:
    target = tmp_path / "two.tar.gz"
    line.hold_answers_after(12 * MIB)
    downloading = slipway.begin("download", slug, 2, "-o", target)
    wait_until(lambda: any(path.stat().st_size >= 8 * MIB for path in tmp_path.glob(".two*.part")), 60, "8 MiB arrived")
    downloading.kill()
    downloading.communicate()
    assert not target.exists()
    line.reset()
    done = slipway("download", slug, 2, "-o", target)
    assert done.code == ExitCode.OK, done
    assert "Continuing: " in done.err
    assert target.read_bytes() == sent[1]
    assert list(tmp_path.glob(".two*")) == []


def test_bytes_that_are_not_the_builds_are_deleted(
    slipway: Slipway, world: World, slug: str, sent: list[bytes], tmp_path: Path
) -> None:
    with world.app.app_context(), writing() as session:
        build = session.scalars(select(Build).where(Build.game_id == world.game_id(slug), Build.number == 1)).one()
        right, build.sha256 = build.sha256, "0" * 64
    refused = slipway("download", slug, 1, "-o", tmp_path / "wrong.tar.gz", "--json")
    assert (refused.code, refused.result["error"]) == (ExitCode.UNEXPECTED, "checksum_mismatch")
    assert right in refused.result["message"]
    assert list(tmp_path.glob("*wrong*")) + list(tmp_path.glob(".wrong*")) == []


def test_there_must_be_such_a_build(slipway: Slipway, slug: str, tmp_path: Path) -> None:
    assert slipway("download", slug).code == ExitCode.NOT_RELEASED
    unknown = slipway("download", slug, 7)
    assert unknown.code == ExitCode.NOT_FOUND
    assert f"slipway builds {slug}" in unknown.err


def test_the_key_is_not_sent_to_storage(
    slipway: Slipway, world: World, slug: str, sent: list[bytes], line: StorageLine, tmp_path: Path
) -> None:
    line.keep_heads()
    assert slipway("download", slug, 1, "-o", tmp_path / "one.tar.gz").code == ExitCode.OK
    assert line.heads is not None
    assert any(head.startswith(b"GET ") for head in line.heads)
    assert not any(b"uthorization" in head or world.key.encode() in head for head in line.heads)
