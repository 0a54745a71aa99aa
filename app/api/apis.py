"""The JSON APIs: authentication, order of checks, rate limits and error envelope of each, as its contract defines."""

from __future__ import annotations

from dataclasses import replace

from app.api.api_rate_limits import API_LIMIT, PARTS_LIMIT, UPLOAD_LIMIT, Limit
from app.api.envelopes import FLAT, NESTED
from app.api.pipeline import Api, Step
from app.api.steps import (
    apply_rate_limit,
    lock_catalog,
    lock_components,
    look_up_game,
    parse_input,
    read_body,
    record_key_use,
    require_api_key,
    require_scope,
    require_server_token,
)

# 401, 429, 403, 404, 415, 413, 400 (partner-api.md sections 5 and 7)
PARTNERS = Api(
    name="partners",
    security="partnerKey",
    envelope=FLAT,
    steps=(require_api_key, apply_rate_limit, require_scope, record_key_use, look_up_game, read_body, parse_input),
    rates={
        API_LIMIT: Limit("call", lambda found: found.api_rate),
        UPLOAD_LIMIT: Limit("upload", lambda found: found.upload_rate),
        PARTS_LIMIT: Limit("part URL request", lambda found: found.parts_rate),
    },
    default_limit=API_LIMIT,
    plain_limit=API_LIMIT,
    checks_content_type=True,
    idempotent=True,
    reading_steps=(require_api_key, look_up_game),
    lock=lock_catalog,
)

# 401, 429, 404, 403, 413, 400 (assets-api.md section 1). Any content type is accepted: scripts often send JSON as text.
V1 = Api(
    name="v1",
    security="partnerKey",
    envelope=NESTED,
    steps=(require_api_key, apply_rate_limit, look_up_game, require_scope, record_key_use, read_body, parse_input),
    rates={  # each has its own counter (section 9)
        "presign": Limit("presigned image", lambda found: found.presign_rate),
        "confirm": Limit("image confirmation", lambda found: found.confirm_rate),
        "new-game": Limit("new game", lambda found: found.new_game_rate),
        "component": Limit("component call", lambda found: found.component_rate),
        "component-batch": Limit("batch call", lambda found: found.component_batch_rate),
        "list": Limit("list or delete call", lambda found: found.list_rate),
    },
    limit_prefix="v1-",
    plain_limit="list",
    idempotent=True,
    reading_steps=(require_api_key, look_up_game),
    lock=lock_components,
)

# 401, 415, 413, 400. No rate limit: the platform sets how often an agent reports.
SERVERS = Api(
    name="servers",
    security="serverToken",
    envelope=FLAT,
    steps=(require_server_token, read_body, parse_input),
    checks_content_type=True,
)


def for_dashboard(api: Api, require_member: Step) -> Api:
    """The same API for signed-in members, with the same order of checks and the same envelope.

    Only uploads are limited, because a page polls an archive check every second. Idempotency-Key is not supported: it
    belongs to API keys."""
    return replace(
        api,
        name=f"{api.name} at the dashboard",
        security="",
        steps=tuple(require_member if step is require_api_key else step for step in api.steps),
        reading_steps=tuple(require_member if step is require_api_key else step for step in api.reading_steps),
        rates={
            UPLOAD_LIMIT: replace(PARTNERS.rates[UPLOAD_LIMIT], rate=lambda _: "30 per hour"),
            PARTS_LIMIT: PARTNERS.rates[PARTS_LIMIT],
            # The script waits for Retry-After.
            "presign": replace(V1.rates["presign"], rate=lambda _: "240 per minute"),
            "confirm": replace(V1.rates["confirm"], rate=lambda _: "240 per minute"),
        },
        limit_prefix="member-",
        caller_label="you",
        idempotent=False,
    )
