"""The steps of the JSON APIs. Each checks or fills in one part of a call, and raises a Refusal when it is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from flask import request

from app.accounts.api_keys.recognised_keys import forget_ended_keys, recognise
from app.accounts.callers import KeyCaller
from app.api import api_rate_limits, idempotency
from app.api.json_bodies import accepted_types, read_json_body, require_json
from app.api.json_shapes import parse_fields, parse_json
from app.api.pipeline import RUN_AGAIN, CallContext, Step
from app.catalog.game_lookup import find_game, lock_for_change
from app.catalog.games_by_id import game_by_id
from app.components.revisions import lock_components_of
from app.config.settings import settings
from app.data.database import free_connection, free_connection_unless_writing
from app.fleet.servers import authenticate_server
from app.limits.counted_requests import Credential, Requester, not_recognised, recognised
from app.refusals import Unauthorized


def require_api_key(context: CallContext) -> None:
    """401 without a valid API key."""
    with _recognising():
        key = recognise(_bearer_token())
    recognised(Credential.KEY, Requester(f"partner {key.app.partner.id}", f"key {key.id}"))
    context.arguments["caller"] = KeyCaller(key, request.remote_addr)


def require_server_token(context: CallContext) -> None:
    """401 without the token of a server."""
    with _recognising():
        server = authenticate_server(_bearer_token())
    recognised(Credential.KEY, Requester(f"server {server.id}", "agent"))
    context.arguments["server"] = server


@contextmanager
def _recognising() -> Iterator[None]:
    try:
        yield
    except Unauthorized:
        not_recognised(Credential.KEY)
        raise


def apply_rate_limit(context: CallContext) -> None:
    """429 when the caller has used up the call's limit."""
    call = context.call
    if call.limit and call.on_replay != RUN_AGAIN and idempotency.is_replay(context.caller.id):
        _count(context, call.api.plain_limit)  # a replay begins no upload and makes no game
        return
    counter = _count(context, call.limit)
    if counter and call.free_refusals:
        context.when_refused = partial(_count_as_plain_call, context, counter)


def _count(context: CallContext, name: str) -> tuple[str, ...]:
    """Count the call against one of its API's limits. Returns the counter, which is empty without such a limit."""
    api = context.call.api
    limit = api.rates.get(name)
    if limit is None:
        return ()
    counter = (limit.rate(settings()), f"{api.limit_prefix}{name}", context.caller.id)
    api_rate_limits.count_call(*counter, noun=limit.noun, caller_label=api.caller_label)
    return counter


def _count_as_plain_call(context: CallContext, counter: tuple[str, ...], refusal: Exception) -> None:
    """429 when the refusal is free for its own limit, and the caller has used up the limit of plain calls."""
    if isinstance(refusal, context.call.free_refusals):
        api_rate_limits.refund_call(*counter)
        _count(context, context.call.api.plain_limit)


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
    """404 for a game that is not the caller's, or a target that is not in it; without a game in the path, for a target
    that is not the caller's. The lookup is the authorisation."""
    if not context.call.finds_game:
        free_connection_unless_writing()  # of a member's sign-in: the view's own query takes another
        return
    partner, rest = context.caller.partner, dict(context.path)
    found: dict[str, Any] = {}
    if "slug" in rest:
        found["game"] = find_game(partner, rest.pop("slug"))
    elif "game_id" in rest:
        found["game"] = game_by_id(partner, rest.pop("game_id"))
    if context.call.target:
        (name,) = rest
        found["target"] = context.call.target(found.get("game", partner), rest.pop(name))
    for name in context.path:
        context.arguments.pop(name, None)
    context.arguments |= found | rest


def lock_catalog(context: CallContext) -> None:
    """Lock the game and the build of a call in its write transaction."""
    lock_for_change(context.arguments.get("game"), context.arguments.get("target"))


def lock_components(context: CallContext) -> None:
    """Lock the draft of the call's game in its write transaction."""
    if game := context.arguments.get("game"):
        lock_components_of(game)


def read_body(context: CallContext) -> None:
    """415, 413 or 400 for a body of another type or encoding, over 1 MiB, cut short or stalled.

    The body may take a minute to arrive. The database connection is free meanwhile, and the earlier steps run again
    afterwards, because the key may have been revoked or the game deleted since. Most bodies are there already: the web
    server gathers them before a thread has the request."""
    if context.call.raw_body:  # its view reads the body
        context.arguments["check_again"] = partial(_check_again, context)
    if not context.call.body:
        return
    require_json(set(accepted_types(request.method)) if context.call.api.checks_content_type else set())
    if request.environ.get("slipway.request_is_whole"):  # app/runtime/web_server/connection_worker.py sets it
        context.body = read_json_body()
        return
    free_connection()
    context.body = read_json_body()
    _check_again(context)


def _check_again(context: CallContext) -> None:
    """Run the steps before the body again; raises what they raise."""
    free_connection()  # else the session would show the rows as they were
    steps = context.call.api.steps
    if require_api_key in steps:
        forget_ended_keys()  # a body may have taken days
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
