"""The pipeline of every JSON call: authenticate, apply limits, look up, read and parse the body, run the view, respond.

An `Api` is a sequence of steps. Their order is part of its contract, because it decides which error a caller gets
first. The three APIs and the dashboard differ only in these steps (`app/api/apis.py`). A `Call` declares one call of an
API. The OpenAPI document is made from the same declarations (`app/api/openapi.py`).

A step (`app/api/steps.py`) checks or fills in one part of the `CallContext` of a request, or raises a Refusal.
`app/api/error_responses.py` puts refusals into the API's envelope, also those from before a view is found.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

from flask import Response, current_app, request

from app.accounts.callers import Caller
from app.api import conditions, idempotency
from app.api.api_rate_limits import Limit
from app.api.envelopes import Envelope
from app.api.json_shapes import Shape, encode, parse_fields

View = Callable[..., Any]
RUN_AGAIN: Literal["run again"] = "run again"
ReplayView = View | Literal["run again"]


@dataclass(frozen=True)
class Result:
    """What a view returns: a shape (None for an empty body), a status, and headers to add.

    `replay_data` is for calls with `on_replay`: what a replay needs from the first request (see `Call.on_replay`)."""

    shape: Shape | None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    replay_data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """The declaration of one call.

    `responses` maps each success status to its shape, `errors` are the error statuses that the call adds to the common
    ones. `target` finds the object within the game that the last argument of the path names. `limit` names one of the
    API's rates. `raw_body` and `raw_response` are the content type of bytes that the view reads, or returns if the
    caller does not prefer JSON. `takes_checksum`: the view reads the header X-Checksum-Sha256. `finds_game` is False
    for a view that looks its game up itself, by `slug` and in the query that reads what it answers; it may hold no
    database connection meanwhile.

    `on_replay` is for a call whose response must not be stored, because it contains presigned addresses, which anybody
    can use. It is RUN_AGAIN when the view can simply run again. Otherwise it is a view that also gets the
    `replay_data` of the first result. `waits_for_storage`: the view frees its database connection to ask storage, so it
    cannot be run in a transaction. `free_refusals`: a call that is refused with one of these did nothing that its limit
    counts, so it counts as a plain call (see `Api.plain_limit`)."""

    api: Api
    view: View
    summary: str
    responses: Mapping[int, type[Shape] | None]
    scope: str | None = None
    limit: str = ""
    body: type[Shape] | None = None
    query: type[Shape] | None = None
    raw_body: str | None = None
    raw_response: str | None = None
    takes_checksum: bool = False
    errors: tuple[int, ...] = ()
    target: Callable[[Any, str], Any] | None = None
    on_replay: ReplayView | None = None
    waits_for_storage: bool = False
    free_refusals: tuple[type[Exception], ...] = ()
    finds_game: bool = True

    @property
    def frees_connection(self) -> bool:
        """Whether its view or its steps free the request's database connection, so that rows found before are lost."""
        return self.waits_for_storage or not self.finds_game

    @property
    def security(self) -> str:
        """Name of the security scheme in the OpenAPI document; "" for a call that is not in the document."""
        return self.api.security


Step = Callable[["CallContext"], None]


@dataclass(frozen=True)
class Api:
    """One JSON API.

    `rates` are its rate limits by name; one that is missing is not applied. `plain_limit` counts replays of stored
    answers, and refused calls that their own limit does not count. `limit_prefix` separates its counters from those of
    other APIs, and `caller_label` is how a "rate limited" message refers to the caller. With `checks_content_type`, a
    body with a content type other than JSON is refused.

    `lock` locks the rows of a call's object in a write transaction, for If-Match; `reading_steps` look the object up.
    Without them, If-Match is ignored."""

    name: str
    security: str
    envelope: Envelope
    steps: tuple[Step, ...]
    rates: Mapping[str, Limit] = field(default_factory=dict)
    default_limit: str = ""
    plain_limit: str = ""
    limit_prefix: str = ""
    caller_label: str = "this key"
    checks_content_type: bool = False
    reading_steps: tuple[Step, ...] = ()
    lock: Callable[[CallContext], None] | None = None
    idempotent: bool = False

    def call(
        self,
        summary: str,
        *,
        responses: Mapping[int, type[Shape] | None],
        scope: str | None = None,
        limit: str | None = None,
        body: type[Shape] | None = None,
        query: type[Shape] | None = None,
        raw_body: str | None = None,
        raw_response: str | None = None,
        takes_checksum: bool = False,
        errors: tuple[int, ...] = (),
        target: Callable[[Any, str], Any] | None = None,
        on_replay: ReplayView | None = None,
        waits_for_storage: bool = False,
        free_refusals: tuple[type[Exception], ...] = (),
        finds_game: bool = True,
    ) -> Callable[[View], View]:
        """Declare the decorated view as a call of this API. The keywords are the fields of `Call`.

        Raises ValueError for a limit that the API does not have: a typing mistake would leave the call unlimited."""
        limit = self.default_limit if limit is None else limit
        if limit and limit not in self.rates:
            raise ValueError(f"{summary}: the API {self.name!r} has no limit named {limit!r}")
        return lambda view: flask_view(
            Call(
                api=self,
                view=view,
                summary=summary,
                responses=responses,
                scope=scope,
                limit=limit,
                body=body,
                query=query,
                raw_body=raw_body,
                raw_response=raw_response,
                takes_checksum=takes_checksum,
                errors=errors,
                target=target,
                on_replay=on_replay,
                waits_for_storage=waits_for_storage,
                free_refusals=free_refusals,
                finds_game=finds_game,
            )
        )


