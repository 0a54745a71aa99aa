"""Components as cards: their faces side by side in true proportion, their keys, and what is unfinished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.components.board import Board, Problem
from app.components.component_views import ShownComponent
from app.components.revisions import Changes
from app.images.shown_images import ShownImage
from app.web.components.component_words import kind_name, millimetres
from app.web.frame.formats import counted
from app.web.frame.image_tags import Picture, fit_in_row, picture

CARD_BOX = (176.0, 104.0)
_FIRST = {"front": 0, "back": 1}
_MAX_FACES = 4


@dataclass(frozen=True)
class Face:
    """One side. `picture`: None if the side has no image or the image cannot be shown; `word` then gives the reason."""

    side: str
    width: int
    height: int
    picture: Picture | None
    word: str


@dataclass(frozen=True)
class Flag:
    """A line about what is unfinished. `tone`: warn, bad or quiet."""

    icon: str
    text: str
    tone: str


@dataclass(frozen=True)
class Card:
    id: str
    url: str
    name: str
    key: str
    facts: str
    faces: Sequence[Face]
    flag: Flag | None
    badge: str
    wide: bool


class CardBuilder:
    """Builds the cards of one board. `query`: the revision and the filters, which a card's page returns to."""

    def __init__(self, slug: str, found: Board, since: Changes | None, query: str) -> None:
        self._slug, self._board, self._query = slug, found, query
        compared = since if since and since.since is not None else None
        self._added = {ref.id for ref in compared.added} if compared else set()
        self._changed = {ref.id for ref in compared.changed} if compared else set()
        self._problems: dict[str, list[Problem]] = {}
        for problem in found.problems:
            self._problems.setdefault(problem.component_id, []).append(problem)

    def url(self, component: ShownComponent) -> str:
        return f"/games/{self._slug}/components/{component.id}{'?' if self._query else ''}{self._query}"

    def card(self, component: ShownComponent, *, alone: bool) -> Card:
        """`alone`: the component is in no deck, so the card names its kind."""
        inside = self._board.inside.get(component.id, [])
        missing = [problem.side for problem in self._problems.get(component.id, []) if problem.what == "missing"]
        facts = [kind_name(component.kind)] if alone else []
        facts.append(counted(len(inside) or len(component.faces), "face"))
        return Card(
            id=component.id,
            url=self.url(component),
            name=component.name,
            key=component.external_key,
            facts=" · ".join([*facts, *([millimetres(component)] if millimetres(component) else [])]),
            faces=faces(component, inside, missing, *CARD_BOX),
            flag=_flag(self._problems.get(component.id, [])),
            badge="Added" if component.id in self._added else "Changed" if component.id in self._changed else "",
            wide=component.kind == "board",
        )


def faces(
    component: ShownComponent, inside: Sequence[ShownComponent], missing: Sequence[str], width: float, height: float
) -> list[Face]:
    """Front, back, then the others; a die shows its faces. Missing sides get the proportion of the first side."""
    sides = sorted(component.faces.items(), key=lambda face: _FIRST.get(face[0], 2))
    if not sides:
        sides = [(child.name, image) for child in inside for image in list(child.faces.values())[:1]]
    sides = sides[:_MAX_FACES]
    shapes = [_shape(component, image) for _, image in sides]
    if not shapes:
        shapes, missing = [_shape(component, None)], ["face"]
    shapes += [shapes[0]] * (len(missing) if sides else 0)
    boxes = fit_in_row(shapes, width - 8 * (len(shapes) - 1), height)
    found = [Face(side, *box, *_shown(image, box)) for (side, image), box in zip(sides, boxes, strict=False)]
    found += [Face(side, *box, None, f"No {side}") for side, box in zip(missing, boxes[len(sides) :], strict=True)]
    return found


def _shape(component: ShownComponent, image: ShownImage | None) -> tuple[float, float]:
    if image is not None:
        return float(image.width_px), float(image.height_px)
    return (component.width_mm or 1.0, component.height_mm or component.width_mm or 1.0)


def _shown(image: ShownImage, box: tuple[int, int]) -> tuple[Picture | None, str]:
    if image.derivation == "pending":
        return None, "Making sizes"
    if image.derivation == "failed":
        return None, "No sizes"
    return replace(picture(image, *box), width=box[0], height=box[1]), ""


def _flag(problems: Sequence[Problem]) -> Flag | None:
    """The most severe problem, or None."""
    by_kind: dict[str, list[str]] = {}
    for problem in problems:
        by_kind.setdefault(problem.what, []).append(problem.side)
    if failed := by_kind.get("failed"):
        return Flag("failed", f"{failed[0].capitalize()}: no sizes can be made", "bad")
    if missing := by_kind.get("missing"):
        verb = "is" if len(missing) == 1 else "are"
        return Flag("warning", f"{' and '.join(missing).capitalize()} {verb} missing", "warn")
    if by_kind.get("pending"):
        return Flag("verifying", "Making sizes", "quiet")
    return None
