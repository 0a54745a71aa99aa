"""Unpacking: what is written, what never is, and how it ends early."""

import errno
import io
import os
import resource
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.archive_member import Kind, Member
from slipway.archive.archive_rejected import ArchiveRejected
from slipway.archive.member_writing import TreeWriter
from slipway.archive.unpacking import UnpackCancelled, unpack
from tests.slipway.archive.tar_writer import (
    END,
    GAME,
    LAUNCHER,
    directory,
    file,
    game,
    gz,
    hard_link,
    header,
    pax,
    symlink,
)


@pytest.fixture
def into(tmp_path: Path) -> Path:
    path = tmp_path / "into"
    path.mkdir()
    return path


def unpack_bytes(data: bytes, into: Path, launcher: str | None = LAUNCHER) -> None:
    unpack(io.BytesIO(data), into, ArchiveLimits(), launcher)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_game_is_unpacked_and_described(into: Path) -> None:
    data = game(
        file("mygame/game/script.rpy", b"label start:\n" * 100),
        symlink("mygame/lib/run", "../start.sh"),
        hard_link("mygame/again.sh", "mygame/start.sh"),
        directory("mygame/saves/"),
    )
    inspection = unpack(io.BytesIO(data), into, ArchiveLimits(), LAUNCHER)
    assert (inspection.top_directory, inspection.launcher, inspection.members) == ("mygame", "start.sh", 7)
    assert (into / "mygame/game/script.rpy").read_bytes() == b"label start:\n" * 100
    assert (into / "mygame/lib/run").readlink() == Path("../start.sh")
    assert (into / "mygame/again.sh").samefile(into / "mygame/start.sh")
    assert list((into / "mygame/saves").iterdir()) == []


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_modes_do_not_depend_on_the_umask_or_the_archive(into: Path, umask: int) -> None:
    members = [
        header(b"mygame/locked/", typeflag=b"5", mode=0o000),
        file("mygame/locked/a", mode=0o000),
        file("mygame/locked/b", mode=0o777),
        file("mygame/implied/c", mode=0o4),
        file("mygame/implied/d", mode=0o1),
    ]
    before = os.umask(umask)
    try:
        unpack_bytes(game(*members), into)
    finally:
        os.umask(before)
    modes = {str(path.relative_to(into)): mode_of(path) for path in into.rglob("*")}
    assert modes == {
        "mygame": 0o755,
        "mygame/start.sh": 0o755,
        "mygame/game": 0o755,
        "mygame/locked": 0o755,
        "mygame/locked/a": 0o644,
        "mygame/locked/b": 0o755,
        "mygame/implied": 0o755,
        "mygame/implied/c": 0o644,
        "mygame/implied/d": 0o755,
    }


def test_modification_times_of_files_are_kept_within_reason(into: Path) -> None:
    """The engine compares a script's time with that of its compiled form."""
    far = header(b"mygame/far", mtime=2**60)
    odd = bytearray(header(b"mygame/odd"))
    odd[136:148] = b"not a number"
    odd[148:156] = b" " * 8
    odd[148:156] = b"%06o\0 " % sum(odd)
    unpack_bytes(game(far, bytes(odd)), into)
    assert (into / "mygame/start.sh").stat().st_mtime == 1_700_000_000
    assert (into / "mygame/far").stat().st_mtime == 2**33
    assert (into / "mygame/odd").exists()


def test_directories_may_come_back_after_others(into: Path) -> None:
    unpack_bytes(
        game(
            file("mygame/a/b/c/1", b"1"), file("mygame/a/2", b"2"), file("mygame/a/b/c/3", b"3"), file("mygame/4", b"4")
        ),
        into,
    )
    for path, content in {"a/b/c/1": b"1", "a/2": b"2", "a/b/c/3": b"3", "4": b"4"}.items():
        assert (into / "mygame" / path).read_bytes() == content


def test_progress_counts_compressed_bytes(into: Path) -> None:
    data = game(file("mygame/noise", os.urandom(900_000)))
    seen: list[int] = []
    unpack(io.BytesIO(data), into, ArchiveLimits(), LAUNCHER, progress=seen.append)
    assert len(seen) > 3
    assert seen == sorted(set(seen))
    assert seen[-1] == len(data)


def test_unpacking_can_be_cancelled_between_pieces(into: Path) -> None:
    data = game(file("mygame/noise", os.urandom(900_000)))
    seen: list[int] = []
    with pytest.raises(UnpackCancelled, match="was cancelled after"):
        unpack(
            io.BytesIO(data), into, ArchiveLimits(), LAUNCHER, progress=seen.append, cancelled=lambda: len(seen) == 2
        )
    assert len(seen) == 2


