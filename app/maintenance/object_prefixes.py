"""Where the objects of this installation are in the bucket."""

from __future__ import annotations

from app.images.object_keys import FINAL, STAGING

ARCHIVES = "archives/"
PACKS = "packs/"
ALL = (ARCHIVES, PACKS, FINAL, STAGING)
