"""The kinds of components, and the allowed parents (assets-api.md 6.1)."""

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
    """The stored name of a kind. Raises ValueError for an unknown kind."""
    kind = ALIASES.get(kind, kind)
    if kind not in KINDS:
        raise ValueError(f"kind '{kind}' is none of {', '.join((*KINDS, *ALIASES))}")
    return kind


def family_of(kind: str) -> str:
    """Calls find kinds of one family under the same external key: a card is a tile in a deck."""
    return "tile" if kind == "card" else kind


def sides_offered(kind: str) -> tuple[str, ...]:
    """The sides that people can choose for a component in the dashboard. Calls may name any other side."""
    return ("face",) if kind == "dieFace" else ("front", "back")


def sides_expected(kind: str, parent_kind: str | None) -> tuple[str, ...]:
    """Sides without which a component looks unfinished. Calls accept it; the dashboard points it out."""
    if kind in {"tile", "card"} and parent_kind is not None:
        return ("front", "back")
    return ()
