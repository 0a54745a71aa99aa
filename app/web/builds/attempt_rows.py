"""The attempts to fetch a build, as rows of a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.fleet.replica_history import Attempt
from app.web.builds.transfer_words import source_words
from app.web.frame.formats import Moment, format_duration, format_rate, format_size

# outcome -> (icon, word)
_OUTCOMES = {
    "running": ("downloading", "Under way"),
    "cached": ("cached", "Cached"),
    "failed": ("failed", "Failed"),
    "stopped": ("stopped", "Stopped"),
}


@dataclass(frozen=True)
class AttemptRow:
    """One attempt. Texts are empty if the value is not known."""

    number: int
    began: Moment
    icon: str
    word: str
    reason: str
    source: str
    fetched: str
    rate: str
    duration: str


def attempt_rows(attempts: Iterable[Attempt]) -> list[AttemptRow]:
    """One row per attempt, in the given order."""
    return [_row(attempt) for attempt in attempts]


def _row(attempt: Attempt) -> AttemptRow:
    icon, word = _OUTCOMES[attempt.outcome]
    reason = attempt.reason or ""
    took = (attempt.ended_at - attempt.began_at).total_seconds() if attempt.ended_at else 0
    return AttemptRow(
        number=attempt.number,
        began=Moment(attempt.began_at, "moment"),
        icon=icon,
        word=word,
        reason=f"{reason[:1].upper()}{reason[1:]}",
        source=source_words(attempt.source, attempt.source_build, None),
        fetched=format_size(attempt.bytes_fetched) if attempt.bytes_fetched is not None else "",
        rate=format_rate(attempt.bytes_per_second) if attempt.bytes_per_second else "",
        duration=format_duration(took) if took else "",
    )
