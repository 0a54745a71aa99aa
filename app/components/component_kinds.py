"""What components there are, and which may lie in which (assets-api.md 6.1)."""

from __future__ import annotations

KINDS = (
    "tile",
    "deck",
    "card",
    "board",
    "tokenSprite",
    "tokenModel",
    "die",
    "dieFace",
    "container",
    "counter",
    "bundle",
)
ALIASES = {"stack": "deck"}
PARENTS = {"tile": ("deck", "bundle"), "card": ("deck",), "dieFace": ("die",)}
ONLY_AS_CHILD = {"card", "dieFace"}


def stored_kind(kind: str) -> str:
    """The kind under which it is kept. Raises ValueError for one there is not."""
    kind = ALIASES.get(kind, kind)
    if kind not in KINDS:
        raise ValueError(f"kind '{kind}' is none of {', '.join((*KINDS, *ALIASES))}")
    return kind


def family_of(kind: str) -> str:
    """Kinds of one family are found again under the same external key: a card is a tile in a deck."""
    return "tile" if kind == "card" else kind


def sides_expected(kind: str, parent_kind: str | None) -> tuple[str, ...]:
    """Sides without which a piece looks unfinished. Nothing refuses it; the dashboard points it out."""
    if kind in {"tile", "card"} and parent_kind is not None:
        return ("front", "back")
    return ()
