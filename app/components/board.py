"""The dashboard's board of components, and a preview of finalizing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from app.components.component_kinds import sides_expected
from app.components.component_views import ShownComponent, list_components
from app.components.revisions import Changes, changes, draft_of
from app.data.models.component import Revision
from app.data.models.game import Game
from app.data.text_search import contains, fold

_SECTIONS = {"deck", "bundle"}  # a die with its faces is one component among the others


@dataclass(frozen=True)
class Section:
    """The components of one deck or bundle, in order. `parent` None: components without a parent."""

    parent: ShownComponent | None
    components: Sequence[ShownComponent]


@dataclass(frozen=True)
class Problem:
    """A component that looks unfinished: a side is `missing`, or an image is `pending` or `failed`."""

    component_id: str
    what: str
    side: str


@dataclass(frozen=True)
class Board:
    """`inside`: the faces of each die, by its id. `kinds`: how many of each kind, without the filter."""

    number: int
    sections: Sequence[Section]
    inside: dict[str, list[ShownComponent]]
    kinds: Counter[str]
    problems: Sequence[Problem]


@dataclass(frozen=True)
class FreezeSummary:
    """What finalizing the draft would freeze: components by kind, and distinct images with their bytes."""

    number: int
    kinds: Counter[str]
    images: int
    image_bytes: int
    changes: Changes
    problems: Sequence[Problem]

    @property
    def components(self) -> int:
        return self.kinds.total()


@dataclass(frozen=True)
class BoardFilter:
    """The board's filters. `kinds`: components of these kinds, or with a parent of them; `problem`: with a problem of
    that kind; `sort`: name, changed (newest first), or "" for the order in which they were first sent."""

    text: str | None = None
    kinds: frozenset[str] = frozenset()
    problem: str | None = None
    sort: str = ""


def board(game: Game, revision: Revision | None, wanted: BoardFilter = BoardFilter()) -> Board:
    """The components of a revision (None: an empty draft) by parent. A parent is included if it or one of its
    components matches."""
    everything = list_components(revision).components
    found = problems(everything)
    faulty = {one.component_id for one in found if one.what == wanted.problem}
    inside: dict[str, list[ShownComponent]] = {}
    shown_ids = {one.id for one in everything if _matches(one, wanted, faulty)}
    ordered = _sorted(everything, wanted.sort)
    for one in ordered:
        if one.parent_id and one.id in shown_ids:
            inside.setdefault(one.parent_id, []).append(one)
    shown = [one for one in ordered if one.id in inside or one.id in shown_ids]
    sections = [Section(one, inside.pop(one.id, [])) for one in shown if one.kind in _SECTIONS]
    loose = [one for one in shown if one.parent_id is None and one.kind not in _SECTIONS]
    if loose:
        sections.append(Section(None, loose))
    kinds = Counter(one.kind for one in everything)
    return Board(revision.number if revision else 1, sections, inside, kinds, found)


def _sorted(components: Sequence[ShownComponent], sort: str) -> Sequence[ShownComponent]:
    if sort == "name":
        return sorted(components, key=lambda one: (fold(one.name), one.external_key))
    if sort == "changed":
        return sorted(components, key=lambda one: one.updated_at, reverse=True)
    return components


def problems(components: Sequence[ShownComponent]) -> list[Problem]:
    """The unfinished components, in their order."""
    found: list[Problem] = []
    for one in components:
        expected = sides_expected(one.kind, one.parent_kind) if one.faces else ()
        found += [Problem(one.id, "missing", side) for side in expected if side not in one.faces]
        found += [
            Problem(one.id, image.derivation, side) for side, image in one.faces.items() if image.derivation != "ready"
        ]
    return found


def freeze_summary(game: Game) -> FreezeSummary:
    """What `revisions.finalize` would freeze now."""
    draft = draft_of(game.id)
    components = list_components(draft).components
    images = {image.key: image.byte_size for one in components for image in one.faces.values()}
    return FreezeSummary(
        number=draft.number if draft else 1,
        kinds=Counter(one.kind for one in components),
        images=len(images),
        image_bytes=sum(images.values()),
        changes=changes(game.id),
        problems=problems(components),
    )


def _matches(one: ShownComponent, wanted: BoardFilter, faulty: set[str]) -> bool:
    if wanted.text and not contains(wanted.text, (one.name, one.external_key)):
        return False
    if wanted.kinds and not wanted.kinds & {one.kind, one.parent_kind}:
        return False
    return wanted.problem is None or one.id in faulty
