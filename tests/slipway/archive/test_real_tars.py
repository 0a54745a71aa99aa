"""Archives that GNU tar and Python make are accepted, and unpack to what GNU tar unpacks."""

import io
import os
import subprocess
import tarfile
import unicodedata
from pathlib import Path

import pytest

from slipway.archive.archive_limits import ArchiveLimits
from slipway.archive.tar.tar_parser import TarParser
from slipway.archive.unpacking import unpack
from tests.slipway.archive.inspect_archive import assert_refused, inspect
from tests.slipway.archive.packagers import bsdtar, gnu_tar, python_tar, seven_zip
from tests.slipway.archive.tar_writer import gz

LAUNCHER = "start.sh"
LONG = "l" * 120
DEEP = "/".join(["a-folder-with-quite-a-long-name"] * 9)
GNU_FORMATS = ["gnu", "oldgnu", "posix", "ustar", "v7"]


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a game as a studio has it: long names, Unicode, links, odd modes and times."""
    root = tmp_path_factory.mktemp("studio")
    top = root / "mygame"
    (top / "game" / "images").mkdir(parents=True)
    (top / "lib" / "empty").mkdir(parents=True)
    write(top / LAUNCHER, b"#!/bin/sh\nexec ./lib/run\n", 0o750)
    write(top / "game" / "script.rpy", b"label start:\n" * 1000, 0o600)
    write(top / "game" / "data.rpa", os.urandom(700_001), 0o664)
    write(top / "game" / "nothing", b"", 0o444)
    write(top / "game" / "a name with spaces, commas & 'quotes'", b"x", 0o644)
    write(top / "game" / "images" / "bühne-日本語-🎭.png", b"png", 0o644)
    write(top / "game" / "images" / unicodedata.normalize("NFD", "façade.png"), b"nfd", 0o644)
    os.link(top / "game" / "data.rpa", top / "game" / "data-again.rpa")
    (top / "lib" / "run").symlink_to("../start.sh")
    (top / "lib" / "current").symlink_to("empty")
    (top / "lib" / "dangling").symlink_to("../game/not-there")
    return root


@pytest.fixture(scope="session")
def deep_studio(studio: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, with paths that need GNU long names or PAX headers."""
    root = tmp_path_factory.mktemp("deep-studio")
    subprocess.run(["cp", "-a", str(studio / "mygame"), str(root)], check=True)
    deep = root / "mygame" / DEEP
    deep.mkdir(parents=True)
    write(deep / LONG, b"deep", 0o644)
    os.link(deep / LONG, deep / f"{LONG}-again")
    (deep / "link").symlink_to(f"{LONG}-and-more")
    (deep / f"{LONG}-link").symlink_to(LONG)
    return root


def write(path: Path, content: bytes, mode: int) -> None:
    path.write_bytes(content)
    path.chmod(mode)
    os.utime(path, (1_600_000_000, 1_600_000_000 + len(content)))


