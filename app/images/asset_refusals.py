"""Refusals of the assets API with their own codes (assets-api.md section 8)."""

from __future__ import annotations

from app.refusals import Conflict, InvalidRequest, NotFound


class AssetNotFound(NotFound):
    code = "asset_not_found"


class ComponentNotFound(NotFound):
    code = "component_not_found"


class RevisionNotFound(NotFound):
    code = "revision_not_found"


class DerivationFailed(InvalidRequest):
    """An image from which no sizes can be made."""

    code = "derivation_failed"


class RevisionFinalized(Conflict):
    """The asset belongs to a finalized revision, which never changes."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "revision_finalized")
