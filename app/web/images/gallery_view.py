"""The live parts of the gallery: tiles, filters, and the quota meter."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from flask import Flask

from app.data.extensions import db
from app.data.models.game import Game
from app.images.gallery import GalleryFilter, GalleryPage, QuotaSummary, gallery, quota_summary
from app.images.gallery_images import GalleryImage
from app.topics.names import assets_topic
from app.web.components.component_words import dimensions, uses
from app.web.frame.filter_links import FilterLink
from app.web.frame.formats import counted, format_size, format_used
from app.web.frame.image_tags import Picture, picture
from app.web.live.live_parts import RenderedParts, render_part

IMAGES_PER_PAGE = 50
USE_FILTERS = {"": None, "yes": True, "no": False}
SORTS = {"": "Newest first", "oldest": "Oldest first", "name": "By name", "largest": "Largest first"}
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
    """A game's images, filtered by the query of the address."""

    game_id: str
    text: str = ""
    used: str = ""
    app_id: str = ""
    after: str = ""
    sort: str = ""

    @property
    def topic(self) -> str:
        return assets_topic(self.game_id)

    def query(self) -> dict[str, str]:
        """The query of the address, without empty values."""
        found = {"used": self.used, "q": self.text, "app": self.app_id, "sort": self.sort, "after": self.after}
        return {name: value for name, value in found.items() if value}

    def filter(self) -> GalleryFilter:
        return GalleryFilter(
            self.text or None,
            USE_FILTERS[self.used],
            self.app_id or None,
            IMAGES_PER_PAGE,
            self.after or None,
            self.sort,
        )

    def render(self, app: Flask, version: int) -> RenderedParts | None:
        game = db.session.get(Game, self.game_id)
        if game is None or game.deleted_at is not None:
            return None
        page = gallery(game, self.filter())
        tiles = [tile_of(game.slug, image, urlencode(self.query())) for image in page.images]
        rows = tuple(render_part(app, f"asset-{one.id}", "images/_tile.html", tile=one) for one in tiles)
        quota = quota_words(quota_summary(game.partner_id))
        failed = sum(one.state == "failed" for one in tiles)
        return RenderedParts(
            title=f"{f'({failed} failed) ' if failed else ''}Images: {game.title} · Slipway",
            parts=(
                render_part(app, "assets-segments", "images/_segments.html", segments=self._segments(game.slug, page)),
                render_part(app, "assets-quota", "images/_quota.html", quota=quota, slug=game.slug),
                render_part(app, "assets-pages", "images/_pages.html", pages=self._pages(game.slug, page)),
                render_part(app, "assets-tiles", "images/_tiles.html", rows=rows, filters=self, slug=game.slug),
            ),
            rows=rows,
            version=version,
        )

    def _segments(self, slug: str, page: GalleryPage) -> list[FilterLink]:
        counts = {"": page.counts.all, "yes": page.counts.used, "no": page.counts.unused}
        labels = {"": "All", "yes": "In use", "no": "Not used"}
        return [
            FilterLink(labels[key], count, self._url(slug, used=key, after=""), key == self.used)
            for key, count in counts.items()
        ]

    def _pages(self, slug: str, page: GalleryPage) -> dict[str, str]:
        return {
            "first": self._url(slug, after="") if self.after else "",
            "next": self._url(slug, after=page.next_cursor) if page.next_cursor else "",
        }

    def _url(self, slug: str, **changed: str) -> str:
        query = urlencode(replace(self, **changed).query())
        return f"/games/{slug}/assets{'?' if query else ''}{query}"


def possible_ids(values: Iterable[str]) -> list[str]:
    """Chosen ids from a form or an address, at most a page of them, without those that cannot be ids."""
    chosen = dict.fromkeys(values)
    return [value for value in chosen if 0 < len(value) <= 40 and value.isprintable()][:IMAGES_PER_PAGE]


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
