"""Errors of the disk name the complete path, and the platform gets the part of it below the cache directory."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slipway.agent.cache.cache_layout import MAX_SHOWN_PATH, CacheLayout
from slipway.archive.archive_member import Kind, Member
from slipway.archive.member_writing import TreeWriter
from slipway.client.durable import write_bytes
from slipway.disk_errors import error_at
from slipway.packs.tree_files import TreeFiles
from tests.slipway.packs.builds import install, make_build
from tests.slipway.packs.trees import TOP, Tree

CACHE = Path("/srv/games")
MAX_FILE_BYTES = 300_000


@pytest.fixture
def small_files_only() -> Iterator[None]:
    """The operating system refuses to make files larger than MAX_FILE_BYTES."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_FILE_BYTES, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def file_named(caught: pytest.ExceptionInfo[OSError]) -> Path:
    return Path(caught.value.filename)


def test_the_unpacked_file_that_cannot_be_made_or_written_is_named(tmp_path: Path, small_files_only: None) -> None:
    with TreeWriter(tmp_path) as writer:
        writer.begin(Member("mygame/data/noise", Kind.FILE, MAX_FILE_BYTES, None))
        with pytest.raises(OSError, match="too large") as caught:
            writer.content(memoryview(bytes(MAX_FILE_BYTES + 1)))
        assert file_named(caught) == tmp_path / "mygame/data/noise"
        with pytest.raises(NotADirectoryError) as caught:
            writer.begin(Member("mygame/data/noise/below", Kind.FILE, MAX_FILE_BYTES, None))
        assert file_named(caught) == tmp_path / "mygame/data/noise/below"


def test_the_file_of_a_pack_that_cannot_be_written_is_named(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    build = make_build(tmp_path, Tree({"data/noise": (os.urandom(MAX_FILE_BYTES + 1), False)}))
    request.getfixturevalue("small_files_only")
    with pytest.raises(OSError, match="too large") as caught:
        install(build, tmp_path / "into")
    assert file_named(caught) == tmp_path / "into" / TOP / "data/noise"


def _open_below_a_file(folder: Path) -> None:
    (folder / "file").touch()
    with TreeFiles(folder) as files:
        files.open("file/below", os.O_RDONLY)


def _write_too_much(folder: Path) -> None:
    write_bytes(folder / "state", bytes(MAX_FILE_BYTES + 1))


@pytest.mark.parametrize(("fails", "name"), [(_open_below_a_file, "file/below"), (_write_too_much, "state")])
def test_calls_on_open_files_and_directories_name_the_path(
    tmp_path: Path, small_files_only: None, fails: Callable[[Path], None], name: str
) -> None:
    with pytest.raises(OSError) as caught:
        fails(tmp_path)
    assert caught.value.filename.startswith(str(tmp_path / name))


def test_a_complete_path_and_an_error_without_number_stay_as_they_are() -> None:
    with pytest.raises(FileNotFoundError) as caught, error_at(Path("/elsewhere")):
        Path("/nowhere/at/all").stat()
    assert caught.value.filename == "/nowhere/at/all"
    with pytest.raises(FileExistsError, match="is not empty") as unnumbered, error_at(Path("/elsewhere")):
        raise FileExistsError("it is not empty")
    assert unnumbered.value.filename is None


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        (("/srv/games/g1/4",), "Operation not permitted at g1/4 in the cache"),
        ((b"/srv/games/.slipway/unpack/g1.4",), "Operation not permitted at .slipway/unpack/g1.4 in the cache"),
        (("/srv/games/g1/4", None, "/srv/games/a/b"), "Operation not permitted at g1/4 to a/b in the cache"),
        (("/srv/games/g1/a\nb\udcff",), "Operation not permitted at g1/a b  in the cache"),
        (("/srv/games/../secret",), "Operation not permitted"),
        (("/srv/gamesome",), "Operation not permitted"),
        (("/etc/passwd", None, "/srv/games/g1"), "Operation not permitted at g1 in the cache"),
        (("relative",), "Operation not permitted"),
        (("/srv/games",), "Operation not permitted"),
        ((7,), "Operation not permitted"),
        ((), "Operation not permitted"),
    ],
)
def test_the_platform_reads_only_paths_below_the_cache(paths: tuple[object, ...], words: str) -> None:
    error = PermissionError(errno.EPERM, os.strerror(errno.EPERM), *paths)
    assert CacheLayout(CACHE).error_words(error) == words


def test_of_a_long_path_the_end_is_shown() -> None:
    error = OSError(errno.EIO, "Input/output error", f"/srv/games/g1/{'x/' * 2000}end")
    words = CacheLayout(CACHE).error_words(error)
    assert words.endswith("/x/end in the cache")
    assert len(words) < MAX_SHOWN_PATH + 50
