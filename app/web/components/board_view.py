"""The live parts of the components page: the revision, the filters, and cards grouped by parent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urlencode

from flask import Flask

from app.components.board import Board, BoardFilter, Section, board
from app.components.component_views import ShownComponent
from app.components.revisions import Changes, changes, draft_of, list_revisions, revision_of
from app.data.extensions import db
from app.data.models.game import Game
from app.images.gallery import asset_counts
from app.topics.names import assets_topic
from app.web.components.board_filters import KIND_FILTERS, PROBLEMS
from app.web.components.component_cards import Card, CardBuilder
from app.web.components.component_words import counted_kind, kind_name, millimetres
from app.web.frame.formats import Moment, Phrase, counted
from app.web.images.tab_counts import tab_counts
from app.web.lists.filter_links import FilterLink
from app.web.lists.list_address import ActiveFilter, ListAddress, quoted
from app.web.live.live_parts import GAME_GONE, Part, RenderedParts, render_part

# Cards shown per section on the board. The pages of one section show all.
CARDS_PER_DECK = 5
CARDS_OUTSIDE_DECKS = 40
SECTIONS_PER_PAGE = 10
CARDS_PER_PAGE = 50  # on the page of one section


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
    """The components of a revision at an address."""

    gone: ClassVar[str] = GAME_GONE

    game_id: str
    may_write: bool
    address: ListAddress

    @property
    def topic(self) -> str:
        return assets_topic(self.game_id)

    @property
    def number(self) -> int:
        """The number of the revision, 0 for the draft."""
        return int(self.address.value("revision") or 0)

    @property
    def inside(self) -> str:
        """Show only this section, with all its cards: the id of its parent, or `none` for cards in no deck. Pages are
        those of its cards then, else of sections."""
        return self.address.value("in")

    @property
    def filters(self) -> list[ActiveFilter]:
        """The filters in use."""
        kind, problem = self.address.value("kind"), self.address.value("problem")
        return self.address.active_filters(
            q=quoted(self.address.value("q")),
            kind=KIND_FILTERS[kind][0] if kind else "",
            problem=PROBLEMS[problem] if problem else "",
        )

    def render(self, app: Flask, version: int) -> RenderedParts | None:
        game = db.session.get(Game, self.game_id)
        if game is None or game.deleted_at is not None:
            return None
        revision = revision_of(game.id, self.number or None)
        draft = revision is None or revision.state == "draft"
        value = self.address.value
        wanted = BoardFilter(
            value("q") or None, KIND_FILTERS[value("kind")][1], value("problem") or None, value("sort")
        )
        found = board(game, revision, wanted)
        since, in_all = changes(game.id) if draft else None, asset_counts(game.id)
        cards = CardBuilder(game.slug, found, since, urlencode(self.address.values))
        sections = self._wanted_sections(found)
        places = _on_page(1 if self.inside else self.address.page, SECTIONS_PER_PAGE)
        shown = [self._section(game.slug, one, cards) for one in sections[places]]
        total = len(sections[0].components) if self.inside and sections else len(sections)
        links = self._page_links(total)
        writes = self.may_write and draft
        rows = tuple(
            render_part(app, f"in-{one.id}", "components/_section.html", section=one, may_write=writes) for one in shown
        )
        return RenderedParts(
            title=f"Components: {game.title} · Slipway",
            parts=(
                *tab_counts(app, in_all.images, in_all.components),
                self._bar_part(app, game, since),
                render_part(app, "board-segments", "components/_segments.html", segments=self._segments(found)),
                render_part(
                    app,
                    "board",
                    "components/_board.html",
                    rows=rows,
                    filters=self.filters,
                    address=self.address,
                    pages=links,
                ),
            ),
            rows=rows,
            version=version,
        )

    def _wanted_sections(self, found: Board) -> Sequence[Section]:
        if not self.inside:
            return found.sections
        return [one for one in found.sections if self.inside == (one.parent.id if one.parent else "none")]

    def _page_links(self, total: int) -> dict[str, str]:
        """The addresses of the pages beside this one, or ""."""
        page, per_page = self.address.page, CARDS_PER_PAGE if self.inside else SECTIONS_PER_PAGE
        return {
            "previous": self.address.numbered_page(page - 1).url() if page > 1 else "",
            "next": self.address.numbered_page(page + 1).url() if page * per_page < total else "",
        }

    def _bar_part(self, app: Flask, game: Game, since: Changes | None) -> Part:
        bar = draft_bar(game, since) if since else finalized_bar(game, self.number)
        return render_part(
            app, "revision-bar", "components/_bar.html", bar=bar, slug=game.slug, may_write=self.may_write,
            revisions=[(one.number, one.state) for one in list_revisions(game)[:6]],
        )  # fmt: skip

    def _segments(self, found: Board) -> list[FilterLink]:
        counts = {
            key: sum(found.kinds[kind] for kind in kinds) if kinds else found.kinds.total()
            for key, (_, kinds) in KIND_FILTERS.items()
        }
        shown = {
            key: label
            for key, (label, _) in KIND_FILTERS.items()
            if counts[key] or key in ("", self.address.value("kind"))
        }
        return self._outside().links("kind", shown, counts)

    def _outside(self) -> ListAddress:
        """The address of all sections."""
        return self.address.first_page(**{"in": None})

    def _section(self, slug: str, section: Section, cards: CardBuilder) -> SectionView:
        parent, total = section.parent, len(section.components)
        max_cards = CARDS_PER_DECK if parent else CARDS_OUTSIDE_DECKS
        places = _on_page(self.address.page, CARDS_PER_PAGE) if self.inside else slice(max_cards)
        place = parent.id if parent else "none"
        return SectionView(
            id=place,
            name=parent.name if parent else "Not in a deck",
            url=cards.url(parent) if parent else "",
            note=_note(parent, section.components),
            key=parent.external_key if parent else "",
            cards=[cards.card(one, alone=parent is None) for one in section.components[places]],
            total=total,
            all_url=self.address.first_page(**{"in": place}).url() if total > max_cards and not self.inside else "",
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
