"""Our JSON APIs, side by side: who calls each, and in which order a call is looked at, as the contracts have it."""

from __future__ import annotations

from dataclasses import replace

from app.api.api_rate_limits import API_LIMIT, PARTS_LIMIT, UPLOAD_LIMIT
from app.api.envelopes import FLAT, NESTED
from app.api.pipeline import Api, Step
from app.api.steps import (
    apply_rate_limit,
    look_up_game,
    parse_input,
    read_body,
    record_key_use,
    require_api_key,
    require_scope,
    require_server_token,
)

JSON = frozenset({"application/json"})

# 401, 429, 403, 404, 415, 413, 400 (partner-api.md sections 5 and 7)
PARTNERS = Api(
    name="partners",
    security="partnerKey",
    envelope=FLAT,
    order=(require_api_key, apply_rate_limit, require_scope, record_key_use, look_up_game, read_body, parse_input),
    rates={
        API_LIMIT: lambda found: found.api_rate,
        UPLOAD_LIMIT: lambda found: found.upload_rate,
        PARTS_LIMIT: lambda found: found.parts_rate,
    },
    default_limit=API_LIMIT,
    media_types=JSON,
    idempotent=True,
)

# 401, 429, 404, 403, 413, 400 (assets-api.md section 1). A script's plain string is as good as one marked as JSON.
V1 = Api(
    name="v1",
    security="partnerKey",
    envelope=NESTED,
    order=(require_api_key, apply_rate_limit, look_up_game, require_scope, record_key_use, read_body, parse_input),
    rates={  # each is counted by itself (section 9)
        "presign": lambda found: found.presign_rate,
        "confirm": lambda found: found.confirm_rate,
        "new-game": lambda found: found.new_game_rate,
        "component": lambda found: found.component_rate,
        "component-batch": lambda found: found.component_batch_rate,
        "list": lambda found: found.list_rate,
    },
    counted_as="v1-",
    idempotent=True,
)

# 401, 415, 413, 400: an agent reports as often as it is told to, and sees only its own server
SERVERS = Api(
    name="servers",
    security="serverToken",
    envelope=FLAT,
    order=(require_server_token, read_body, parse_input),
    media_types=JSON,
)


def for_dashboard(api: Api, recognise_member: Step) -> Api:
    """The same API for a member who is signed in: the same order of checks and the same envelope. Only what a page
    sends is limited, for it asks every second how a check goes. It has no Idempotency-Key: those belong to API keys."""
    return replace(
        api,
        name=f"{api.name} at the dashboard",
        security="",
        order=tuple(recognise_member if step is require_api_key else step for step in api.order),
        rates={
            UPLOAD_LIMIT: lambda _: "30 per hour",
            PARTS_LIMIT: lambda found: found.parts_rate,
            "presign": lambda _: "240 per minute",  # the script waits when it is told to
            "confirm": lambda _: "240 per minute",
        },
        counted_as="member-",
        whom="you",
        idempotent=False,
    )
