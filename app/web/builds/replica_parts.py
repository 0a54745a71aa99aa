"""The live parts of the page of one build on one server, for partners and for operators."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask import Flask

from app.catalog.release_history import newest_release
from app.data.models.game import Game
from app.fleet.replica_history import Attempt
from app.fleet.reporting.attempt_history import MAX_ATTEMPTS
from app.fleet.rollout_states import Cell
from app.web.builds import build_words
from app.web.builds.attempt_rows import attempt_rows
from app.web.builds.transfer_words import source_words
from app.web.frame.formats import Moment, Phrase, counted, format_part, format_rate, upper_first
from app.web.live.live_parts import Part, render_part

_TONES = {"failed": "bad", "retrying": "warn"}
_FETCHED_LATER = {"failed", "retrying", "queued"}


def replica_parts(app: Flask, game: Game, cell: Cell, attempts: Iterable[Attempt], retry_url: str) -> tuple[Part, ...]:
    """The state, the button that retries, the reason of a failure, the facts and the attempts. `retry_url`: what the
    button posts to while there is something to retry, or "" for readers without the button."""
    words = build_words.cell_words(cell)
    tone = _TONES.get(words.state, "")
    retry_url = retry_url if words.action else ""

    def part(part_id: str, template: str, **context: Any) -> Part:
        return render_part(app, part_id, f"builds/replica/{template}", words=words, tone=tone, **context)

    return (
        part("replica-state", "_state.html", waits_for_operator=cell.paused and cell.state in _FETCHED_LATER),
        part("replica-action", "_action.html", retry_url=retry_url),
        part("replica-reason", "_reason.html", retry_url=retry_url, paused=cell.paused),
        part("replica-facts", "_facts.html", facts=_facts(game, cell)),
        part("attempts", "_attempts.html", attempts=attempt_rows(attempts), most=MAX_ATTEMPTS),
    )


def _removal_facts(game: Game, cell: Cell) -> list[tuple[str, Phrase]]:
    """Why the server removed its copy, and who released the build that is live instead."""
    why = f"{cell.server_id}, which keeps the live build"
    if cell.keep_previous:
        why += f" and {counted(cell.keep_previous, 'build')} to roll back to, while it has room"
    facts: list[tuple[str, Phrase]] = [("Removed by", (why,))]
    release = newest_release(game)
    if release is not None:
        when = build_words.released_line(release.released_at, release.released_by)
        facts.append(("Live instead", (f"Build {release.build_number}. ", *when)))
    return facts


def _facts(game: Game, cell: Cell) -> list[tuple[str, Phrase]]:
    """(label, value) of all facts that apply."""
    facts: list[tuple[str, Phrase]] = []
    if cell.state == "removed":
        facts += _removal_facts(game, cell)
    if cell.state == "queued" and (waiting := build_words.waits_for(cell)):
        facts.append(("Waiting", (upper_first(waiting),)))
    if cell.since:
        facts.append(("State since", (Moment(cell.since, "moment"),)))
    facts.append(("Last report", (Moment(cell.reported_at, "moment"),) if cell.reported_at else ("Never",)))
    if cell.state != "removed":
        facts.append(("Received", (format_part(cell.bytes_done, cell.bytes_total),)))
    if fetched := source_words(cell.source, cell.source_build, cell.fallback):
        facts.append(("Fetched as", (fetched,)))
    if cell.kept:
        facts.append(("Kept", ("While the server has space. Releasing it again sends nothing to this server",)))
    if cell.bytes_per_second:
        facts.append(("Now", (format_rate(cell.bytes_per_second),)))
    if cell.attempt > 1 or cell.state in {"retrying", "failed"}:
        facts.append(("Attempt", (str(cell.attempt),)))
    if cell.retry_at and not cell.paused:
        facts.append(("Next try", (Moment(cell.retry_at, "until"),)))
    facts.append(("Sessions", (counted(cell.sessions, "session") if cell.sessions else "None",)))
    return facts
