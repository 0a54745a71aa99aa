"""The live parts of the gallery: tiles, filters, and the quota meter."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urlencode

from flask import Flask

from app.data.extensions import db
from app.data.models.game import Game
from app.images.gallery import GalleryFilter, QuotaSummary, asset_counts, gallery, quota_summary
from app.images.gallery_images import GalleryImage
from app.topics.names import assets_topic
from app.web.components.component_words import dimensions, uses
from app.web.frame.formats import counted, format_size, format_used
from app.web.frame.image_tags import Picture, picture
from app.web.images.gallery_filters import USE_FILTERS
from app.web.images.tab_counts import tab_counts
from app.web.lists.list_address import ActiveFilter, ListAddress, quoted
from app.web.live.live_parts import GAME_GONE, RenderedParts, render_part

IMAGES_PER_PAGE = 50
USE_LABELS = {"": "All", "yes": "In use", "no": "Not used"}
TILE_BOX = (184, 112)


@dataclass(frozen=True)
class Tile:
    """One image. `key`: its object key. `state`: ready, pending (sizes are being made) or failed; `why`: the reason."""

    id: str
    key: str
    url: str
    name: str
    facts: str
    uses: str
    state: str
    why: str
    picture: Picture


@dataclass(frozen=True)
class QuotaWords:
    """The quota meter: bytes for the meter and words beside it. `taken` and `percent` include reserved bytes."""

    taken: int
    limit: int
    used: str  # `1.2 of 2.0 GiB`
    percent: int
    on_its_way: str
    images: str
    unused: str


@dataclass(frozen=True)
class GallerySubject:
    """The page of a game's images at an address. `app_name`: of the app in the address, or ""."""

    gone: ClassVar[str] = GAME_GONE

    game_id: str
    address: ListAddress
    app_name: str = ""

    @property
    def topic(self) -> str:
        return assets_topic(self.game_id)

    @property
    def filters(self) -> list[ActiveFilter]:
        """The filters in use."""
        used = self.address.value("used")
        return self.address.active_filters(
            q=quoted(self.address.value("q")), used=USE_LABELS[used] if used else "", app=self.app_name
        )

    def filter(self) -> GalleryFilter:
        value = self.address.value
        return GalleryFilter(
            value("q") or None,
            USE_FILTERS[value("used")],
            value("app") or None,
            IMAGES_PER_PAGE,
            value("after") or None,
            value("sort"),
        )

    def render(self, app: Flask, version: int) -> RenderedParts | None:
        game = db.session.get(Game, self.game_id)
        if game is None or game.deleted_at is not None:
            return None
        page = gallery(game, self.filter())
        tiles = [tile_of(game.slug, image, urlencode(self.address.values)) for image in page.images]
        rows = tuple(render_part(app, f"asset-{one.id}", "images/_tile.html", tile=one) for one in tiles)
        in_all = asset_counts(game.id)
        counts = {"": page.counts.all, "yes": page.counts.used, "no": page.counts.unused}
        segments = self.address.links("used", USE_LABELS, counts)
        links = self.address.page_links(page.next_cursor)
        quota = quota_words(quota_summary(game.partner_id))
        failed = sum(one.state == "failed" for one in tiles)
        return RenderedParts(
            title=f"{f'({failed} failed) ' if failed else ''}Images: {game.title} · Slipway",
            parts=(
                *tab_counts(app, in_all.images, in_all.components),
                render_part(app, "assets-segments", "images/_segments.html", segments=segments),
                render_part(app, "assets-quota", "images/_quota.html", quota=quota, slug=game.slug),
                render_part(app, "assets-pages", "images/_pages.html", links=links),
                render_part(
                    app, "assets-tiles", "images/_tiles.html", rows=rows, filters=self.filters, address=self.address
                ),
            ),
            rows=rows,
            version=version,
        )


def possible_ids(values: Iterable[str], most: int | None = IMAGES_PER_PAGE) -> list[str]:
    """Chosen ids from a form or an address, without those that cannot be ids. `most`: at most a page of them, or None
    where more are refused later."""
    chosen = dict.fromkeys(values)
    return [value for value in chosen if 0 < len(value) <= 40 and value.isprintable()][:most]


def tile_of(slug: str, image: GalleryImage, query: str = "") -> Tile:
    """The tile of an image. `query`: the filters of the list, which its page returns to."""
    shown = image.image
    return Tile(
        id=shown.asset_id,
        key=shown.key,
        url=f"/games/{slug}/assets/{shown.asset_id}{'?' if query else ''}{query}",
        name=image.file_name,
        facts=f"{dimensions(shown.width_px, shown.height_px)} · {format_size(shown.byte_size)}",
        uses=" · ".join(uses(image)),
        state=shown.derivation,
        why=shown.derive_error or "",
        picture=picture(shown, *TILE_BOX),
    )


def quota_words(summary: QuotaSummary) -> QuotaWords:
    """The quota meter of a partner."""
    quota = summary.quota
    taken = quota.used + quota.reserved
    return QuotaWords(
        taken=taken,
        limit=quota.limit,
        used=format_used(quota.used, quota.limit),
        percent=min(100, taken * 100 // quota.limit) if quota.limit else 100,
        on_its_way=format_size(quota.reserved) if quota.reserved else "",
        images=counted(summary.images, "image"),
        unused=f"{summary.unused:,}" if summary.unused else "",
    )
