"""The decorator every JSON call goes through: recognise → count → look up → parse → answer.

The order is the contract's (401, 429, 404/403, 400), which is why this is ours: ready-made ones validate before the
look-up. The same declarations make the OpenAPI document (`app/api/openapi.py`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import Response, request

from app.api import idempotency, limits
from app.api.schema import Shape, parse_fields, parse_json
from app.config import settings
from app.database import pause
from app.fleet.servers import authenticate_server
from app.models import ApiKey, Game, Partner, Server
from app.partners.actors import Actor
from app.partners.keys import authenticate, note_use, require_scope
from app.refusals import UnsupportedMediaType

API, UPLOAD, PARTS = "api", "upload", "parts"


@dataclass(frozen=True)
class Caller:
    """Who calls a partner API."""

    partner: Partner
    key: ApiKey
    actor: Actor


@dataclass(frozen=True)
class Answer:
    """What a view returns: a shape (or None for an empty body) and a status, with extra headers where needed."""

    shape: Shape | None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """The declaration of a call: all that OpenAPI says of it."""

    summary: str
    scope: str | None
    limit: str
    body: type[Shape] | None
    query: type[Shape] | None
    answers: dict[int, type[Shape] | None]
    refusals: tuple[int, ...]
    raw_body: str | None
    security: str


View = Callable[..., Any]


def partner_call(
    summary: str,
    *,
    scope: str,
    answers: dict[int, type[Shape] | None],
    body: type[Shape] | None = None,
    query: type[Shape] | None = None,
    limit: str = API,
    refusals: tuple[int, ...] = (),
    raw_body: str | None = None,
    below: Callable[[Game, str], Any] | None = None,
) -> Callable[[View], View]:
    """A call of /api/partners. The view is given `caller`, then `game` for a route with a slug, `found` for one that
    names something `below` the game (which looks it up or raises NotFound), `body` and `query`."""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def run(**path: str) -> Response:
            key = authenticate(bearer())
            limits.count(rate_of(limit), limit, key.id)
            require_scope(key, scope)
            caller = Caller(key.app.partner, key, Actor.of_key(key, request.remote_addr))
            note_use(key)
            arguments: dict[str, Any] = {"caller": caller}
            if "slug" in path:
                arguments["game"] = caller.partner.games.by_slug(path.pop("slug"))
            if below:
                (name,) = path
                arguments["found"] = below(arguments["game"], path.pop(name))
            raw = read_body() if body else b""
            if body:
                arguments["body"] = parse_json(body, raw)
            if query:
                arguments["query"] = parse_fields(query, request.args)
            return idempotency.answer_once(key, raw, lambda: respond(view(**arguments, **path)))

        declare(run, Call(summary, scope, limit, body, query, answers, refusals, raw_body, "partnerKey"))
        return run

    return decorate


def server_call(
    summary: str,
    *,
    answers: dict[int, type[Shape] | None],
    body: type[Shape] | None = None,
    query: type[Shape] | None = None,
    refusals: tuple[int, ...] = (),
) -> Callable[[View], View]:
    """A call of /api/servers/self. The view is given `server`, `body` and `query`."""

    def decorate(view: View) -> View:
        @functools.wraps(view)
        def run(**path: str) -> Response:
            server: Server = authenticate_server(bearer())
            arguments: dict[str, Any] = {"server": server}
            if body:
                arguments["body"] = parse_json(body, read_body())
            if query:
                arguments["query"] = parse_fields(query, request.args)
            return respond(view(**arguments, **path))

        declare(run, Call(summary, None, "", body, query, answers, refusals, None, "serverToken"))
        return run

    return decorate


def declare(run: View, call: Call) -> None:
    """Attach the declaration where `openapi.py` finds it."""
    run.api_call = call  # type: ignore[attr-defined]  # functions carry what they are told


def declared(view: View) -> Call | None:
    """The declaration of a registered view, if it has one."""
    return getattr(view, "api_call", None)


def bearer() -> str | None:
    """The token of the Authorization header, if it is a bearer token."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def rate_of(limit: str) -> str:
    found = settings()
    return {UPLOAD: found.upload_rate, PARTS: found.parts_rate}.get(limit, found.api_rate)


def read_body() -> bytes:
    """The JSON body, at most 1 MiB (MAX_CONTENT_LENGTH; larger ones are 413). While it comes no database connection is
    held, and a client that stalls is given up (400)."""
    if request.mimetype and request.mimetype != "application/json":
        raise UnsupportedMediaType(
            f"The body is {request.mimetype}; this call takes JSON. Send it with `Content-Type: application/json`."
        )
    pause()
    return request.get_data(cache=False)


def respond(answer: Answer | Response) -> Response:
    """A view's answer as a response. GETs carry an ETag of their bytes, and a matching If-None-Match gets 304."""
    if isinstance(answer, Response):
        return answer
    response = Response(status=answer.status, mimetype="application/json")
    if answer.shape is None:
        response.headers.pop("Content-Type", None)
    else:
        response.set_data(answer.shape.model_dump_json(by_alias=True, exclude_unset=True))
    response.headers.update(answer.headers)
    response.headers.setdefault("Cache-Control", "private, no-cache")
    if request.method in {"GET", "HEAD"} and answer.status == 200:
        if "ETag" not in response.headers:
            response.add_etag(weak=True)
        response.make_conditional(request)
    return response
