"""A large tar.gz is checked while it is sent. A refused one leaves nothing on the platform."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from sqlalchemy import select

from app.data.extensions import db
from app.data.models.game import Game
from app.data.models.upload import Upload
from slipway.cli.exit_codes import ExitCode
from slipway.cli.push.checking.unread_archive import MIN_BYTES
from tests.app.uploads.raw.live import World
from tests.game_archives import big_archive
from tests.slipway.cli.cli_process import Slipway
from tests.slipway.cli.push.test_checks_before_upload import nothing_was_sent
from tests.slipway.cli.storage_proxy import StorageLine

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def targz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "lanterns.tar.gz"
    path.write_bytes(big_archive(MIN_BYTES))
    return path


def test_it_becomes_a_build_with_the_checksum_that_was_found_on_the_way(
    slipway: Slipway, world: World, slug: str, line: StorageLine, targz: Path
) -> None:
    pushed = slipway("push", targz, slug, "--json")
    assert pushed.code == ExitCode.OK, pushed
    assert "reading" not in {line.get("phase") for line in pushed.lines}
    sha256 = hashlib.sha256(targz.read_bytes()).hexdigest()
    assert world.builds(slug) == [(1, sha256)]
    with world.app.app_context():
        found = db.session.scalars(select(Upload).join(Game).where(Game.slug == slug)).one()
        assert found.announced_sha256 == sha256
    assert not list((slipway.config / "unfinished").iterdir())

    # It is the newest build now: its digest is needed first, and nothing is sent.
    line.reset()
    again = slipway("push", targz, slug, "--json")
    assert (again.code, again.result["changed"], again.result["bytesSent"]) == (ExitCode.OK, False, 0)
    assert line.sent == 0


def test_a_refused_one_stops_and_leaves_nothing(slipway: Slipway, slug: str, line: StorageLine, tmp_path: Path) -> None:
    path = tmp_path / "game.tar.gz"
    path.write_bytes(big_archive(MIN_BYTES, launcher="other.sh"))
    line.hold_after(20 * 1024**2)  # a slow network: the check is ahead of it

    pushed = slipway("push", path, slug, "--json")

    assert pushed.code == ExitCode.REFUSED_ARCHIVE, pushed
    assert "is not in the archive; at the root are other.sh" in pushed.result["message"]
    assert not list((slipway.config / "unfinished").iterdir())
    line.reset()
    nothing_was_sent(slipway, slug, line)


def test_what_is_wrong_at_its_beginning_is_found_before_anything_is_sent(
    slipway: Slipway, slug: str, line: StorageLine, tmp_path: Path
) -> None:
    path = tmp_path / "game.tar.gz"
    path.write_bytes(b"PK\3\4" + bytes(MIN_BYTES))
    pushed = slipway("push", path, slug, "--json")
    assert pushed.code == ExitCode.REFUSED_ARCHIVE, pushed
    assert "not a tar.gz" in pushed.result["message"]
    nothing_was_sent(slipway, slug, line)
