"""The table of changes: order, filters, pages, and builds with 200,000 files."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.packing.change_table import ChangeFilter, ChangeTable
from slipway.packs.comparing import Change, ChangeKind, Comparison

KINDS = st.sampled_from(ChangeKind)


@st.composite
def change(draw: st.DrawFn) -> Change:
    kind, size = draw(KINDS), st.integers(0, 50)
    return Change(
        draw(st.text("abC/", min_size=1, max_size=6)),
        kind,
        None if kind is ChangeKind.ADDED else draw(size),
        None if kind is ChangeKind.REMOVED else draw(size),
        0 if kind is ChangeKind.REMOVED else draw(size),
    )


changes = st.lists(change(), max_size=30, unique_by=lambda each: each.path)


def size_of(each: Change) -> int:
    return (each.old_size if each.new_size is None else each.new_size) or 0


@settings(deadline=None)
@given(changes, st.none() | KINDS, st.sampled_from(["", "a", "C", "b/"]), st.integers(1, 7))
def test_pages_hold_every_matching_change_once_and_largest_first(
    found: list[Change], kind: ChangeKind | None, text: str, limit: int
) -> None:
    table = ChangeTable(Comparison(found, 0))
    chosen = ChangeFilter(kind, text)
    wanted = [e for e in found if (kind is None or e.kind is kind) and text.lower() in e.path.lower()]
    wanted.sort(key=lambda each: (-size_of(each), each.path))
    seen: list[Change] = []
    position: int | None = 0
    while position is not None:
        page = table.page(chosen, position, limit)
        assert page.matching == len(wanted)
        assert len(page.changes) <= limit
        seen += page.changes
        position = page.next_position
    assert seen == wanted
    assert sum(table.counts(text).values()) == len([e for e in found if text.lower() in e.path.lower()])


@pytest.mark.parametrize("text", ["café", "cafe\u0301", "CAFE", "Cafe\u0301/É"])
def test_a_path_is_found_in_any_case_and_spelling(text: str) -> None:
    """macOS stores the accents of a name as characters of their own (NFD)."""
    paths = ["game/Café/École.rpy", "game/cafe\u0301/e\u0301cole.ogg", "game/script.rpy"]
    table = ChangeTable(Comparison([Change(path, ChangeKind.ADDED, None, 1, 1) for path in paths], 1))
    page = table.page(ChangeFilter(text=text), 0, 10)
    assert [each.path for each in page.changes] == sorted(paths[:2])
    assert table.counts("\u0301")[ChangeKind.ADDED] == 0, "nothing contains an accent alone"


def test_nothing_changed() -> None:
    table = ChangeTable(Comparison([], 0))
    assert (len(table), table.new_bytes, table.page(ChangeFilter(), 0, 10).changes) == (0, 0, [])
    assert table.page(ChangeFilter(), 99, 10).next_position is None


@pytest.mark.slow
def test_fifty_thousand_changes_take_little_memory_and_time() -> None:
    def many() -> list[Change]:
        kinds = list(ChangeKind)
        return [
            Change(f"game/images/chapter {n // 500}/picture {n:06}.webp", kinds[n % 3], n, n % 7919, n % 911)
            for n in range(50_000)
        ]

    tracemalloc.start()
    table = ChangeTable(Comparison(many(), 0))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 10 * 2**20
    assert kept < 2 * table.memory_bytes, "the cache counts what a table really takes"
    began = time.process_time()
    page = table.page(ChangeFilter(ChangeKind.ADDED, "picture 0"), 10_000, 200)
    assert len(page.changes) == 200
    assert time.process_time() - began < 5, "a tenth of a second on an idle machine"