def flask_view(call: Call) -> View:
    """The Flask view of a declared call."""

    @functools.wraps(call.view)
    def run(**path: str) -> Response:
        context = CallContext(call, path)
        try:
            for step in call.api.steps:
                step(context)
            return context.response()
        except Exception as refusal:
            context.when_refused(refusal)
            raise

    run.api_call = call  # type: ignore[attr-defined]  # where `declared_call` finds it
    return run


def view_for_api(api: Api, view: View) -> View:
    """The view of a declared call, as a call of another API, which authenticates its callers differently."""
    call = declared_call(view)
    if call is None:
        raise ValueError(f"{view} is not a declared call")
    return flask_view(replace(call, api=api))


def declared_call(view: View | None) -> Call | None:
    """The declaration of a registered view, or None."""
    return getattr(view, "api_call", None)


class CallContext:
    """The state of one request while its steps run.

    Steps fill in `arguments`, the keyword arguments of the view: `caller` (or `server`), `game` for a path with a game,
    `target`, `body`, `query`, and the rest of the path."""

    def __init__(self, call: Call, path: Mapping[str, str]) -> None:
        self.call = call
        self.path = path
        self.arguments: dict[str, Any] = dict(path)
        self.body = b""
        self.when_refused: Callable[[Exception], None] = lambda _: None

    @property
    def caller(self) -> Caller:
        found: Caller = self.arguments["caller"]
        return found

    def response(self) -> Response:
        """Run the view. A POST that repeats an Idempotency-Key gets the response of the first request."""
        call, arguments = self.call, self.arguments
        token = idempotency.idempotency_key() if call.api.idempotent else None
        if token is None:
            return to_response(self._result())

        def run() -> tuple[Response, Mapping[str, str] | None]:
            result = self._result()
            return to_response(result), result.replay_data if call.on_replay else None

        def replay(data: Mapping[str, str]) -> Response:
            if callable(call.on_replay):
                return to_response(call.on_replay(**arguments, replay_data=data))
            return to_response(call.view(**arguments))

        return idempotency.run_once(self.caller.id, token, self.body, run, replay)

    def _result(self) -> Any:
        """Run the view. A change with If-Match is made only if the object still has that ETag."""
        call = self.call
        if request.method in {"GET", "HEAD"} or call.api.lock is None:
            return call.view(**self.arguments)
        reader = declared_call(current_app.view_functions.get(conditions.path_has_etag() or ""))
        lock = partial(call.api.lock, self) if reader and not reader.waits_for_storage else None
        with conditions.only_if_matched(partial(self._etag_at, reader), lock):
            if reader and reader.frees_connection and "If-Match" in request.headers:
                self._look_up_again()
            return call.view(**self.arguments)

    def _look_up_again(self) -> None:
        for step in self.call.api.reading_steps:
            step(self)

    def _etag_at(self, reader: Call | None) -> str | None:
        """The ETag that a GET of this path has now."""
        if reader is None:
            return None
        context = CallContext(replace(reader, api=self.call.api), self.path)
        context._look_up_again()
        if reader.query:
            context.arguments["query"] = parse_fields(reader.query, request.args)
        return with_etag(to_response(reader.view(**context.arguments))).headers["ETag"]


def to_response(result: Result | Response) -> Response:
    """A view's result as a response. GET and PATCH have an ETag of their bytes, because a PATCH is answered with what
    a GET would be. For a GET, a matching If-None-Match gets 304, and an If-Match that does not match gets 412."""
    if isinstance(result, Response):
        return result
    response = Response(status=result.status, mimetype="application/json")
    if result.shape is None:
        response.headers.pop("Content-Type", None)
    else:
        response.set_data(encode(result.shape))
    response.headers.update(result.headers)
    response.headers.setdefault("Cache-Control", "private, no-cache")
    if result.status == 200 and request.method in {"GET", "HEAD", "PATCH"}:
        with_etag(response)
    if result.status == 200 and request.method in {"GET", "HEAD"}:
        conditions.require_match(response.headers["ETag"])
        response.make_conditional(request)
    return response


def with_etag(response: Response) -> Response:
    """The response with an ETag of its bytes, unless its view has set one."""
    response.add_etag()
    return response
