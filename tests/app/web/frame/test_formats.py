"""Numbers and moments in people's form."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from app.web.frame import formats
from app.web.frame.formats import NO_BREAK_SPACE, Moment, MomentForm


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "0 B"),
        (-5, "0 B"),
        (999, "999 B"),
        (1_000, "1 kB"),
        (184_000, "184 kB"),
        (999_999, "1.0 MB"),
        (1_400_000, "1.4 MB"),
        (99_940_000, "99.9 MB"),
        (99_960_000, "100 MB"),
        (640_000_000, "640 MB"),
        (999_600_000, "1.0 GB"),
        (7_200_000_000, "7.2 GB"),
        (1_590_000_000_000, "1.6 TB"),
        (10**18, "1,000 PB"),
    ],
)
def test_size(amount: int, text: str) -> None:
    assert formats.format_size(amount) == text.replace(" ", NO_BREAK_SPACE)


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
