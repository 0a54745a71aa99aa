"""The files that a build adds, removes and changes, against the live build or any other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from app.catalog.build_list import find_build
from app.data.models.game import Build, Game
from app.packing.build_changes import INDEX_PREPARING, ListedChanges, default_other, list_changes, other_numbers
from app.packing.change_table import ChangeFilter
from app.process.metrics import count_refusal
from app.refusals import Conflict, InvalidRequest, Unavailable
from app.web.frame.current_user import my_game, require_sign_in
from app.web.frame.formats import counted, format_size
from app.web.frame.query_parameters import query_number
from app.web.games.game_header import header_context
from app.web.lists.filter_links import FilterLink
from slipway.packs.comparing import Change, ChangeKind

pages = Blueprint("build_changes", __name__)
pages.before_request(require_sign_in)

CHANGES_PER_PAGE = 200
CHANGES_ON_BUILD_PAGE = 8
MAX_CHOICES = 200  # builds to compare with
MAX_TEXT_LENGTH = 1024
KINDS = {"": "All", "changed": "Changed", "added": "Added", "removed": "Removed"}
_WORDS = {ChangeKind.ADDED: "Added", ChangeKind.REMOVED: "Removed", ChangeKind.CHANGED: "Changed"}


@dataclass(frozen=True)
class ChangeLine:
    """One file. "" for a size that does not exist. `new`: how much of its content is new."""

    path: str
    kind: str
    word: str
    before: str
    after: str
    new: str


@dataclass(frozen=True)
class ChangesView:
    """A page of changes. `problem`: why the two builds cannot be compared now, or "". `preparing`: they soon can."""

    number: int
    against: int | None
    lines: Sequence[ChangeLine] = ()
    summary: str = ""
    segments: Sequence[FilterLink] = ()
    more: str = ""
    problem: str = ""
    preparing: bool = False


@pages.get("/games/<slug>/builds/<int:number>/changes")
def page(slug: str, number: int) -> ResponseReturnValue:
    """One page of changes, largest first."""
    game = my_game(slug)
    build = find_build(game, str(number))
    against = _requested_other(game, build)
    kind, text = request.args.get("kind", ""), request.args.get("q", "").strip()[:MAX_TEXT_LENGTH]
    if kind not in KINDS:
        raise InvalidRequest("kind is one of changed, added and removed. Remove it from the address to see all.")
    choices = other_numbers(game, build, MAX_CHOICES, against)
    view = _view(game, build, against, kind, text, CHANGES_PER_PAGE)
    return render_template(
        "builds/changes.html", view=view, choices=choices, text=text, kind=kind, **header_context(game)
    )


@pages.get("/games/<slug>/builds/<int:number>/changes/largest")
def largest(slug: str, number: int) -> ResponseReturnValue:
    """The largest changes, for the build's own page and for the question before a release."""
    game = my_game(slug)
    build = find_build(game, str(number))
    view = _view(game, build, _requested_other(game, build), "", "", CHANGES_ON_BUILD_PAGE)
    return render_template("builds/_largest_changes.html", view=view, slug=slug)


def _requested_other(game: Game, build: Build) -> int | None:
    """The number of the build in the address, or of the one that is compared with by default. None if there is none."""
    if against := query_number("against"):
        return against
    other = default_other(game, build)
    return other.number if other else None


def _view(game: Game, build: Build, against: int | None, kind: str, text: str, limit: int) -> ChangesView:
    if against is None:
        return ChangesView(build.number, None, problem="There is no other build to compare with.")
    number, slug = build.number, game.slug
    chosen = ChangeFilter(ChangeKind(kind) if kind else None, text)
    try:
        found = list_changes(game, build, against, chosen, limit, request.args.get("after"))
    except (Conflict, Unavailable) as refusal:
        count_refusal(refusal.code)
        return ChangesView(number, against, problem=refusal.message, preparing=refusal.code == INDEX_PREPARING)
    query: dict[str, Any] = {"slug": slug, "number": number, "against": against}
    query |= {"q": text or None, "kind": kind or None}
    return ChangesView(
        number,
        against,
        [_line(change) for change in found.page.changes],
        _summary(found),
        [_segment(found, name, query) for name in KINDS],
        url_for("build_changes.page", **query, after=found.next_cursor) if found.next_cursor else "",
    )


def _segment(found: ListedChanges, kind: str, query: dict[str, Any]) -> FilterLink:
    count = found.counts[ChangeKind(kind)] if kind else sum(found.counts.values())
    url = url_for("build_changes.page", **(query | {"kind": kind or None}))
    return FilterLink(KINDS[kind], count, url, (query["kind"] or "") == kind)


def _summary(found: ListedChanges) -> str:
    """`3 files differ, with 54 KiB of new content, unpacked`."""
    table = found.compared.table
    if not len(table):
        return "All files are the same"
    differ = "differs" if len(table) == 1 else "differ"
    return f"{counted(len(table), 'file')} {differ}, with {format_size(table.new_bytes)} of new content, unpacked"


def _line(change: Change) -> ChangeLine:
    return ChangeLine(
        path=change.path,
        kind=change.kind.value,
        word=_WORDS[change.kind],
        before="" if change.old_size is None else format_size(change.old_size),
        after="" if change.new_size is None else format_size(change.new_size),
        new="" if change.new_size is None else format_size(change.new_bytes),
    )
