"""/api/partners/key: what the key of a call may do, so that a client can check this before a long upload."""

from __future__ import annotations

from typing import cast

from flask import Blueprint

from app.accounts.build_quota import build_quota
from app.accounts.callers import KeyCaller
from app.api.apis import PARTNERS
from app.api.partners import key_schemas as schemas
from app.api.pipeline import Result
from app.config.settings import settings
from app.data.extensions import db

bp = Blueprint("partner_key", __name__, url_prefix="/api/partners/key")


@bp.get("")
@PARTNERS.call("Read what your key may do, and the limits for builds", responses={200: schemas.KeyDetail})
def read(caller: KeyCaller) -> Result:
    key, quota = caller.key, build_quota(db.session(), caller.partner)
    return Result(
        schemas.KeyDetail(
            app=key.app.name,
            partner=caller.partner.name,
            scopes=cast("list[schemas.Scope]", list(key.scopes)),
            expires_at=key.expires_at,
            max_archive_bytes=settings().max_archive_bytes,
            max_unpacked_bytes=settings().max_unpacked_bytes,
            build_quota=schemas.BuildQuota(
                used=quota.used,
                archives=quota.archives,
                packs=quota.packs,
                reserved=quota.reserved,
                limit=quota.limit,
                left=quota.left,
            ),
        )
    )
