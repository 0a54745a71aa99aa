"""The copy for kinds and sizes of components, and for the uses of images."""

from __future__ import annotations

from app.components.component_views import ShownComponent
from app.images.gallery_images import GalleryImage, SideUse
from app.web.frame.formats import NO_BREAK_SPACE

# kind -> (one, several)
KINDS = {
    "tile": ("tile", "tiles"),
    "deck": ("deck", "decks"),
    "card": ("card", "cards"),
    "board": ("board", "boards"),
    "tokenSprite": ("token sprite", "token sprites"),
    "tokenModel": ("token model", "token models"),
    "die": ("die", "dice"),
    "dieFace": ("die face", "die faces"),
    "container": ("container", "containers"),
    "counter": ("counter", "counters"),
    "bundle": ("bundle", "bundles"),
}
SIDES = {"front": "Front", "back": "Back", "face": "Face"}


def counted_kind(count: int, kind: str | None) -> str:
    """`1 card`, `42 cards`; without a kind `3 components`."""
    one, several = KINDS.get(kind or "", ("component", "components"))
    return f"{count:,} {one if count == 1 else several}"


def kind_name(kind: str) -> str:
    """`Token sprite`."""
    return KINDS.get(kind, (kind, kind))[0].capitalize()


def side_name(side: str) -> str:
    """`Front`; a side with a name of its own keeps it."""
    return SIDES.get(side, side)


def uses(image: GalleryImage) -> list[str]:
    """The uses of an image, most important first; empty if it is not used."""
    found = ["Cover"] if image.is_cover else []
    found += [_side_use(use) for use in image.sides]
    if image.screenshot:
        found.append(f"Screenshot {image.screenshot}")
    if image.frozen_in and not image.sides:
        found.append(f"Revision {image.frozen_in[-1]}")
    return found


def _side_use(use: SideUse) -> str:
    what = use.name if use.components == 1 else counted_kind(use.components, use.kind)
    return f"{what}, {use.side}"


def millimetres(one: ShownComponent) -> str:
    """`63.5 × 88.9 mm`, `16 mm` for a square, or ""."""
    known = [size for size in (one.width_mm, one.height_mm) if size is not None]
    if not known:
        return ""
    sizes = known[:1] if len(set(known)) == 1 else known
    return f"{' × '.join(f'{size:g}' for size in sizes)}{NO_BREAK_SPACE}mm"


def dimensions(width: int, height: int) -> str:
    """`750 × 1050`: pixels."""
    return f"{width}{NO_BREAK_SPACE}×{NO_BREAK_SPACE}{height}"
