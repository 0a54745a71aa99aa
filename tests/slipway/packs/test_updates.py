"""What an update sends, where its files come from, and what it leaves alone."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from slipway.packs import local_reuse
from slipway.packs.applying import PatchObject, apply
from slipway.packs.chunk_content import PackContent
from slipway.packs.format.index import Generation
from slipway.packs.format.pack_format import RULES
from slipway.packs.format.patch_format import decode_patch
from slipway.packs.format.refusals import PatchRefused, TreeUnsuitable
from slipway.packs.local_reuse import OldChunks, Reuse, can_clone
from slipway.packs.making.build_writing import OlderBuild, make_patch
from slipway.packs.transfer_plan import MAX_GAP_BYTES, MAX_RANGE_BYTES, plan_transfer
from tests.slipway.packs.builds import Build, BytesSource, build_of, install, make_build, patch_between
from tests.slipway.packs.trees import Tree, noise, standing

BINARY = noise(1_500_000, 1)
EDITED = b"".join(BINARY[at : at + 4996] + b"edit" for at in range(0, len(BINARY), 5000))
FIRST = Tree(
    {
        "lib/runtime.so": (BINARY, True),
        "game/a.rpy": (b"label a:\n" * 3000, False),
        "game/large.bin": (noise(3_000_000, 2), False),
    }
)
SECOND = Tree(FIRST.files | {"lib/runtime.so": (EDITED, True), "game/b.bin": (noise(200_000, 3), False)})


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Build, Build]:
    folder = tmp_path_factory.mktemp("builds")
    first = make_build(folder, FIRST, 1)
    return first, make_build(folder, SECOND, 2, first)


def test_scattered_edits_travel_as_a_patch(builds: tuple[Build, Build], tmp_path: Path) -> None:
    first, second = builds
    patch = patch_between(first, second)
    assert patch
    assert patch.table.size < 10_000
    source = BytesSource(second.pack)
    applied = install(second, tmp_path / "installed", source, old=first)

    assert applied.patched == len(EDITED)
    assert source.ranges == [(0, 200_000)]  # the new file alone, at the front of the pack
    assert standing(tmp_path / "installed") == standing(second.root)


def test_the_newest_generation_is_at_the_front(builds: tuple[Build, Build]) -> None:
    index = builds[1].written.index
    known = {builds[0].written.index.hash(chunk) for chunk in range(builds[0].written.index.chunk_count)}
    new = [index.hash(chunk) not in known for chunk in range(index.chunk_count)]

    assert new == sorted(new, reverse=True)
    assert index.generations == [Generation(2, sum(new)), Generation(1, len(new) - sum(new))]


def test_an_update_over_several_versions_is_one_range(tmp_path: Path) -> None:
    files = dict(FIRST.files)
    build = first = make_build(tmp_path, Tree(files), 1)
    for number in range(2, 6):
        files[f"game/{number}.bin"] = (noise(100_000, number), False)
        build = make_build(tmp_path, Tree(files), number, build)
    source = BytesSource(build.pack)
    install(build, tmp_path / "installed", source, old=first)

    assert [generation.build for generation in build.written.index.generations] == [5, 4, 3, 2, 1]
    assert source.ranges == [(0, 400_000)]


def test_a_rebuilt_archive_sends_nothing(tmp_path: Path) -> None:
    """Times and owners are not part of a build: the index is the same, byte for byte."""
    first = make_build(tmp_path, FIRST, 1)
    root = FIRST.write(tmp_path / "2")
    for path in root.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    second = build_of(root, tmp_path, 2, first)

    assert second.written.reference == first.written.reference
    assert second.written.delta
    assert len(second.written.delta) < 64
    assert second.written.patch is None


def test_going_back_needs_nothing_of_the_pack_but_what_was_dropped(builds: tuple[Build, Build], tmp_path: Path) -> None:
    first, second = builds
    source = BytesSource(first.pack)
    install(first, tmp_path / "installed", source, old=second)

    assert standing(tmp_path / "installed") == standing(first.root)
    assert source.sent == plan_transfer(first.written.index, second.written.index).fetched_bytes
    assert source.sent < len(BINARY) + 2 * RULES.max_bytes


def test_ranges_join_small_gaps_and_are_bounded(tmp_path: Path) -> None:
    build = make_build(tmp_path, Tree({"a": (noise(40 * 2**20, 5), False)}))
    index = build.written.index
    plan = plan_transfer(index)
    assert plan.fetched_bytes == index.pack_bytes
    assert all(found.length < MAX_RANGE_BYTES + RULES.max_bytes for found in plan.ranges)
    assert len(plan.ranges) == 3

    # Every other file of a build is there: what lies between is fetched too when it is less than a request costs.
    small, large = MAX_GAP_BYTES // 2, MAX_GAP_BYTES * 2
    for size, ranges in ((small, 1), (large, 4)):
        files = {f"{number}": (noise(size, number), False) for number in range(7)}
        folder = tmp_path / str(size)
        whole = make_build(folder, Tree(files), 1)
        half = make_build(folder, Tree({name: files[name] for name in "135"}), 2)
        plan = plan_transfer(whole.written.index, half.written.index)
        assert len(plan.ranges) == ranges


def test_a_patch_between_other_builds_is_refused(builds: tuple[Build, Build]) -> None:
    first, second = (build.written for build in builds)
    assert second.patch
    with pytest.raises(PatchRefused, match="other builds"):
        decode_patch(second.patch, second.index, second.reference.sha256, first.index, first.reference.sha256)


@pytest.mark.parametrize("position", range(0, 130, 3))
def test_a_changed_patch_is_refused_or_harmless(builds: tuple[Build, Build], tmp_path: Path, position: int) -> None:
    """What it makes wrong is fetched from the pack."""
    first, second = builds
    assert second.written.patch
    changed = bytearray(second.written.patch)
    changed[position] ^= 0x41
    old, new = first.written, second.written
    try:
        table = decode_patch(bytes(changed), old.index, old.reference.sha256, new.index, new.reference.sha256)
    except PatchRefused:
        return
    into = tmp_path / "installed"
    into.mkdir()
    apply(new.index, into, BytesSource(second.pack), old=first.local, patch=PatchObject(table, bytes(changed)))

    assert standing(into) == standing(second.root)


def test_a_patch_can_be_made_from_the_older_pack_alone(builds: tuple[Build, Build]) -> None:
    """The server keeps packs, and not the directories that they were made from."""
    first, second = builds
    old, new = first.written, second.written
    source = BytesSource(first.pack)
    older = OlderBuild(old.index, old.encoded, PackContent(old.index, source))

    assert make_patch(second.root, new.index, new.encoded, older) == new.patch
    # Tried, searched for what is like the new file, and compressed; and read ahead.
    assert source.sent <= len(BINARY) * 7 // 2
    # A pack that is damaged there makes no patch, and no failure.
    broken = PackContent(old.index, BytesSource(bytes(len(first.pack))))
    assert make_patch(second.root, new.index, new.encoded, OlderBuild(old.index, old.encoded, broken)) is None


def test_a_patch_of_many_small_files_takes_few_requests(tmp_path: Path) -> None:
    files = {f"game/tl/{number:04}.rpy": (noise(200, number), False) for number in range(3000)}
    edited = {path: (content + b"edited", False) for path, (content, _) in files.items() if path < "game/tl/2500.rpy"}
    first = make_build(tmp_path, Tree(files), 1)
    second = make_build(tmp_path, Tree(files | edited), 2)
    old, new = first.written, second.written
    source = BytesSource(first.pack)
    older = OlderBuild(old.index, old.encoded, PackContent(old.index, source))
    assert make_patch(second.root, new.index, new.encoded, older)
    assert len(source.ranges) < 30


def test_hard_links_share_the_unchanged_files_alone(builds: tuple[Build, Build], tmp_path: Path) -> None:
    first, second = builds
    install(first, tmp_path / "first")
    old = Build(tmp_path / "first", first.written, first.pack)
    install(second, tmp_path / "second", old=old, reuse=Reuse.HARD_LINK)

    def shared(path: str) -> bool:
        return (tmp_path / "first/mygame" / path).samefile(tmp_path / "second/mygame" / path)

    assert shared("game/large.bin")
    assert shared("game/a.rpy")
    assert not shared("lib/runtime.so")
    assert standing(tmp_path / "first") == standing(first.root)


def test_a_damaged_file_is_never_linked(builds: tuple[Build, Build], tmp_path: Path) -> None:
    first, second = builds
    install(first, tmp_path / "first")
    with (tmp_path / "first/mygame/game/large.bin").open("r+b") as file:
        file.write(b"written by the game")
    old = Build(tmp_path / "first", first.written, first.pack)
    applied = install(second, tmp_path / "second", old=old, reuse=Reuse.HARD_LINK)

    assert applied.damaged_old > 0
    assert standing(tmp_path / "second") == standing(second.root)
    assert not (tmp_path / "first/mygame/game/large.bin").samefile(tmp_path / "second/mygame/game/large.bin")


def test_where_blocks_can_be_shared_they_are(
    builds: tuple[Build, Build], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On file systems that can clone (Btrfs, XFS). Elsewhere a clone is what the kernel's copy makes of it: what is
    held to here is that a cloned file is checked and mended like any other."""
    first, second = builds

    def clone(target: int, request: int, source: int) -> int:
        assert request == local_reuse._FICLONE
        os.sendfile(target, source, 0, os.fstat(source).st_size)
        return 0

    monkeypatch.setattr(fcntl, "ioctl", clone)
    install(first, tmp_path / "first")
    with (tmp_path / "first/mygame/game/large.bin").open("r+b") as file:
        file.write(b"written by the game")
    old = Build(tmp_path / "first", first.written, first.pack)
    applied = install(second, tmp_path / "second", old=old)

    assert applied.kept > 2_000_000
    assert standing(tmp_path / "second") == standing(second.root)


