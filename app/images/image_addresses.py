"""Public addresses of images: from the app, or from the CDN in front of it."""

from __future__ import annotations

from app.config.settings import settings


def address(key: str, here: str) -> str:
    """The absolute address of an object. `here`: the app's address in the current request, for installations without a
    base address."""
    base = settings().asset_base_url or settings().base_url or here.rstrip("/")
    return f"{base}/{key}"
