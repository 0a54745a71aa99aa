"""Packing depends on what is in the folder and on nothing else."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest

from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.inspection import Inspector
from slipway.cli.command_error import CommandError
from slipway.cli.exit_codes import ExitCode
from slipway.cli.push import packing
from slipway.cli.push.archive_file import Archive
from slipway.cli.push.change_detection import is_same_content, remember_archive
from slipway.cli.push.directory_tree import read_tree
from slipway.cli.push.packing import Packed, pack
from tests.slipway.cli.game_folders import LAUNCHER, game_folder


def packed(folder: Path) -> tuple[bytes, Packed]:
    target = io.BytesIO()
    facts = pack(read_tree(folder), target, lambda done: None)
    return target.getvalue(), facts


def members(archive: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return tar.getmembers()


def test_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    folder = game_folder(tmp_path, 300_000)
    assert packed(folder)[0] == packed(folder)[0]


def test_another_copy_made_later_by_another_user_gives_the_same_bytes(tmp_path: Path) -> None:
    one = game_folder(tmp_path / "one", 300_000)
    umask = os.umask(0o077)
    try:
        other = game_folder(tmp_path / "other", 300_000)
    finally:
        os.umask(umask)
    for number, path in enumerate(sorted(other.rglob("*"))):
        os.utime(path, (number, number), follow_symlinks=False)
        if os.geteuid() == 0:
            os.chown(path, 1234, 1234, follow_symlinks=False)
    assert (one / "game").stat().st_mode != (other / "game").stat().st_mode
    assert packed(one)[0] == packed(other)[0]


def test_the_order_is_the_names_not_the_disks(tmp_path: Path) -> None:
    folder = game_folder(tmp_path)
    for name in ("b", "a", "ä", "B", "a.txt", "a-1"):
        (folder / "game" / name).touch()
    names = [member.name for member in members(packed(folder)[0])]
    assert names == sorted(names, key=lambda name: [part.encode() for part in name.split("/")])


def test_the_digests_are_of_the_archive_and_of_the_tar_in_it(tmp_path: Path) -> None:
    archive, facts = packed(game_folder(tmp_path))
    assert facts.size == len(archive)
    assert facts.sha256 == hashlib.sha256(archive).hexdigest()
    assert facts.tar_sha256 == hashlib.sha256(gzip.decompress(archive)).hexdigest()


def test_nothing_of_the_machine_is_in_it(tmp_path: Path) -> None:
    archive, _ = packed(game_folder(tmp_path))
    assert archive[4:8] == bytes(4)  # gzip's time
    assert not archive[3] & 0b1000  # nor a file name
    for member in members(archive):
        assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "", "")
        assert member.mtime == 315532800


def test_x_bits_and_links_stay_as_they_are(tmp_path: Path) -> None:
    folder = game_folder(tmp_path)
    (folder / "game" / "tidy").symlink_to("./script.rpy")
    found = {member.name.partition("/")[2]: member for member in members(packed(folder)[0])}
    assert found[LAUNCHER].mode == 0o755
    assert found["game/script.rpy"].mode == 0o644
    assert found["game/tidy"].issym()
    assert found["game/tidy"].linkname == "./script.rpy"
    assert found["lib/current"].issym()  # a link to a folder is not walked into
    assert "lib/current/engine" not in found


def test_two_names_of_one_file_are_two_files(tmp_path: Path) -> None:
    folder = game_folder(tmp_path)
    (folder / "game" / "again.rpy").hardlink_to(folder / "game" / "script.rpy")
    assert all(not member.islnk() for member in members(packed(folder)[0]))


def test_leftovers_stay_out_and_are_named(tmp_path: Path) -> None:
    folder = game_folder(tmp_path)
    before, _ = packed(folder)
    (folder / ".git" / "objects").mkdir(parents=True)
    (folder / "__MACOSX").mkdir()
    for name in (".DS_Store", ".slipwayignore", "Thumbs.db", "game/.DS_Store", "game/._script.rpy"):
        (folder / name).touch()
    assert read_tree(folder).excluded == [
        ".DS_Store",
        ".git",
        ".slipwayignore",
        "Thumbs.db",
        "__MACOSX",
        "game/.DS_Store",
        "game/._script.rpy",
    ]
    assert packed(folder)[0] == before


def test_it_passes_the_platforms_rules_with_long_and_foreign_names(tmp_path: Path) -> None:
    folder = game_folder(tmp_path)
    deep = folder / "game" / ("ordner-" * 20) / ("日本語" * 20)
    deep.mkdir(parents=True)
    (deep / "straße.txt").write_text("hello")
    archive, _ = packed(folder)
    inspector = Inspector(ArchiveLimits(), LAUNCHER)
    inspector.feed(archive)
    assert inspector.finish().launcher == LAUNCHER


def test_what_no_archive_can_hold_is_named(tmp_path: Path) -> None:
    folder = game_folder(tmp_path)
    os.mkfifo(folder / "game" / "pipe")
    with pytest.raises(CommandError, match=r"game/pipe is not a file, a folder or a link") as refused:
        read_tree(folder)
    assert refused.value.code is ExitCode.REFUSED_ARCHIVE


def test_a_name_that_is_no_text_is_refused_in_text(tmp_path: Path) -> None:
    folder = game_folder(tmp_path)
    Path(os.fsdecode(os.fsencode(folder) + b"/game/\xff.rpy")).touch()
    with pytest.raises(CommandError, match=r"has a name that is not UTF-8") as refused:
        read_tree(folder)
    assert str(refused.value).isprintable()
    assert len(read_tree(folder, ["game/*.rpy"]).excluded) == 2  # it may be left out


@pytest.mark.parametrize("size", [0, 5_000_000])
def test_a_file_that_changes_while_it_is_packed_is_named(tmp_path: Path, size: int) -> None:
    folder = game_folder(tmp_path, 1_000_000)
    tree = read_tree(folder)
    os.truncate(folder / "game" / "archive.rpa", size)
    with pytest.raises(CommandError, match=r"game/archive.rpa was changed while it was being packed"):
        pack(tree, io.BytesIO(), lambda done: None)


def test_a_file_that_shrinks_under_the_reader_is_named(tmp_path: Path) -> None:
    folder = game_folder(tmp_path, 5_000_000)

    def shrink(done: int) -> None:
        if done > 1_000_000:
            os.truncate(folder / "game" / "archive.rpa", 1_000_000)

    with pytest.raises(CommandError, match=r"game/archive.rpa was changed while it was being packed"):
        pack(read_tree(folder), io.BytesIO(), shrink)


def test_the_same_tar_in_other_bytes_is_known_from_the_last_push(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    folder = game_folder(tmp_path)
    (folder / "game" / "text").write_text("the lanterns rise over the river " * 5000)
    pushed = archive_of(folder)
    remember_archive(pushed, "https://portal.example", "lanterns")
    monkeypatch.setattr(packing, "COMPRESSION_LEVEL", 0)  # as another compressor would
    now = archive_of(folder)
    assert now.sha256 != pushed.sha256
    newest = {"checksum": f"sha256:{pushed.sha256}"}
    assert is_same_content(newest, now, "https://portal.example", "lanterns")
    assert not is_same_content(newest, now, "https://portal.example", "another-game")
    assert not is_same_content({"checksum": "sha256:of another build since"}, now, "https://portal.example", "lanterns")
    (folder / "game" / "text").write_text("other")
    assert not is_same_content(newest, archive_of(folder), "https://portal.example", "lanterns")


def archive_of(folder: Path) -> Archive:
    _, facts = packed(folder)
    return Archive(str(folder), "lanterns.tar.gz", io.BytesIO(), facts.size, facts.sha256, facts.tar_sha256)