def test_everything_is_read_only_whatever_the_umask(builds: tuple[Build, Build], tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        install(builds[0], tmp_path / "installed")
    finally:
        os.umask(before)

    assert standing(tmp_path / "installed") == standing(builds[0].root)
    top = tmp_path / "installed/mygame"
    modes = {path.stat().st_mode & 0o777 for path in top.rglob("*") if path.is_dir()}
    assert modes | {top.stat().st_mode & 0o777} == {0o555}
    modes = {path.stat().st_mode & 0o777 for path in top.rglob("*") if path.is_file()}
    assert modes == {0o444, 0o555}


def test_files_are_linked_although_the_top_directory_has_another_name(
    builds: tuple[Build, Build], tmp_path: Path
) -> None:
    first = builds[0]
    root = tmp_path / "2"
    (root / "mygame-2").mkdir(parents=True)
    for path in (first.root / "mygame").iterdir():
        shutil.copytree(path, root / "mygame-2" / path.name)
    second = build_of(root, tmp_path, 2, first)
    source = BytesSource(second.pack)
    install(first, tmp_path / "first")
    applied = install(
        second, tmp_path / "second", source, old=replace(first, root=tmp_path / "first"), reuse=Reuse.HARD_LINK
    )

    assert source.ranges == []
    assert applied.reused == second.written.index.content_bytes
    for name in ("lib/runtime.so", "game/large.bin"):
        assert (tmp_path / "second/mygame-2" / name).samefile(tmp_path / "first/mygame" / name)


def test_whether_a_file_system_shares_blocks_is_tried_out(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(bytes(4096))
    copied = subprocess.run(
        ["cp", "--reflink=always", tmp_path / "source", tmp_path / "target"], capture_output=True, check=False
    )
    assert can_clone(tmp_path) is (copied.returncode == 0)
    assert {path.name for path in tmp_path.iterdir()} <= {"source", "target"}, "it leaves nothing"


def test_the_space_for_an_update_is_known_beforehand(builds: tuple[Build, Build], tmp_path: Path) -> None:
    """Linked files take none; where blocks are shared, only the changed parts of a file do."""
    first, large = builds[0], FIRST.files["game/large.bin"][0]
    changed = Tree(FIRST.files | {"game/large.bin": (large[:2_500_000] + noise(500_000, 9), False)})
    second = make_build(tmp_path, changed, 2, first)
    old = OldChunks(second.written.index, first.local)
    assert old.bytes_to_write(Reuse.HARD_LINK) == 3_000_000
    assert 500_000 <= old.bytes_to_write(Reuse.COPY) <= 500_000 + RULES.max_bytes
    same = OldChunks(second.written.index, second.local)
    assert same.bytes_to_write(Reuse.COPY) == same.bytes_to_write(Reuse.HARD_LINK) == 0


def test_holes_are_content_like_any_other(tmp_path: Path) -> None:
    root = tmp_path / "1"
    (root / "mygame").mkdir(parents=True)
    with (root / "mygame/sparse").open("wb") as file:
        file.write(b"begin")
        file.seek(20 * 2**20)
        file.write(b"end")
    build = build_of(root, tmp_path)
    install(build, tmp_path / "installed")

    assert build.written.index.pack_bytes < 10_000
    assert (tmp_path / "installed/mygame/sparse").read_bytes() == (root / "mygame/sparse").read_bytes()


@pytest.mark.parametrize("make", [lambda path: os.mkfifo(path), lambda path: path.symlink_to("/etc/passwd")])
def test_what_no_archive_may_hold_becomes_no_pack(tmp_path: Path, make: Callable[[Path], object]) -> None:
    root = Tree({"a": (b"x", False)}).write(tmp_path / "1")
    make(root / "mygame/b")
    with pytest.raises(TreeUnsuitable, match="mygame/b"):
        build_of(root, tmp_path)


def test_builds_are_numbered_upwards(tmp_path: Path) -> None:
    first = make_build(tmp_path, Tree({"a": (b"x", False)}), 3)
    with pytest.raises(ValueError, match="build 2 is not newer than build 3"):
        make_build(tmp_path, Tree({"a": (b"y", False)}), 2, first)
