"""An image with its sizes, for pages and APIs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select

from app.data.extensions import db
from app.data.models.asset import Asset, BlobVariant, Derivation
from app.images.image_limits import VARIANT_SIZES


@dataclass(frozen=True)
class ShownVariant:
    """The variant for `size` pixels. A small image has one variant for several sizes."""

    size: int
    key: str
    width_px: int
    height_px: int
    byte_size: int


@dataclass(frozen=True)
class ShownImage:
    """An image with its sizes (none while `derivation` is not `ready`)."""

    asset_id: str
    key: str
    mime_type: str
    width_px: int
    height_px: int
    byte_size: int
    derivation: Derivation
    derive_error: str | None
    placeholder: str | None
    variants: Sequence[ShownVariant]

    def key_for(self, size: int) -> str:
        """The key for `size` pixels: a variant's, or the source's if there is none."""
        return next((variant.key for variant in self.variants if variant.size == size), self.key)


def shown_image(asset: Asset, made: Sequence[BlobVariant]) -> ShownImage:
    """An asset whose blob is loaded, with the blob's variants."""
    blob = asset.blob
    return ShownImage(
        asset_id=asset.id,
        key=blob.object_key,
        mime_type=blob.mime_type,
        width_px=blob.width_px,
        height_px=blob.height_px,
        byte_size=blob.size,
        derivation=blob.derivation,
        derive_error=blob.derive_error,
        placeholder=blob.placeholder,
        variants=_shown_variants(made),
    )


def variants_of(blob_ids: Select[Any] | Sequence[str]) -> dict[str, list[BlobVariant]]:
    """Blob id → its variants. One query."""
    found: dict[str, list[BlobVariant]] = {}
    for variant in db.session.scalars(select(BlobVariant).where(BlobVariant.blob_id.in_(blob_ids))):
        found.setdefault(variant.blob_id, []).append(variant)
    return found


def _shown_variants(made: Sequence[BlobVariant]) -> list[ShownVariant]:
    if not made:
        return []
    shown: list[ShownVariant] = []
    for size in VARIANT_SIZES:
        # The largest variant that is not larger. Above the image's own size, that is the whole image.
        best = max((variant for variant in made if variant.size <= size), key=lambda variant: variant.size)
        shown.append(ShownVariant(size, best.object_key, best.width_px, best.height_px, best.byte_size))
    return shown
