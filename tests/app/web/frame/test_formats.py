"""Numbers and moments in people's form."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from app.web.frame import formats
from app.web.frame.formats import NO_BREAK_SPACE, Moment, MomentForm

KIB, MIB, GIB = 1024, 1024**2, 1024**3


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0 B"),
        (-5, "0 B"),
        (999, "999 B"),
        (1_000, "1 KiB"),
        (184 * KIB, "184 KiB"),
        (999 * KIB, "999 KiB"),
        (1000 * KIB, "1.0 MiB"),
        (int(99.94 * MIB), "99.9 MiB"),
        (int(99.96 * MIB), "100 MiB"),
        (640 * MIB, "640 MiB"),
        (1000 * MIB, "1.0 GiB"),
        (int(7.2 * GIB), "7.2 GiB"),
        (1600 * GIB, "1.6 TiB"),
        (2**60, "1,024 PiB"),
    ],
)
def test_size(amount: int, text: str) -> None:
    assert formats.format_size(amount) == text.replace(" ", NO_BREAK_SPACE)


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (int(1.2 * GIB), 2 * GIB, "1.2 of 2.0 GiB"),
        (91_000, 2 * GIB, "0.0 of 2.0 GiB"),
        (36 * MIB, 112 * MIB, "36 of 112 MiB"),
        (300, 54 * KIB, "0 of 54 KiB"),
        (7 * GIB, 2 * MIB, "7,168.0 of 2.0 MiB"),
        (0, 0, "0 of 0 B"),
    ],
)
def test_a_part_is_in_the_unit_of_the_whole(part: int, whole: int, text: str) -> None:
    assert formats.format_part(part, whole).replace(NO_BREAK_SPACE, " ") == text


@pytest.mark.parametrize(
    ("used", "text"), [(0, "0.0 of 2.0 GiB"), (91_000, "less than 0.1 of 2.0 GiB"), (GIB, "1.0 of 2.0 GiB")]
)
def test_a_little_of_a_limit_is_not_nothing(used: int, text: str) -> None:
    assert formats.format_used(used, 2 * GIB).replace(NO_BREAK_SPACE, " ") == text


@pytest.mark.parametrize(
    ("amount", "text"), [(20 * 1024**3, "20 GiB"), (1024**4, "1 TiB"), (1536 * 1024, "1,536 KiB"), (1000, "1,000 B")]
)
def test_a_limit_is_named_exactly(amount: int, text: str) -> None:
    assert formats.format_limit(amount) == text.replace(" ", NO_BREAK_SPACE)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "1 s"), (40, "40 s"), (59.4, "59 s"), (59.6, "1 min"), (150, "2 min"), (3599, "60 min"), (7300, "2 h")],
)
def test_duration(seconds: float, text: str) -> None:
    assert formats.format_duration(seconds) == text.replace(" ", NO_BREAK_SPACE)


@pytest.mark.parametrize(("done", "total", "value"), [(0, 0, 0), (1, 1000, 0), (999, 1000, 99), (1000, 1000, 100)])
def test_percent_is_100_only_when_all_is_there(done: int, total: int, value: int) -> None:
    assert formats.percent(done, total) == value


def test_counted() -> None:
    assert formats.counted(1, "session") == "1 session"
    assert formats.counted(1204, "file") == "1,204 files"


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("moment", "14 Nov, 17:20 UTC"),
        ("within", "14 Nov, 17:20 UTC"),
        ("brief", "14 Nov, 17:20 UTC"),
        ("since", "14 Nov, 17:20 UTC"),
        ("until", "at 17:20:09 UTC"),
        ("exact", "17:20:09 UTC"),
        ("day", "14 Nov 2026"),
    ],
)
def test_a_moment_is_written_in_utc_for_readers_without_the_script(form: MomentForm, text: str) -> None:
    at = datetime(2026, 11, 14, 18, 20, 9, tzinfo=timezone(timedelta(hours=1)))
    assert Moment(at, form).plain == text
    assert Moment(at, form).iso == "2026-11-14T17:20:09Z"


def test_the_same_moment_is_the_same_text_whenever_it_is_rendered() -> None:
    """One rendering serves everybody for as long as nothing changes, so no text may depend on the clock."""
    just_now = Moment(datetime.now(UTC))
    assert "ago" not in just_now.plain
