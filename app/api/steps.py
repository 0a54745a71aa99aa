"""The steps of the JSON APIs. Each checks or fills in one part of a call, and raises a Refusal when it is wrong."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import request

from app.accounts.api_keys.recognised_keys import recognise
from app.accounts.callers import KeyCaller
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


def require_api_key(context: CallContext) -> None:
    """401 without a valid API key."""
    context.arguments["caller"] = KeyCaller(recognise(_bearer_token()), request.remote_addr)


def require_server_token(context: CallContext) -> None:
    """401 without the token of a server."""
    context.arguments["server"] = authenticate_server(_bearer_token())


def apply_rate_limit(context: CallContext) -> None:
    """429 when the caller has used up the call's limit."""
    api, limit = context.call.api, context.call.limit
    if limit == UPLOAD_LIMIT and idempotency.is_replay(context.caller.id):
        limit = api.default_limit  # a replay begins no upload
    if rate := api.rates.get(limit):
        name = f"{api.limit_prefix}{limit}"
        api_rate_limits.count_call(rate(settings()), name, context.caller.id, caller_label=api.caller_label)


def require_scope(context: CallContext) -> None:
    """403 when the caller does not have the call's scope."""
    if context.call.scope:
        context.caller.require(context.call.scope)


def record_key_use(context: CallContext) -> None:
    """Record when the key was last used. Refuses nothing."""
    context.caller.note_use()


# Steps that record something, so they run only once per request.
RUN_ONCE: frozenset[Step] = frozenset({apply_rate_limit, record_key_use})


def look_up_game(context: CallContext) -> None:
    """404 for a game that is not the caller's, or a target that is not in it. The lookup is the authorisation."""
    if not context.call.finds_game:
        free_connection()  # of a member's sign-in: the view's own query takes another
        return
    partner, rest = context.caller.partner, dict(context.path)
    found: dict[str, Any] = {}
    if "slug" in rest:
        found["game"] = find_game(partner, rest.pop("slug"))
    elif "game_id" in rest:
        found["game"] = game_by_id(partner, rest.pop("game_id"))
    if context.call.target:
        (name,) = rest
        found["target"] = context.call.target(found["game"], rest.pop(name))
    context.arguments = {"caller": context.caller} | found | rest


def read_body(context: CallContext) -> None:
    """415, 413 or 400 for a body of another type, over 1 MiB (MAX_CONTENT_LENGTH), cut short or stalled.

    The body may take a minute to arrive. The database connection is free meanwhile, and the earlier steps run again
    afterwards, because the key may have been revoked or the game deleted since."""
    if context.call.raw_body:  # its view reads the body
        context.arguments["check_again"] = partial(_check_again, context)
    if not context.call.body:
        return
    accepted = context.call.api.media_types
    if accepted and request.mimetype and request.mimetype not in accepted:
        raise UnsupportedMediaType(
            f"The body is {request.mimetype}, but this call needs JSON. Send it with `Content-Type: application/json`."
        )
    free_connection()
    context.body = request.get_data(cache=False)
    _check_again(context)


def _check_again(context: CallContext) -> None:
    """Run the steps before the body again; raises what they raise."""
    free_connection()  # else the session would show the rows as they were
    steps = context.call.api.steps
    for step in steps[: steps.index(read_body)]:
        if step not in RUN_ONCE:
            step(context)


def parse_input(context: CallContext) -> None:
    """400 for fields of the body or the query that break a rule."""
    call = context.call
    if call.body:
        context.arguments["body"] = parse_json(call.body, context.body)
    if call.query:
        context.arguments["query"] = parse_fields(call.query, request.args)


def _bearer_token() -> str | None:
    """The bearer token of the Authorization header, or None."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None
