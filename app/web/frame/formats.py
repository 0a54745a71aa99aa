"""Numbers and times for people: `7.2 GiB`, `18.4 MiB/s`, `about 4 min`, and times that the browser shows in its own
zone.

A no-break space stands before each unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from slipway.client import sizes

MAX_NAMES = 8  # of servers in one sentence
NO_BREAK_SPACE = "\u00a0"

# How the browser writes a moment; the forms are in app/static/src/js/times/time-words.js.
MomentForm = Literal["moment", "within", "brief", "made", "recent", "since", "until", "end", "coming", "day", "exact"]


@dataclass(frozen=True)
class Moment:
    """A point in time inside a phrase. One rendering serves all readers, so it is in UTC and absolute; the script
    rewrites it in the browser's zone and relative to now."""

    at: datetime
    form: MomentForm = "moment"

    @property
    def iso(self) -> str:
        """For `<time datetime>`: `2026-11-14T17:20:09Z`."""
        return self.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def plain(self) -> str:
        """The text that browsers without the script show."""
        at = self.at.astimezone(UTC)
        if self.form == "day":
            return f"{at.day} {at:%b %Y}"
        if self.form == "exact":
            return f"{at:%H:%M:%S} UTC"
        if self.form == "until":
            return f"at {at:%H:%M:%S} UTC"
        return f"{at.day} {at:%b}, {at:%H:%M} UTC"


# Text with moments in it. Templates render it with the `text` macro.
Phrase = tuple[str | Moment, ...]


@dataclass(frozen=True)
class Copyable:
    """A value with a button that copies it, such as an id. `label`: what it is, after "Copy the"."""

    copied: str
    label: str


# (label, value) of a list of facts. Templates render it with the `facts` macro.
Fact = tuple[str, str | Phrase | Copyable]


def plain_text(text: Phrase) -> str:
    """A phrase as one string, with its moments in UTC."""
    return "".join(part if isinstance(part, str) else part.plain for part in text)


def format_size(amount: int) -> str:
    """A measured amount of bytes: `0 B`, `640 MiB`, `7.2 GiB`."""
    return sizes.format_size(amount, NO_BREAK_SPACE)


def format_part(part: int, whole: int, places: int = 1) -> str:
    """A part of an amount: `1.2 of 2.0 GiB`. `places`: how many decimal places from 1 MiB on and below 100."""
    return sizes.format_part(part, whole, NO_BREAK_SPACE, places)


def format_used(used: int, limit: int) -> str:
    """How much of a limit is used: `1.2 of 2.0 GiB`, `less than 0.1 of 2.0 GiB`."""
    number, _, rest = format_part(used, limit).partition(" ")
    if used > 0 and float(number.replace(",", "")) == 0:
        return f"less than {'0.1' if '.' in number else '1'} {rest}"
    return f"{number} {rest}"


def format_limit(amount: int) -> str:
    """A limit: `20 GiB` if it is a whole number of a unit, else exact bytes."""
    return sizes.format_limit(amount, NO_BREAK_SPACE)


def format_rate(bytes_per_second: int) -> str:
    """`18.4 MiB/s`."""
    return f"{format_size(bytes_per_second)}/s"


def format_duration(seconds: float) -> str:
    """Rounded, at least 1 s: `40 s`, `2 min`, `3 h`."""
    if seconds < 59.5:
        return f"{max(1, round(seconds))}{NO_BREAK_SPACE}s"
    if seconds < 3600:
        return f"{round(seconds / 60)}{NO_BREAK_SPACE}min"
    return f"{round(seconds / 3600)}{NO_BREAK_SPACE}h"


def percent(done: int, total: int) -> int:
    """Percent, rounded down; 100 only when all bytes are done."""
    if total <= 0 or done <= 0:
        return 0
    return 100 if done >= total else min(99, done * 100 // total)


def counted(number: int, noun: str) -> str:
    """`1 session`, `11 sessions`, `1,204 files`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def upper_first(words: str) -> str:
    """As the beginning of a sentence; the other letters stay as they are."""
    return f"{words[0].upper()}{words[1:]}"


def lower_first(words: str) -> str:
    """As a part of a sentence; the other letters stay as they are."""
    return f"{words[0].lower()}{words[1:]}"


def some_names(names: Sequence[str], total: int) -> str:
    """`srv-01, srv-02, srv-03`, or `srv-01, … srv-08 and 492 more`: at most MAX_NAMES of `total`."""
    shown, more = ", ".join(names[:MAX_NAMES]), total - min(len(names), MAX_NAMES)
    return f"{shown} and {more:,} more" if more > 0 else shown