def assert_unpacks_as_gnu_tar_does(data: bytes, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    inspection = unpack(io.BytesIO(data), ours, ArchiveLimits(), LAUNCHER)
    assert inspection == inspect(data, launcher=LAUNCHER)
    subprocess.run(["tar", "-xzf", "-", "-C", theirs], input=data, check=True)
    assert describe(ours) == describe(theirs)


def describe(root: Path) -> dict[str, tuple[object, ...]]:
    """Every path with its type and what matters of it; hard links are named by the first path of their group."""
    first_of: dict[int, str] = {}
    described: dict[str, tuple[object, ...]] = {}
    for path in sorted(root.rglob("*")):
        name, stat = str(path.relative_to(root)), path.lstat()
        if path.is_symlink():
            described[name] = ("link", str(path.readlink()))
        elif path.is_dir():
            described[name] = ("directory",)
        else:
            same = first_of.setdefault(stat.st_ino, name)
            executable = bool(stat.st_mode & 0o111)
            described[name] = ("file", path.read_bytes(), executable, int(stat.st_mtime), same)
    return described


@pytest.mark.parametrize("tar_format", GNU_FORMATS)
def test_what_gnu_tar_makes_unpacks_the_same(studio: Path, tmp_path: Path, tar_format: str) -> None:
    assert_unpacks_as_gnu_tar_does(gnu_tar(studio, f"--format={tar_format}"), tmp_path)


@pytest.mark.parametrize("tar_format", ["gnu", "oldgnu", "posix"])
def test_long_names_and_long_links_of_gnu_tar_unpack_the_same(
    deep_studio: Path, tmp_path: Path, tar_format: str
) -> None:
    assert_unpacks_as_gnu_tar_does(gnu_tar(deep_studio, f"--format={tar_format}"), tmp_path)


@pytest.mark.parametrize("option", ["--xattrs", "--hard-dereference", "--sort=name", "--numeric-owner"])
def test_usual_options_of_gnu_tar_are_fine(studio: Path, tmp_path: Path, option: str) -> None:
    assert_unpacks_as_gnu_tar_does(gnu_tar(studio, option), tmp_path)


def test_packaging_from_inside_a_folder_with_a_dot_is_fine(studio: Path, tmp_path: Path) -> None:
    data = subprocess.run(["tar", "-czf", "-", "-C", studio, "./mygame"], check=True, capture_output=True).stdout
    assert_unpacks_as_gnu_tar_does(data, tmp_path)
    whole = subprocess.run(["tar", "-czf", "-", "-C", studio, "."], check=True, capture_output=True).stdout
    assert inspect(whole, launcher=LAUNCHER).top_directory == "mygame"


@pytest.mark.parametrize(
    "tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["ustar", "gnu", "pax"]
)
def test_what_python_makes_unpacks_the_same(studio: Path, tmp_path: Path, tar_format: int) -> None:
    assert_unpacks_as_gnu_tar_does(python_tar(studio, tar_format), tmp_path)


@pytest.mark.parametrize("tar_format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["gnu", "pax"])
def test_long_names_and_long_links_of_python_unpack_the_same(
    deep_studio: Path, tmp_path: Path, tar_format: int
) -> None:
    assert_unpacks_as_gnu_tar_does(python_tar(deep_studio, tar_format), tmp_path)


@pytest.mark.parametrize("tar_format", ["pax", "paxr", "gnutar", "ustar"])
def test_what_bsdtar_makes_unpacks_the_same(studio: Path, deep_studio: Path, tmp_path: Path, tar_format: str) -> None:
    """Written to a pipe, so zeros follow the gzip stream."""
    data = bsdtar(studio if tar_format == "ustar" else deep_studio, f"--format={tar_format}")
    assert data.endswith(bytes(4))
    assert len(data) % 10_240 == 0
    assert_unpacks_as_gnu_tar_does(data, tmp_path)


def test_what_7_zip_makes_unpacks_the_same(tmp_path: Path) -> None:
    """It follows links while it packages, so this game has none."""
    top = tmp_path / "studio" / "mygame"
    (top / "game").mkdir(parents=True)
    write(top / LAUNCHER, b"#!/bin/sh\n", 0o755)
    write(top / "game" / "a name with spaces, é", b"x" * 1000, 0o644)
    assert_unpacks_as_gnu_tar_does(seven_zip(tmp_path / "studio", tmp_path), tmp_path)


def test_a_directory_that_is_named_twice_is_fine(studio: Path, tmp_path: Path) -> None:
    data = subprocess.run(
        ["tar", "-czf", "-", "--no-recursion", "-C", studio, "mygame", "mygame/game", "mygame/game", "mygame/start.sh"],
        check=True,
        capture_output=True,
    ).stdout
    assert_unpacks_as_gnu_tar_does(data, tmp_path)


HUGE = 9 * 2**30 + 5  # more than the eleven octal digits of a header hold


@pytest.mark.parametrize("tar_format", ["gnu", "oldgnu", "posix"])
def test_the_size_of_a_huge_file_is_read_as_gnu_tar_writes_it(tmp_path: Path, tar_format: str) -> None:
    with (tmp_path / "huge.rpa").open("wb") as huge:
        huge.truncate(HUGE)  # takes no room on disk
    command = ["tar", f"--format={tar_format}", "-cf", "-", "-C", str(tmp_path), "huge.rpa"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as packing:
        assert packing.stdout
        head = packing.stdout.read(4096)
        packing.kill()
    assert declared_sizes(head) == [HUGE]


def test_the_size_of_a_huge_file_is_read_as_python_writes_it() -> None:
    member = tarfile.TarInfo("huge.rpa")
    member.size = HUGE
    assert declared_sizes(member.tobuf(tarfile.GNU_FORMAT)) == [HUGE]
    assert declared_sizes(member.tobuf(tarfile.PAX_FORMAT)) == [HUGE]


def declared_sizes(head: bytes) -> list[int]:
    sizes: list[int] = []
    TarParser(lambda member: sizes.append(member.size)).feed(head)
    return sizes


def test_absolute_names_of_gnu_tar_are_refused(studio: Path) -> None:
    path = f"{studio}/mygame"
    data = subprocess.run(["tar", "-czPf", "-", path], check=True, capture_output=True).stdout
    assert_refused(
        data, member=f"{path}/", problem="is an absolute path", remedy=f"tar czf game.tar.gz -C {studio} mygame"
    )


def test_an_archive_that_was_appended_to_is_refused(studio: Path, tmp_path: Path) -> None:
    tar = tmp_path / "game.tar"
    for mode in ("-cf", "-rf"):
        subprocess.run(["tar", mode, tar, "-C", studio, "mygame/start.sh", "mygame/game/script.rpy"], check=True)
    assert_refused(
        gz(tar.read_bytes()), member="mygame/start.sh", problem="is stored twice", remedy="Do not append to archives"
    )
