"""The steps that the APIs are made of. Each looks at one thing and raises a Refusal when it is wrong."""

from __future__ import annotations

from typing import Any

from flask import request

from app.accounts.callers import KeyCaller
from app.accounts.keys import authenticate
from app.api import api_rate_limits, idempotency
from app.api.api_rate_limits import UPLOAD_LIMIT
from app.api.json_shapes import parse_fields, parse_json
from app.api.pipeline import CallContext, Step
from app.catalog.game_lookup import find_game
from app.catalog.games_by_id import game_by_id
from app.config.settings import settings
from app.data.database import free_connection
from app.fleet.servers import authenticate_server
from app.refusals import UnsupportedMediaType


def require_api_key(passage: CallContext) -> None:
    """401 without an API key that is valid."""
    passage.arguments["caller"] = KeyCaller(authenticate(_bearer_token()), request.remote_addr)


def require_server_token(passage: CallContext) -> None:
    """401 without the token of a server."""
    passage.arguments["server"] = authenticate_server(_bearer_token())


def apply_rate_limit(passage: CallContext) -> None:
    """429 when the caller has used up the limit that the call names."""
    api, limit = passage.call.api, passage.call.limit
    if limit == UPLOAD_LIMIT and idempotency.is_replay(passage.caller.id):
        limit = api.default_limit  # it begins nothing, and repeats an answer
    if rate := api.rates.get(limit):
        api_rate_limits.count_call(rate(settings()), f"{api.counted_as}{limit}", passage.caller.id, whom=api.whom)


def require_scope(passage: CallContext) -> None:
    """403 when the caller may not do this."""
    if passage.call.scope:
        passage.caller.require(passage.call.scope)


def record_key_use(passage: CallContext) -> None:
    """Refuses nothing: remember that the key is in use."""
    passage.caller.note_use()


RUN_ONCE: frozenset[Step] = frozenset({apply_rate_limit, record_key_use})  # what is noted of a call, not asked about it


def look_up_game(passage: CallContext) -> None:
    """404 for a game that is not the caller's, and for what is not there below it. To find it is to be allowed to."""
    partner, rest = passage.caller.partner, dict(passage.path)
    found: dict[str, Any] = {}
    if "slug" in rest:
        found["game"] = find_game(partner, rest.pop("slug"))
    elif "game_id" in rest:
        found["game"] = game_by_id(partner, rest.pop("game_id"))
    if passage.call.below:
        (name,) = rest
        found["found"] = passage.call.below(found["game"], rest.pop(name))
    passage.arguments = {"caller": passage.caller} | found | rest


def read_body(passage: CallContext) -> None:
    """415, 413 or 400 for a body that is of another type, larger than 1 MiB (MAX_CONTENT_LENGTH), cut short or stalled.

    It may take a minute to come. No database connection is held meanwhile, and what was looked up before is looked up
    again after: the key may have been revoked since, the game deleted."""
    if not passage.call.body:
        return
    accepted = passage.call.api.media_types
    if accepted and request.mimetype and request.mimetype not in accepted:
        raise UnsupportedMediaType(
            f"The body is {request.mimetype}; this call takes JSON. Send it with `Content-Type: application/json`."
        )
    free_connection()
    passage.body = request.get_data(cache=False)
    order = passage.call.api.order
    for step in order[: order.index(read_body)]:
        if step not in RUN_ONCE:
            step(passage)


def parse_input(passage: CallContext) -> None:
    """400 for fields of the body or the query that break a rule."""
    call = passage.call
    if call.body:
        passage.arguments["body"] = parse_json(call.body, passage.body)
    if call.query:
        passage.arguments["query"] = parse_fields(call.query, request.args)


def _bearer_token() -> str | None:
    """The token of the Authorization header, if it is a bearer token."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
