"""The JSON of /api/partners/key."""

from __future__ import annotations

from typing import Literal

from app.api.json_shapes import Moment, Shape

Scope = Literal["read", "write", "upload"]


class BuildQuota(Shape):
    """Bytes of builds. `used`: of `archives` and `packs` together. `left` and `limit` are null if the partner has no
    quota. `reserved` belongs to open uploads."""

    used: int
    archives: int
    packs: int
    reserved: int
    limit: int | None
    left: int | None


class KeyDetail(Shape):
    """`expiresAt`: when the key ends, or null. `maxArchiveBytes`: the largest archive that the platform accepts;
    `maxUnpackedBytes`: what an archive may unpack to."""

    app: str
    partner: str
    scopes: list[Scope]
    expires_at: Moment | None
    max_archive_bytes: int
    max_unpacked_bytes: int
    build_quota: BuildQuota
