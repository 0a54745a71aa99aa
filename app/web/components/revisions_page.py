"""A game's revisions: the list, the changes in the draft, and finalizing the draft."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from app.components.board import FreezeSummary, freeze_summary
from app.components.revisions import Changes, RevisionSummary, changes, finalize, list_revisions
from app.data.models.game import Game
from app.images.asset_refusals import RevisionFinalized
from app.web.components.board_view import changes_words
from app.web.components.component_words import counted_kind, kind_name
from app.web.frame.current_user import me, my_actor, my_game, require_sign_in, require_write
from app.web.frame.dialogs import in_dialog
from app.web.frame.formats import Moment, Phrase, counted, format_size
from app.web.games.game_header import header_context

pages = Blueprint("revisions", __name__)
pages.before_request(require_sign_in)

MAX_NAMED_CHANGES = 50  # per group in the list of changes


@pages.get("/games/<slug>/revisions")
def page(slug: str) -> ResponseReturnValue:
    """All revisions, newest first."""
    game = my_game(slug)
    lines = [_line(slug, one) for one in list_revisions(game)]
    return render_template("components/revisions.html", lines=lines, may_write=me().may_write, **header_context(game))


@pages.get("/games/<slug>/revisions/draft/changes")
def draft_changes(slug: str) -> ResponseReturnValue:
    """The differences between the draft and the newest finalized revision."""
    game = my_game(slug)
    found = changes(game.id)
    return _ask("components/changes.html", game, groups=_groups(found), since=found.since)


@pages.get("/games/<slug>/revisions/<int:number>/finalization")
def ask(slug: str, number: int) -> ResponseReturnValue:
    """The question before the draft is finalized."""
    game = my_game(slug)
    require_write("Finalizing")
    summary = freeze_summary(game)
    if summary.number != number:
        flash(f"The draft is revision {summary.number}")
        return redirect(url_for("components.page", slug=slug), 303)
    if not summary.changes.count:
        flash("Nothing has changed, so there is nothing to finalize")
        return redirect(url_for("components.page", slug=slug), 303)
    return _ask("components/finalize.html", game, number=number, facts=_facts(summary), warnings=_warnings(summary))


@pages.post("/games/<slug>/revisions/<int:number>/finalization")
def make_final(slug: str, number: int) -> ResponseReturnValue:
    """Finalize the draft and open the next one."""
    game = my_game(slug)
    require_write("Finalizing")
    try:
        finalize(game, number, my_actor())
    except RevisionFinalized as refusal:
        flash(refusal.message)
    else:
        flash(f"Revision {number} is finalized. The draft is revision {number + 1}")
    return redirect(url_for("components.page", slug=slug), 303)


def _ask(template: str, game: Game, **context: Any) -> str:
    shown = {"slug": game.slug, "back": url_for("components.page", slug=game.slug), **context}
    if in_dialog():
        return render_template(template, layout="images/in_dialog.html", **shown)
    return render_template(template, layout="components/in_page.html", **shown, **header_context(game))


def _line(slug: str, one: RevisionSummary) -> dict[str, Any]:
    draft = one.state == "draft"
    when: Phrase = ("Draft, started ", Moment(one.created_at, "day")) if draft else ()
    if one.finalized_at:
        when = ("Finalized ", Moment(one.finalized_at), f" by {one.finalized_by}")
    url = url_for("components.page", slug=slug, revision=None if draft else one.number)
    count = f"{one.component_count:,}"
    return {"number": one.number, "draft": draft, "when": when, "components": count, "url": url}


def _groups(found: Changes) -> list[tuple[str, list[tuple[str, str]], int]]:
    """(label, (name, kind and key) of the first changes, number of further changes)."""
    groups = []
    for label, refs in (("Added", found.added), ("Changed", found.changed), ("Removed", found.removed)):
        if refs:
            named = [(ref.name, f"{kind_name(ref.kind)} {ref.external_key}") for ref in refs[:MAX_NAMED_CHANGES]]
            groups.append((label, named, len(refs) - len(named)))
    return groups


def _facts(summary: FreezeSummary) -> list[tuple[str, str]]:
    kinds = ", ".join(counted_kind(count, kind) for kind, count in summary.kinds.most_common())
    since = summary.changes
    return [
        ("Components", f"{summary.components:,}" + (f": {kinds}" if kinds else "")),
        ("Images", f"{counted(summary.images, 'image')}, {format_size(summary.image_bytes)}"),
        ("Changes", changes_words(since) if since.since is not None else "All: this is the first revision"),
    ]


def _warnings(summary: FreezeSummary) -> list[str]:
    """The problems that finalizing would make permanent."""
    names = {
        "missing": "{} without an image",
        "pending": "{} with sizes still being made; they are added automatically",
        "failed": "{} with an image of which no sizes can be made",
    }
    counts = {what: sum(problem.what == what for problem in summary.problems) for what in names}
    return [names[what].format(counted(count, "side")) for what, count in counts.items() if count]