def test_a_directory_that_is_not_empty_is_refused(into: Path) -> None:
    (into / "left-over").touch()
    with pytest.raises(FileExistsError, match="it holds left-over"):
        unpack_bytes(game(), into)


def test_a_link_to_a_directory_is_no_place_to_unpack(into: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(into)
    with pytest.raises(NotADirectoryError):
        unpack_bytes(game(), tmp_path / "link")


@pytest.mark.parametrize(
    "data",
    [
        game(file("mygame/../evil")),
        game()[:-20],
        gz(GAME + file("mygame/a", bytes(3000))[:1000]),
        gz(GAME + END + b"x"),
        game(file("mygame/start\u200b.sh")),
        game(pax({"size": "3"}), file("mygame/a")),
        game()[:3] + b"\x20" + game()[4:],
    ],
    ids=["climbing", "truncated gzip", "truncated tar", "trailing", "invisible", "two sizes", "reserved flags"],
)
def test_what_inspection_refuses_is_refused_while_unpacking(into: Path, data: bytes) -> None:
    with pytest.raises(ArchiveRejected):
        unpack_bytes(data, into)


def test_a_missing_launcher_is_refused_at_the_end(into: Path) -> None:
    with pytest.raises(ArchiveRejected, match=r"play\.sh is not in the archive"):
        unpack_bytes(game(), into, launcher="play.sh")


@pytest.mark.parametrize("data", [game(), game(file("mygame/../evil")), game()[:-20]], ids=["good", "evil", "cut"])
def test_no_file_stays_open(into: Path, data: bytes) -> None:
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208 - the listing itself opens one
    try:
        unpack_bytes(data, into)
    except ArchiveRejected:
        assert data != game()
    assert set(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 - as above


@pytest.fixture
def small_files_only() -> Iterator[int]:
    """A limit of the operating system on the size of a file, in bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, before[1]))
    yield 300_000
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_an_error_of_the_file_system_comes_through(into: Path, small_files_only: int) -> None:
    data = game(file("mygame/noise", os.urandom(small_files_only + 1)))
    with pytest.raises(OSError, match="File too large") as caught:
        unpack_bytes(data, into)
    assert caught.value.errno == errno.EFBIG


class TestTheWriterAlone:
    """Even if a rule had a hole: these members never pass the rules."""

    def test_no_file_is_written_through_a_symlink_to_a_directory(self, into: Path, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        with TreeWriter(into) as writer:
            writer.begin(Member("link", Kind.SYMLINK, 0, None, str(outside)))
            for kind in (Kind.FILE, Kind.DIRECTORY):
                with pytest.raises(OSError, match="link") as caught:
                    writer.begin(Member("link/inside", kind, 0, None))
                assert caught.value.errno in (errno.ELOOP, errno.ENOTDIR)
        assert list(outside.iterdir()) == []

    def test_no_file_is_written_through_a_symlink_to_a_file(self, into: Path, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        outside.write_bytes(b"precious")
        with TreeWriter(into) as writer:
            writer.begin(Member("link", Kind.SYMLINK, 0, None, str(outside)))
            with pytest.raises(FileExistsError):
                writer.begin(Member("link", Kind.FILE, 0, None))
        assert outside.read_bytes() == b"precious"

    def test_no_hard_link_is_made_through_a_symlink(self, into: Path, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "precious").write_bytes(b"precious")
        with TreeWriter(into) as writer:
            writer.begin(Member("link", Kind.SYMLINK, 0, None, str(outside)))
            with pytest.raises(NotADirectoryError):
                writer.begin(Member("mine", Kind.FILE, 0, None, "link/precious", hard_link=True))
            writer.begin(Member("file-link", Kind.SYMLINK, 0, None, str(outside / "precious")))
            writer.begin(Member("second", Kind.FILE, 0, None, "file-link", hard_link=True))
        assert (into / "second").is_symlink()
        assert (outside / "precious").stat().st_nlink == 1

    @pytest.mark.parametrize("path", ["../evil", "a/../../evil", "/evil", "a//b", ".", "..", ""])
    def test_what_is_no_plain_name_is_refused(self, into: Path, path: str) -> None:
        with TreeWriter(into) as writer:
            for kind in (Kind.FILE, Kind.SYMLINK, Kind.DIRECTORY):
                with pytest.raises(PermissionError):
                    writer.begin(Member(path, kind, 0, None, "x"))
            with pytest.raises(PermissionError):
                writer.begin(Member("mine", Kind.FILE, 0, None, path, hard_link=True))
        assert list(into.parent.iterdir()) == [into]
