"""The answer depends on the archive's bytes, not on how the network cut them."""

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.archive.archive_rejected import ArchiveRejected
from slipway.archive.inspection import Inspection
from tests.slipway.archive.inspect_archive import inspect_pieces
from tests.slipway.archive.tar_writer import (
    END,
    GAME,
    directory,
    file,
    game,
    gnu_long_name,
    gz,
    hard_link,
    header,
    pax,
    symlink,
)

NOISE = random.Random(7).randbytes(700_000)
LONG = "mygame/" + "é" * 70 + "/" + "n" * 200

SMALL = {
    "good": game(
        file("mygame/a", b"abc"),
        gnu_long_name(LONG),
        file("cut", b"x" * 700),
        pax({"path": "mygame/p", "size": "5"}),
        header(b"x", size=5),
        b"12345" + bytes(507),
        symlink("mygame/s", "a"),
        hard_link("mygame/h", "mygame/a"),
        directory("mygame/lib/"),
    ),
    "climbing": game(file("mygame/../a")),
    "climbing, then damaged": game(file("mygame/../a"))[:-6] + b"\xff" * 6,
    "truncated": game(file("mygame/a", NOISE[:5000]))[:3000],
    "two members": game() + game(),
    "trailing": game() + b"trailing",
    "no end": gz(GAME),
    "hidden member": gz(GAME + END + file("mygame/hidden")),
    "zip": b"PK\x03\x04" + bytes(600),
    "short zip": b"PK\x03\x04" + bytes(60),
    "empty": b"",
}
LARGE = {
    "good": game(file("mygame/big", NOISE), file("mygame/after")),
    "late climbing": game(file("mygame/big", NOISE), file("mygame/../a")),
    "damaged": game(file("mygame/big", NOISE), file("mygame/../a"))[:-8] + bytes(8),
    "damaged within": game(file("mygame/big", NOISE))[:300_000] + bytes(100_000),
    "truncated": game(file("mygame/big", NOISE))[:400_000],
    "trailing": game(file("mygame/big", NOISE)) + NOISE,
    "ratio": game(file("mygame/zeros", bytes(70 * 2**20))),
}


def answer(*pieces: bytes) -> Inspection | tuple[str, str, str | None]:
    try:
        return inspect_pieces(pieces)
    except ArchiveRejected as rejection:
        return rejection.problem, rejection.remedy, rejection.member


@pytest.mark.parametrize("name", SMALL)
def test_fed_byte_by_byte_the_answer_is_the_same(name: str) -> None:
    data = SMALL[name]
    assert answer(*(data[i : i + 1] for i in range(len(data)))) == answer(data)


def test_the_samples_are_what_their_names_say() -> None:
    assert isinstance(answer(SMALL["good"]), Inspection)
    assert isinstance(answer(LARGE["good"]), Inspection)
    refused = [data for samples in (SMALL, LARGE) for name, data in samples.items() if name != "good"]
    assert all(isinstance(answer(data), tuple) for data in refused)


@pytest.mark.parametrize("name", LARGE)
@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, 1_500_000), max_size=12))
def test_cut_anywhere_the_answer_is_the_same(name: str, cuts: list[int]) -> None:
    data = LARGE[name]
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    assert answer(*(data[start:end] for start, end in pairwise(edges))) == answer(data)


@settings(max_examples=20, deadline=None)
@given(size=st.integers(1, 300_000))
def test_pieces_of_any_one_size_give_the_same_answer(size: int) -> None:
    data = LARGE["good"]
    step = max(size, 500)
    assert answer(*(data[start : start + step] for start in range(0, len(data), step))) == answer(data)


def test_memory_views_are_pieces_too() -> None:
    data = SMALL["good"]
    view = memoryview(bytearray(data))
    assert inspect_pieces([view[:700], view[700:]]) == answer(data)
