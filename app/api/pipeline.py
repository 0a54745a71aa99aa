"""The one way of every JSON call: recognise, count, look up, read the body, parse, answer, envelope.

An `Api` is a tuple of steps in the order of its contract, which decides what error a caller meets first; the three APIs
and the dashboard differ in nothing else (`app/api/apis.py`). A `Call` declares one call of an API. The same
declarations make the OpenAPI document (`app/api/openapi.py`).

A step (`app/api/steps.py`) reads or fills one part of the `CallContext` of a request, or raises a Refusal.
`app/api/error_responses.py` writes refusals, from here and from before a view is found, in the API's envelope.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from flask import Response, request

from app.accounts.callers import Caller
from app.api import idempotency
from app.api.envelopes import Envelope
from app.api.json_shapes import Shape
from app.config.settings import Settings
from app.data.models.game import Game

View = Callable[..., Any]
RUN_AGAIN: Literal["run again"] = "run again"
ReplayView = View | Literal["run again"]


@dataclass(frozen=True)
class Result:
    """What a view returns: a shape (None for an empty body), a status, and headers where there are any of its own.

    `kept` is for a call with `again`: what a replay needs to know of the first answer (see `Call.again`)."""

    shape: Shape | None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    kept: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """The declaration of one call.

    `below` finds what the last argument of the path names within the game. `limit` is one of the API's rates.

    `again` is for a call whose answer must not be stored for a replay, because it holds addresses that work for
    anybody: REPEAT where the call can simply be done again, else a view that is also given what the first answer kept
    (`kept`)."""

    api: Api
    view: View
    summary: str
    answers: Mapping[int, type[Shape] | None]
    scope: str | None = None
    limit: str = ""
    body: type[Shape] | None = None
    query: type[Shape] | None = None
    raw_body: str | None = None
    refusals: tuple[int, ...] = ()
    below: Callable[[Game, str], Any] | None = None
    again: ReplayView | None = None

    @property
    def security(self) -> str:
        """How the OpenAPI document calls what its callers are recognised by; "" for a call that is not in it."""
        return self.api.security


Step = Callable[["CallContext"], None]


@dataclass(frozen=True)
class Api:
    """One JSON API. `rates` are its limits by name; a limit without a rate is not counted. `whom` is how the refusal of
    a limit calls the caller; `counted_as` keeps its counts apart from another API's. `media_types` are what a JSON body
    may be sent as, beside nothing; empty for an API that reads a body whatever it is called."""

    name: str
    security: str
    envelope: Envelope
    order: tuple[Step, ...]
    rates: Mapping[str, Callable[[Settings], str]] = field(default_factory=dict)
    default_limit: str = ""
    counted_as: str = ""
    whom: str = "this key"
    media_types: frozenset[str] = frozenset()
    idempotent: bool = False

    def call(
        self,
        summary: str,
        *,
        answers: Mapping[int, type[Shape] | None],
        scope: str | None = None,
        limit: str | None = None,
        body: type[Shape] | None = None,
        query: type[Shape] | None = None,
        raw_body: str | None = None,
        refusals: tuple[int, ...] = (),
        below: Callable[[Game, str], Any] | None = None,
        again: ReplayView | None = None,
    ) -> Callable[[View], View]:
        """Declare the decorated view as a call of this API. The keywords are the fields of `Call`."""
        limit = self.default_limit if limit is None else limit
        if limit and limit not in self.rates:  # a slip of the pen would be a call without a limit
            raise ValueError(f"{summary}: the API {self.name!r} has no limit named {limit!r}")
        return lambda view: flask_view(
            Call(self, view, summary, answers, scope, limit, body, query, raw_body, refusals, below, again)
        )


def flask_view(call: Call) -> View:
    """The Flask view of a declared call."""

    @functools.wraps(call.view)
    def run(**path: str) -> Response:
        passage = CallContext(call, path)
        for step in call.api.order:
            step(passage)
        return passage.answer()

    run.api_call = call  # type: ignore[attr-defined]  # where `declared_call` finds it
    return run


def view_for_api(api: Api, view: View) -> View:
    """A declared call of one API as a call of another, whose callers are recognised in another way."""
    call = declared_call(view)
    if call is None:
        raise ValueError(f"{view} is no declared call")
    return flask_view(replace(call, api=api))


def declared_call(view: View | None) -> Call | None:
    """The declaration of a registered view, if it has one."""
    return getattr(view, "api_call", None)


class CallContext:
    """One request on its way. Steps fill in `arguments`, which the view is called with: `caller` (or `server`), `game`
    for a path that names one, `found` for what is `below` it, `body`, `query`, and the rest of the path."""

    def __init__(self, call: Call, path: Mapping[str, str]) -> None:
        self.call = call
        self.path = path
        self.arguments: dict[str, Any] = dict(path)
        self.body = b""

    @property
    def caller(self) -> Caller:
        found: Caller = self.arguments["caller"]
        return found

    def answer(self) -> Response:
        """What the view answers; a POST that was answered before under the same Idempotency-Key gets that answer."""
        call, arguments = self.call, self.arguments
        token = idempotency.idempotency_key() if call.api.idempotent else None
        if token is None:
            return to_response(call.view(**arguments))

        def work() -> tuple[Response, Mapping[str, str] | None]:
            answer = call.view(**arguments)
            return to_response(answer), answer.kept if call.again else None

        def replay(kept: Mapping[str, str]) -> Response:
            return to_response(call.again(**arguments, kept=kept) if callable(call.again) else call.view(**arguments))

        return idempotency.run_once(self.caller.id, token, self.body, work, replay)


def to_response(answer: Result | Response) -> Response:
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
