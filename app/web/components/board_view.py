"""The live parts of the components page: the revision, the filters, and cards grouped by parent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from flask import Flask

from app.components.board import Board, BoardFilter, Section, board
from app.components.component_views import ShownComponent
from app.components.revisions import Changes, changes, draft_of, list_revisions, revision_of
from app.data.extensions import db
from app.data.models.game import Game
from app.topics.names import assets_topic
from app.web.components.component_cards import Card, CardBuilder
from app.web.components.component_words import counted_kind, kind_name, millimetres
from app.web.frame.filter_links import FilterLink
from app.web.frame.formats import Moment, Phrase, counted
from app.web.live.live_parts import Part, RenderedParts, render_part

# Cards shown per section on the board. The pages of one section show all.
CARDS_PER_DECK = 5
CARDS_OUTSIDE_DECKS = 40
SECTIONS_PER_PAGE = 10
CARDS_PER_PAGE = 50  # on the page of one section
SORTS = {"": "In the order sent", "name": "By name", "changed": "Changed last"}
KIND_FILTERS: dict[str, tuple[str, frozenset[str]]] = {
    "": ("All", frozenset()),
    "decks": ("Decks", frozenset({"deck", "bundle"})),
    "boards": ("Boards", frozenset({"board"})),
    "dice": ("Dice", frozenset({"die"})),
    "tokens": ("Tokens", frozenset({"tokenSprite", "tokenModel"})),
    "other": ("Other", frozenset({"tile", "container", "counter"})),
}
PROBLEMS = {"": "Any problem", "missing": "A side is missing", "pending": "Sizes are being made", "failed": "No sizes"}


@dataclass(frozen=True)
class SectionView:
    """The cards of one deck, or those in no deck. `all_url`: the page with all cards, or "" if all are shown."""

    id: str
    name: str
    url: str
    note: str
    key: str
    cards: Sequence[Card]
    total: int
    all_url: str
    adds: str


@dataclass(frozen=True)
class RevisionBar:
    """The shown revision. `state`: draft or finalized."""

    number: int
    state: str
    words: Phrase
    changed: bool
    note: Phrase


@dataclass(frozen=True)
class BoardSubject:
    """A revision's components (0: the draft), filtered by the query of the address. `inside`: show only this section,
    with all its cards; the id of its parent, or `none` for cards in no deck. `page`: of sections, or of the cards of
    this one."""

    game_id: str
    may_write: bool
    number: int = 0
    text: str = ""
    kind: str = ""
    problem: str = ""
    inside: str = ""
    sort: str = ""
    page: int = 1

    @property
    def topic(self) -> str:
        return assets_topic(self.game_id)

    def query(self) -> dict[str, str]:
        """The query of the address, without empty values."""
        number = str(self.number) if self.number else ""
        page = str(self.page) if self.page > 1 else ""
        found = {"revision": number, "kind": self.kind, "q": self.text, "problem": self.problem, "in": self.inside}
        found |= {"sort": self.sort, "page": page}
        return {name: value for name, value in found.items() if value}

    def url(self, slug: str, **changed: Any) -> str:
        """The address of the page with other filters."""
        query = urlencode(replace(self, **changed).query())
        return f"/games/{slug}/components{'?' if query else ''}{query}"

    def render(self, app: Flask, version: int) -> RenderedParts | None:
        game = db.session.get(Game, self.game_id)
        if game is None or game.deleted_at is not None:
            return None
        revision = revision_of(game.id, self.number or None)
        draft = revision is None or revision.state == "draft"
        wanted = BoardFilter(self.text or None, KIND_FILTERS[self.kind][1], self.problem or None, self.sort)
        found = board(game, revision, wanted)
        since = changes(game.id) if draft else None
        cards = CardBuilder(game.slug, found, since, urlencode(self.query()))
        sections = self._wanted_sections(found)
        places = _on_page(1 if self.inside else self.page, SECTIONS_PER_PAGE)
        shown = [self._section(game.slug, one, cards) for one in sections[places]]
        total = len(sections[0].components) if self.inside and sections else len(sections)
        links = self._page_links(game.slug, total)
        writes = self.may_write and draft
        rows = tuple(
            render_part(app, f"in-{one.id}", "components/_section.html", section=one, may_write=writes) for one in shown
        )
        return RenderedParts(
            title=f"Components: {game.title} · Slipway",
            parts=(
                self._bar_part(app, game, since),
                render_part(
                    app, "board-segments", "components/_segments.html", segments=self._segments(game.slug, found)
                ),
                render_part(
                    app, "board", "components/_board.html", rows=rows, filters=self, slug=game.slug, pages=links
                ),
            ),
            rows=rows,
            version=version,
        )

    def _wanted_sections(self, found: Board) -> Sequence[Section]:
        if not self.inside:
            return found.sections
        return [one for one in found.sections if self.inside == (one.parent.id if one.parent else "none")]

    def _page_links(self, slug: str, total: int) -> dict[str, str]:
        """The addresses of the pages beside this one, or ""."""
        per_page = CARDS_PER_PAGE if self.inside else SECTIONS_PER_PAGE
        return {
            "previous": self.url(slug, page=self.page - 1) if self.page > 1 else "",
            "next": self.url(slug, page=self.page + 1) if self.page * per_page < total else "",
        }

    def _bar_part(self, app: Flask, game: Game, since: Changes | None) -> Part:
        bar = draft_bar(game, since) if since else finalized_bar(game, self.number)
        return render_part(
            app, "revision-bar", "components/_bar.html", bar=bar, slug=game.slug, may_write=self.may_write,
            revisions=[(one.number, one.state) for one in list_revisions(game)[:6]],
        )  # fmt: skip

    def _segments(self, slug: str, found: Board) -> list[FilterLink]:
        segments = []
        for key, (label, kinds) in KIND_FILTERS.items():
            count = sum(found.kinds[kind] for kind in kinds) if kinds else found.kinds.total()
            if count or not key or key == self.kind:
                segments.append(FilterLink(label, count, self.url(slug, kind=key, inside="", page=1), key == self.kind))
        return segments

    def _section(self, slug: str, section: Section, cards: CardBuilder) -> SectionView:
        parent, total = section.parent, len(section.components)
        max_cards = CARDS_PER_DECK if parent else CARDS_OUTSIDE_DECKS
        places = _on_page(self.page, CARDS_PER_PAGE) if self.inside else slice(max_cards)
        place = parent.id if parent else "none"
        return SectionView(
            id=place,
            name=parent.name if parent else "Not in a deck",
            url=cards.url(parent) if parent else "",
            note=_note(parent, section.components),
            key=parent.external_key if parent else "",
            cards=[cards.card(one, alone=parent is None) for one in section.components[places]],
            total=total,
            all_url=self.url(slug, inside=place, page=1) if total > max_cards and not self.inside else "",
            adds=f"/games/{slug}/components/new" + (f"?parent={parent.external_key}" if parent else ""),
        )


def _on_page(page: int, per_page: int) -> slice:
    return slice((page - 1) * per_page, page * per_page)


def _note(parent: ShownComponent | None, inside: Sequence[ShownComponent]) -> str:
    """`Deck · 42 cards · 63.5 × 88.9 mm`, or the kinds of components in no deck: `Boards, dice, tokens`."""
    if parent is None:
        names = dict.fromkeys(counted_kind(2, one.kind).partition(" ")[2] for one in inside)
        return ", ".join(names).capitalize()
    kinds = {one.kind for one in inside}
    facts = [kind_name(parent.kind), counted_kind(len(inside), kinds.pop() if len(kinds) == 1 else None)]
    sizes = {millimetres(one) for one in inside}
    if len(sizes) == 1:
        facts += [size for size in sizes if size]
    return " · ".join(facts)


def draft_bar(game: Game, since: Changes) -> RevisionBar:
    """The changes since the newest finalized revision, and what finalizing does."""
    draft = draft_of(game.id)
    number = draft.number if draft else 1
    note: list[str | Moment] = [
        f"A finalized revision cannot be changed. Finalizing opens revision {number + 1} as a copy with the same "
        "component ids."
    ]
    if since.since is None:
        words = counted(len(since.added), "component") + ", none finalized yet"
        return RevisionBar(number, "draft", (words,), bool(since.added), tuple(note))
    last = next(one for one in list_revisions(game) if one.number == since.since)
    if last.finalized_at:
        note += [
            f" Revision {last.number} was finalized ",
            Moment(last.finalized_at, "day"),
            f" by {last.finalized_by}.",
        ]
    return RevisionBar(number, "draft", (changes_words(since),), since.count > 0, tuple(note))


def finalized_bar(game: Game, number: int) -> RevisionBar:
    """When a revision was finalized, and by whom."""
    revision = revision_of(game.id, number)
    if revision is None or revision.finalized_at is None:
        return RevisionBar(number, "draft", (), changed=False, note=())
    words = ("Finalized ", Moment(revision.finalized_at, "day"), f" by {revision.finalized_by}")
    return RevisionBar(
        number, "finalized", words, changed=False, note=("It cannot be changed. Make changes in the draft.",)
    )


def changes_words(since: Changes) -> str:
    """`6 changes since revision 3: 3 added, 2 changed, 1 removed`."""
    if not since.count:
        return f"No changes since revision {since.since}"
    counts = {"added": since.added, "changed": since.changed, "removed": since.removed}
    parts = [f"{len(refs)} {what}" for what, refs in counts.items() if refs]
    return f"{counted(since.count, 'change')} since revision {since.since}: {', '.join(parts)}"
