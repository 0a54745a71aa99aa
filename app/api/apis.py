"""Our JSON APIs, side by side: who calls each, and in which order a call is looked at, as the contracts have it."""

from __future__ import annotations

from dataclasses import replace

from app.api.envelopes import FLAT, NESTED
from app.api.pipeline import Api, Step
from app.api.rate_headers import API, PARTS, UPLOAD
from app.api.steps import (
    count,
    look_up,
    note_use,
    parse,
    receive,
    recognise_key,
    recognise_server,
    require_scope,
)

JSON = frozenset({"application/json"})

# 401, 429, 403, 404, 415, 413, 400 (partner-api.md sections 5 and 7)
PARTNERS = Api(
    name="partners",
    security="partnerKey",
    envelope=FLAT,
    order=(recognise_key, count, require_scope, note_use, look_up, receive, parse),
    rates={
        API: lambda found: found.api_rate,
        UPLOAD: lambda found: found.upload_rate,
        PARTS: lambda found: found.parts_rate,
    },
    default_limit=API,
    media_types=JSON,
    idempotent=True,
)

# 401, 429, 404, 403, 413, 400 (assets-api.md section 1). A script's plain string is as good as one marked as JSON.
V1 = Api(
    name="v1",
    security="partnerKey",
    envelope=NESTED,
    order=(recognise_key, count, look_up, require_scope, note_use, receive, parse),
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
    order=(recognise_server, receive, parse),
    media_types=JSON,
)


def at_the_dashboard(api: Api, recognise_member: Step) -> Api:
    """The same API for a member who is signed in: the same order of checks and the same envelope. Only what a page
    sends is limited, for it asks every second how a check goes. It has no Idempotency-Key: those belong to API keys."""
    return replace(
        api,
        name=f"{api.name} at the dashboard",
        security="",
        order=tuple(recognise_member if step is recognise_key else step for step in api.order),
        rates={
            UPLOAD: lambda _: "30 per hour",
            PARTS: lambda found: found.parts_rate,
            "presign": lambda _: "240 per minute",  # the script waits when it is told to
            "confirm": lambda _: "240 per minute",
        },
        counted_as="member-",
        whom="you",
        idempotent=False,
    )
