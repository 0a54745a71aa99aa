"""Limits for images (assets-api.md 5.1 and decision 12; the limit of pixels is our own)."""

from __future__ import annotations

from app.config.settings import MIB

MAX_IMAGE_BYTES = 20 * MIB
# A 600 dpi A4 sheet has 35 million. Decoded with alpha, this is 160 MB; a WebP decoder holds that four times at once.
MAX_IMAGE_PIXELS = 40_000_000
IMAGE_TYPES = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WebP", "image/gif": "GIF"}
VARIANT_SIZES = (256, 768, 2048)
