"""Where files are cut: by their content, and before the entries of a Ren'Py archive."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections import Counter
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.packs.format.pack_format import RULES
from slipway.packs.making import cutting
from slipway.packs.making.cutting import ENTRY_MARKER, WindowBuffers, cut
from tests.conftest import ROOT
from tests.slipway.packs.trees import noise

KIB = 2**10


def lengths(content: bytes, *, marked: bool = False, step: int | None = None, size: int | None = None) -> list[int]:
    """The lengths of the chunks; reads give at most `step` bytes."""
    file = io.BytesIO(content)
    windows = cut(lambda view: file.readinto(view[:step]), len(content) if size is None else size, marked=marked)
    return [length for window in windows for length in window.lengths]


def entry(size: int, seed: int = 0) -> bytes:
    """An entry of an archive, `size` bytes with its marker."""
    return ENTRY_MARKER + noise(size - len(ENTRY_MARKER), seed)


def test_chunks_are_within_the_rules() -> None:
    found = lengths(noise(20 * 2**20))

    assert sum(found) == 20 * 2**20
    assert all(RULES.min_bytes <= length <= RULES.max_bytes for length in found[:-1])
    assert RULES.average_bytes / 2 < sum(found) / len(found) < RULES.average_bytes * 2


def test_an_empty_file_has_no_chunks() -> None:
    assert lengths(b"") == []


def test_cuts_move_with_the_content() -> None:
    before = noise(5 * 2**20)
    after = noise(1000, 7) + before
    ends = set(accumulate(lengths(before)))
    moved = {end - 1000 for end in accumulate(lengths(after))}

    assert len(ends & moved) > 0.8 * len(ends)


@settings(max_examples=30, deadline=None)
@given(
    entries=st.lists(st.sampled_from([20, 500, 9000, 65_535, 65_536, 65_537, 200_000, 1_200_000]), max_size=30),
    step=st.integers(50_000, 3_000_000),
    window=st.integers(2_000_000, 5_000_000),
    size=st.integers(0, 4_000_000),
    marked=st.booleans(),
)
def test_chunks_depend_on_the_bytes_alone(entries: list[int], step: int, window: int, size: int, marked: bool) -> None:
    """Not on where reads end, how long the file was thought to be, or how much is looked at in one go."""
    content = b"RPA-3.0 header\n" + b"".join(entry(length, seed) for seed, length in enumerate(entries))
    usual = lengths(content, marked=marked)
    assert sum(usual) == len(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "_WINDOW_BYTES", window)
        assert lengths(content, marked=marked, step=step, size=size) == usual


def test_what_an_earlier_file_left_in_a_buffer_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second file ends within a marker, and the buffer still has the rest of one."""
    monkeypatch.setattr(cutting, "_WINDOW_BYTES", 2**21)
    buffers = WindowBuffers()
    first = ENTRY_MARKER * (3 * 2**20 // len(ENTRY_MARKER))
    second = entry(2_900_000) + entry(90_000) + ENTRY_MARKER[:7]

    def shared(content: bytes) -> list[int]:
        file, found = io.BytesIO(content), []
        for window in cut(file.readinto, len(content), marked=True, buffers=buffers):
            found += window.lengths
            buffers.put_back(window)
        return found

    assert shared(first) == lengths(first, marked=True)
    for end in range(7):
        assert shared(second[: len(second) - end]) == lengths(second[: len(second) - end], marked=True)


def test_a_large_entry_stands_alone_and_small_ones_share_runs() -> None:
    content = entry(1000, 1) + entry(2000, 2) + entry(100 * KIB, 3) + entry(3000, 4) + entry(70 * KIB, 5)

    assert lengths(content, marked=True) == [3000, 100 * KIB, 3000, 70 * KIB]
    assert lengths(content) != lengths(content, marked=True)


@pytest.mark.parametrize(("size", "alone"), [(64 * KIB - 1, False), (64 * KIB, True)])
def test_the_size_from_which_an_entry_stands_alone(size: int, alone: bool) -> None:
    content = entry(500, 1) + entry(size, 2) + entry(500, 3)

    assert (lengths(content, marked=True)[:2] == [500, size]) is alone


def test_images_inserted_in_the_middle_change_only_their_own_chunks() -> None:
    entries = [entry(length * KIB, length) for length in (3, 90, 5, 7, 120, 300, 4, 80, 2, 600, 6)]
    before = b"".join(entries)
    after = b"".join([*entries[:5], entry(100 * KIB, 1000), *entries[5:]])

    added = Counter(lengths(after, marked=True))
    added.subtract(lengths(before, marked=True))

    assert min(added.values()) == 0
    assert sum(length * times for length, times in added.items()) == 100 * KIB


def test_a_file_full_of_markers_costs_no_more_than_another() -> None:
    """Each step over small entries looks at the last one within reach, not at each."""
    found = lengths(ENTRY_MARKER * 1_000_000, marked=True)

    assert sum(found) == 17_000_000
    assert len(found) < 17_000_000 / RULES.run_min_bytes + 1


def test_cutting_needs_the_compiled_library() -> None:
    """`pyfastcdc` falls back to Python without a word, 700 times slower. Here that is an error."""
    program = "import sys; sys.modules['pyfastcdc.cy'] = None; import slipway.packs.making.cutting"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 1
    assert "ModuleNotFoundError" in done.stderr


def test_game_servers_need_no_cutting_library() -> None:
    """What installs, updates, verifies and repairs loads neither it nor anything of the web."""
    program = (
        "import sys, slipway.packs.applying, slipway.packs.repairing, slipway.packs.comparing, "
        "slipway.packs.format.index_transfer, slipway.packs.format.index_decoding\n"
        "print([name for name in sys.modules if name.split('.')[0] in {'pyfastcdc', 'flask', 'sqlalchemy', 'app'}])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
