"""What changed between two builds, from their indexes."""

from __future__ import annotations

import time
from array import array
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.packs.comparing import Change, ChangeKind, Comparison, below_top, compare
from slipway.packs.format.index import Chunks, Entries, Generation, Index, Kind
from slipway.packs.format.index_decoding import decode_own_index
from slipway.packs.format.index_encoding import encode_index
from slipway.packs.format.pack_format import RULES
from slipway.packs.format.refusals import IndexRefused
from tests.slipway.packs.builds import build_of, make_build
from tests.slipway.packs.trees import Tree, noise

ADDED, REMOVED, CHANGED = ChangeKind.ADDED, ChangeKind.REMOVED, ChangeKind.CHANGED


def compared(folder: Path, old: Tree, new: Tree) -> Comparison:
    return compare(make_build(folder, old, 1).written.index, make_build(folder, new, 2).written.index)


def between(folder: Path, old: Tree, new: Tree) -> list[Change]:
    return compared(folder, old, new).changes


def test_files_added_removed_and_changed_with_their_sizes(tmp_path: Path) -> None:
    old = Tree({"a": (b"one", False), "b-c": (b"gone", False), "c/d": (noise(500_000), False), "same": (b"x", False)})
    new = Tree({"a": (b"other", False), "b/c": (b"new!", False), "e/d": (noise(500_000), False), "same": (b"x", False)})

    assert between(tmp_path, old, new) == [
        Change("mygame/a", CHANGED, 3, 5, 5),
        Change("mygame/b/c", ADDED, None, 4, 4),
        Change("mygame/b-c", REMOVED, 4, None, 0),
        Change("mygame/c/d", REMOVED, 500_000, None, 0),
        Change("mygame/e/d", ADDED, None, 500_000, 0),  # only moved
    ]


def test_an_x_bit_and_a_link_are_changes_too(tmp_path: Path) -> None:
    old = Tree({"a": (b"one", False), "b": (b"two", False)}, symlinks={"l": "a", "f": "a"})
    new = Tree({"a": (b"one", True), "f": (b"file", False)}, symlinks={"l": "b", "b": "a"})

    assert between(tmp_path, old, new) == [
        Change("mygame/a", CHANGED, 3, 3, 0),
        Change("mygame/b", CHANGED, 3, 0, 0),
        Change("mygame/f", CHANGED, 0, 4, 4),
        Change("mygame/l", CHANGED, 0, 0, 0),
    ]


def test_a_directory_in_the_place_of_a_file(tmp_path: Path) -> None:
    old, new = Tree({"a": (b"one", False)}), Tree({"a/b": (b"one", False)})

    assert between(tmp_path, old, new) == [
        Change("mygame/a", REMOVED, 3, None, 0),
        Change("mygame/a/b", ADDED, None, 3, 0),
    ]


def test_a_hard_link_has_the_size_and_content_of_its_file(tmp_path: Path) -> None:
    old = Tree({"a/first": (b"four", False), "same": (b"x", False)}, hard_links={"b": "a/first", "t": "same"})
    new = Tree({"b": (b"longer", False), "same": (b"x", False)}, hard_links={"d": "b", "u": "same"})

    found = compared(tmp_path, old, new)
    assert found.changes == [
        Change("mygame/a/first", REMOVED, 4, None, 0),
        Change("mygame/b", CHANGED, 4, 6, 6),  # a hard link became a file
        Change("mygame/d", ADDED, None, 6, 6),
        Change("mygame/t", REMOVED, 1, None, 0),
        Change("mygame/u", ADDED, None, 1, 0),
    ]
    assert found.new_bytes == 6


def test_below_the_top_directory_a_hard_link_keeps_its_size(tmp_path: Path) -> None:
    trees = Tree({"a/b-c": (b"four", False)}), Tree({"a/b-c": (b"four", False)}, hard_links={"a/d": "a/b-c"})
    indexes = [below_top(make_build(tmp_path, tree, number).written.index) for number, tree in enumerate(trees, 1)]

    assert compare(*indexes) == Comparison([Change("a/d", ADDED, None, 4, 0)], 0)


def test_new_content_of_several_files_counts_once(tmp_path: Path) -> None:
    content = noise(500_000)
    found = compared(tmp_path, Tree({"a": (b"one", False)}), Tree({"a": (content, False), "b": (content, False)}))

    assert [change.new_bytes for change in found.changes] == [500_000, 500_000]
    assert found.new_bytes == 500_000


def test_below_the_top_directory_its_name_does_not_count(tmp_path: Path) -> None:
    tree = Tree({"a": (b"one", False), "b/c": (b"two", True)}, symlinks={"l": "a"}, hard_links={"h": "b/c"})
    indexes = []
    for number, top in enumerate(("mygame", "mygame-1.1"), 1):
        root = tree.write(tmp_path / str(number))
        (root / "mygame").rename(root / top)
        index = build_of(root, tmp_path, number).written.index
        indexes.append(below_top(decode_own_index(encode_index(index))))

    assert compare(*indexes) == Comparison([], 0)
    assert [indexes[1].path(entry) for entry in range(indexes[1].entry_count)] == ["a", "b", "b/c", "h", "l"]
    assert [indexes[1].target(entry) for entry in (3, 4)] == ["b/c", "a"]
    changed = make_build(tmp_path, Tree({"a": (b"other", False)}), 3).written.index
    assert [change.path for change in compare(indexes[1], below_top(changed)).changes] == ["a", "b/c", "h", "l"]


def test_an_index_of_our_own_is_refused_only_for_its_form(tmp_path: Path) -> None:
    encoded = make_build(tmp_path, Tree({"a": (b"one", False)})).written.encoded
    assert decode_own_index(encoded).path(1) == "mygame/a"
    for damaged in (encoded[:-1], b"x" + encoded[1:], encoded + b"x"):
        with pytest.raises(IndexRefused):
            decode_own_index(damaged)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(
    sides=st.lists(
        st.dictionaries(st.sampled_from("abcdefg"), st.sampled_from([b"one", b"two", b""]), max_size=7),
        min_size=2,
        max_size=2,
    )
)
def test_changes_are_those_of_a_comparison_by_hand(
    sides: list[dict[str, bytes]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    old, new = sides
    trees = [Tree({name: (content, False) for name, content in side.items()}) for side in sides]
    found = {change.path: change.kind for change in between(tmp_path_factory.mktemp("c"), *trees)}

    assert found == {
        f"mygame/{name}": ADDED if name not in old else REMOVED if name not in new else CHANGED
        for name in {*old, *new}
        if old.get(name) != new.get(name)
    }


@pytest.mark.slow
def test_two_hundred_thousand_files_are_no_trouble() -> None:
    old, new = many_files(b"a", 200_000), many_files(b"b", 200_000)
    started = time.thread_time()
    found = compare(old, new).changes

    assert len(found) == 2000
    assert time.thread_time() - started < 30


def many_files(salt: bytes, count: int) -> Index:
    """An index of so many small files; every hundredth depends on the salt."""
    hashes = [b"%032d" % number if number % 100 else salt + b"%031d" % number for number in range(count)]
    entries = Entries(
        [b"mygame", *(b"mygame/%06d" % number for number in range(count))],
        bytearray([Kind.DIRECTORY, *[Kind.FILE] * count]),
        {},
        array("I", [0, *range(count + 1)]),
        array("I", range(count)),
    )
    lengths = array("I", [10] * count)
    return Index(RULES, [Generation(1, count)], entries, Chunks(b"".join(hashes), lengths, lengths))
