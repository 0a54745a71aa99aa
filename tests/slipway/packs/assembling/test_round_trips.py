"""From two trees over an update file to an archive of the second."""

from __future__ import annotations

import gzip
import io
import tarfile
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.unpacking import unpack
from slipway.packs.format.update_file import HEADER
from tests.slipway.packs.assembling.updates import assembled, game, update_file
from tests.slipway.packs.builds import BytesSource, make_build
from tests.slipway.packs.trees import Tree, noise, standing, trees


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(trees(), trees())
def test_any_tree_comes_back_from_its_update_file(old: Tree, new: Tree) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        base = make_build(folder, game(old))
        root = game(new).write(folder / "new")
        archive = assembled(update_file(root, base), base)

        (folder / "unpacked").mkdir()
        unpack(io.BytesIO(archive), folder / "unpacked", ArchiveLimits(), "start.sh")
        assert standing(folder / "unpacked") == standing(root)


def test_only_new_chunks_are_sent(tmp_path: Path) -> None:
    big = {"game/archive.rpa": (noise(8 * 2**20), False)}
    base = make_build(tmp_path, game(Tree(big)))
    root = game(Tree(big | {"game/more.rpy": (b"label more:\n" * 50, False)})).write(tmp_path / "new")
    file = update_file(root, base)
    assert len(file) < 1200


def test_a_tree_like_its_base_sends_no_chunk(tmp_path: Path) -> None:
    base = make_build(tmp_path, game(Tree()))
    file = update_file(base.root, base)
    assert len(file) < HEADER.size + 120
    assert assembled(file, base) == assembled(file, base)


def test_the_archive_is_the_same_whatever_the_base_was(tmp_path: Path) -> None:
    """Its bytes follow from the files alone: not from the base, and not from the order of its chunks."""
    files = {f"game/{number}.bin": (noise(400_000, number), False) for number in range(40)}
    root = game(Tree(files)).write(tmp_path / "new")
    one = make_build(tmp_path, game(Tree()), 1)
    other = make_build(tmp_path, game(Tree(dict(list(files.items())[::3]))), 2, one)
    assert assembled(update_file(root, one), one) == assembled(update_file(root, other), other)


def test_owner_times_and_umask_are_not_in_the_archive(tmp_path: Path) -> None:
    base = make_build(tmp_path, game(Tree(symlinks={"link": "game"}, hard_links={"zz": "start.sh"})))
    for path in base.root.rglob("*.rpy"):
        path.chmod(0o600)
    archive = assembled(update_file(base.root, base), base)
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(archive))) as tar:
        found = {member.name: (member.type, member.mode, member.linkname) for member in tar}
        assert {(member.mtime, member.uid, member.gid, member.uname) for member in tar} == {(315532800, 0, 0, "")}
    assert found == {
        "mygame": (tarfile.DIRTYPE, 0o755, ""),
        "mygame/game": (tarfile.DIRTYPE, 0o755, ""),
        "mygame/game/script.rpy": (tarfile.REGTYPE, 0o644, ""),
        "mygame/link": (tarfile.SYMTYPE, 0o777, "game"),
        "mygame/start.sh": (tarfile.REGTYPE, 0o755, ""),
        "mygame/zz": (tarfile.LNKTYPE, 0o755, "mygame/start.sh"),
    }
    assert archive[4:8] == bytes(4)  # no time in the gzip header


def test_the_base_is_read_in_large_ranges(tmp_path: Path) -> None:
    files = {f"game/{number:04}": (noise(20_000, number), False) for number in range(500)}
    base = make_build(tmp_path, game(Tree(files)))
    pack = BytesSource(base.pack)
    assembled(update_file(base.root, base), base, pack=pack)
    assert len(pack.ranges) <= 4
