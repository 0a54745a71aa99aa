"""One build on one server: the page behind a cell of the matrix. Live."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from flask import Blueprint, Flask, render_template
from flask.typing import ResponseReturnValue

from app.catalog.game_lookup import game_with_live_build
from app.catalog.release_history import newest_release
from app.data.models.base import now
from app.data.models.game import Game
from app.fleet.replica_history import attempts_of_build
from app.fleet.reporting.attempt_history import MAX_ATTEMPTS
from app.fleet.rollout import replica_cell
from app.fleet.rollout_states import Cell
from app.topics.names import game_topic
from app.web.builds import build_words
from app.web.builds.attempt_rows import attempt_rows
from app.web.builds.transfer_words import source_words
from app.web.frame.current_user import me, my_game, require_sign_in
from app.web.frame.formats import Moment, Phrase, counted, format_part, format_rate
from app.web.live.live_parts import RenderedParts, render_part
from app.web.live.streams import add_live_views, current_parts
from app.web.servers.server_words import next_change_at

pages = Blueprint("replica", __name__)
pages.before_request(require_sign_in)

_TONES = {"failed": "bad", "retrying": "warn"}


@dataclass(frozen=True)
class ReplicaSubject:
    """The live parts of the page, for members that may retry a build or not."""

    game_id: str
    number: int
    server_id: str
    may_write: bool

    @property
    def topic(self) -> str:
        return game_topic(self.game_id)

    @property
    def gone(self) -> str:
        return f"Build {self.number} is not on {self.server_id}, nor on its way there."

    def render(self, app: Flask, version: int) -> RenderedParts | None:
        at, game = now(), game_with_live_build(self.game_id)
        cell = replica_cell(game, self.number, self.server_id) if game else None
        if game is None or cell is None:
            return None
        words = build_words.cell_words(cell)
        address = f"/games/{quote(game.slug)}/builds/{self.number}/servers/{self.server_id}"
        tone = _TONES.get(words.state, "")
        retry_url = f"{address}/retries" if words.action and self.may_write else ""
        attempts = attempt_rows(attempts_of_build(game.id, self.number, self.server_id))
        return RenderedParts(
            title=f"{words.word}: build {self.number} on {self.server_id} · Slipway",
            parts=(
                render_part(app, "replica-state", "builds/replica/_state.html", words=words, tone=tone),
                render_part(app, "replica-action", "builds/replica/_action.html", retry_url=retry_url),
                render_part(
                    app, "replica-reason", "builds/replica/_reason.html", words=words, tone=tone, retry_url=retry_url
                ),
                render_part(app, "replica-facts", "builds/replica/_facts.html", facts=_facts(game, cell)),
                render_part(app, "attempts", "builds/replica/_attempts.html", attempts=attempts, most=MAX_ATTEMPTS),
            ),
            rows=(),
            version=version,
            changes_at=next_change_at((cell.reported_at,), at),
        )


@pages.get("/games/<slug>/builds/<int:number>/servers/<server_id>")
def page(slug: str, number: int, server_id: str) -> ResponseReturnValue:
    """The state with its details, the attempts so far, and the button that retries."""
    game, subject = my_game(slug), _subject(slug, number, server_id)
    return render_template(
        "builds/replica/page.html",
        game=game,
        number=number,
        server_id=server_id,
        live=current_parts(subject),
        made_at=Moment(now()),
    )


def _subject(slug: str, number: int, server_id: str) -> ReplicaSubject:
    return ReplicaSubject(my_game(slug).id, number, server_id, me().may_write)


add_live_views(pages, "/games/<slug>/builds/<int:number>/servers/<server_id>", _subject)


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
        facts.append(("Waiting", (f"{waiting[0].upper()}{waiting[1:]}",)))
    if cell.since:
        facts.append(("State since", (Moment(cell.since, "moment"),)))
    facts.append(("Last report", (Moment(cell.reported_at, "moment"),) if cell.reported_at else ("Never",)))
    if cell.state != "removed":
        facts.append(("Received", (format_part(cell.bytes_done, cell.bytes_total),)))
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
