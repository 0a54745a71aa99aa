"""One build on one server: the page behind a cell of the matrix."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from app.fleet.replica_history import attempts_of_build
from app.fleet.reporting.attempt_history import MAX_ATTEMPTS
from app.fleet.rollout import replica_cell
from app.fleet.rollout_states import Cell
from app.refusals import NotFound
from app.web.builds import build_words
from app.web.builds.attempt_rows import attempt_rows
from app.web.builds.transfer_words import source_words
from app.web.frame.current_user import me, my_game, require_sign_in
from app.web.frame.formats import Moment, Phrase, counted, format_rate, format_size

pages = Blueprint("replica", __name__)
pages.before_request(require_sign_in)


@pages.get("/games/<slug>/builds/<int:number>/servers/<server_id>")
def page(slug: str, number: int, server_id: str) -> ResponseReturnValue:
    """The state with its details, the attempts so far, and the button that retries."""
    game = my_game(slug)
    cell = replica_cell(game, number, server_id)
    if cell is None:
        raise NotFound(f"Build {number} of '{game.slug}' is not on {server_id}, nor on its way there.")
    return render_template(
        "builds/replica.html",
        game=game,
        number=number,
        server_id=server_id,
        words=build_words.cell_words(cell),
        facts=_facts(cell),
        attempts=attempt_rows(attempts_of_build(game.id, number, server_id)),
        max_attempts=MAX_ATTEMPTS,
        may_write=me().may_write,
    )


def _facts(cell: Cell) -> list[tuple[str, Phrase]]:
    """(label, value) of all facts that apply."""
    facts: list[tuple[str, Phrase]] = []
    if cell.state == "queued" and (waiting := build_words.waits_for(cell)):
        facts.append(("Waiting", (f"{waiting[0].upper()}{waiting[1:]}",)))
    if cell.since:
        facts.append(("State since", (Moment(cell.since, "moment"),)))
    facts.append(("Last report", (Moment(cell.reported_at, "moment"),) if cell.reported_at else ("Never",)))
    facts.append(("Bytes", (f"{format_size(cell.bytes_done)} of {format_size(cell.bytes_total)}",)))
    if fetched := source_words(cell.source, cell.source_build, cell.fallback):
        facts.append(("Fetched as", (fetched,)))
    if cell.kept:
        facts.append(("Kept", ("For rolling back; removed first when the server needs space",)))
    if cell.bytes_per_second:
        facts.append(("Now", (format_rate(cell.bytes_per_second),)))
    if cell.attempt > 1 or cell.state in {"retrying", "failed"}:
        facts.append(("Attempt", (str(cell.attempt),)))
    if cell.retry_at:
        facts.append(("Next try", (Moment(cell.retry_at, "until"),)))
    facts.append(("Sessions", (counted(cell.sessions, "session") if cell.sessions else "None",)))
    return facts
