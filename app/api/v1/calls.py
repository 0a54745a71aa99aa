"""The decorator of /api/v1: token (401), rate (429), game (404), owner and scope (403), body (400), in this order
(assets-api.md section 1)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal

from flask import Response, request

from app.api import idempotency, limits
from app.api.calls import Call, Caller, View, bearer, declare, respond
from app.api.schema import Shape, parse_fields, parse_json
from app.catalog.named_games import game_by_id
from app.config import Settings, settings
from app.partners.actors import Actor
from app.partners.keys import authenticate, note_use, require_scope

Limit = Literal["presign", "confirm", "new-game", "component", "component-batch", "list"]


def v1_call(
    summary: str,
    *,
    scope: str,
    limit: Limit,
    answers: dict[int, type[Shape] | None],
    body: type[Shape] | None = None,
    query: type[Shape] | None = None,
    refusals: tuple[int, ...] = (),
) -> Callable[[View], View]:
    """A call of /api/v1. The view is given `caller`, then `game` for a route with a game_id, `body`, `query` and the
    rest of the path."""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def run(**path: str) -> Response:
            key = authenticate(bearer())
            limits.count(rate_of(limit, settings()), f"v1-{limit}", key.id)
            arguments: dict[str, Any] = {}
            if "game_id" in path:
                arguments["game"] = game_by_id(key.app.partner, path.pop("game_id"))
            require_scope(key, scope)
            note_use(key)
            arguments["caller"] = Caller(key.app.partner, key, Actor.of_key(key, request.remote_addr))
            # Whatever the body calls itself: a script's plain string is as good as one marked as JSON.
            raw = request.get_data(cache=False) if body else b""
            if body:
                arguments["body"] = parse_json(body, raw)
            if query:
                arguments["query"] = parse_fields(query, request.args)
            return idempotency.answer_once(key, raw, lambda: respond(view(**arguments, **path)))

        declare(run, Call(summary, scope, limit, body, query, answers, refusals, None, "partnerKey"))
        return run

    return decorate


def rate_of(limit: Limit, found: Settings) -> str:
    """Each is counted by itself (section 9)."""
    return {
        "presign": found.presign_rate,
        "confirm": found.confirm_rate,
        "new-game": found.new_game_rate,
        "component": found.component_rate,
        "component-batch": found.component_batch_rate,
        "list": found.list_rate,
    }[limit]
