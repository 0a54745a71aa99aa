"""Where an image is fetched: from the app, or from the CDN before it."""

from __future__ import annotations

from app.config.settings import settings


def address(key: str, here: str) -> str:
    """The absolute address of an object. `here` is the address of the app as the present request knows it, for where
    none is set."""
    base = settings().asset_base_url or settings().base_url or here.rstrip("/")
    return f"{base}/{key}"
