"""The API reference: all calls of the OpenAPI document, with example commands for the reader's own game and key."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Flask, current_app, render_template
from flask.typing import ResponseReturnValue

from app.accounts.keys import apps_of
from app.catalog.game_lookup import oldest_game
from app.data.models.partner import ApiKey
from app.web.frame.current_user import signed_in_member
from app.web.frame.shown_commands import EXAMPLE_SLUG, base_url
from app.web.reference.openapi_operations import Operation, operations

pages = Blueprint("reference", __name__)

# Path prefix -> (heading, description).
GROUPS = {
    "/api/partners": ("Games and builds", "Register games, send builds, and see which servers have them."),
    "/api/v1": ("Assets and components", "Images, and the components of a game that show them."),
    "/api/servers": ("For a server’s agent", "Calls of the agent on a game server. Partners do not need them."),
}
_EXAMPLE_ID = "game_7k3m9pqr5tvwxyz2a4c6e8"


@dataclass(frozen=True)
class Reader:
    """Values for the example commands: the reader's first game, and for each scope one of their keys that has it."""

    slug: str = EXAMPLE_SLUG
    game_id: str = _EXAMPLE_ID
    keys: Mapping[str, ApiKey] | None = None  # None for operators, and visitors that are not signed in
    any_key: ApiKey | None = None


@dataclass(frozen=True)
class CallWithCommand:
    """A call and its example command. `key_requirement`: the scope, and which of the reader's keys has it."""

    call: Operation
    command: Sequence[str]
    key_requirement: str


@dataclass(frozen=True)
class Group:
    heading: str
    words: str
    calls: Sequence[CallWithCommand]


@pages.get("/reference")
def page() -> ResponseReturnValue:
    """The page. It is public; members that are signed in see their own slug and key."""
    reader, base = _reader(), base_url()
    groups = [
        Group(
            heading,
            words,
            [CallWithCommand(call, command(call, base, reader), key_requirement(call, reader)) for call in calls],
        )
        for heading, words, calls in _calls()()
        if calls
    ]
    return render_template("reference/page.html", groups=groups, reader=reader, base=base)


def _calls() -> Callable[[], list[tuple[str, str, list[Operation]]]]:
    found: Callable[[], list[tuple[str, str, list[Operation]]]] = current_app.extensions["slipway_reference"]
    return found


def _reader() -> Reader:
    member = signed_in_member()
    partner = member.partner if member else None
    if partner is None:
        return Reader()
    first = oldest_game(partner)
    keys = [key for _, found in apps_of(partner) for key in found if not key.rolled]
    by_scope = {scope: key for key in reversed(keys) for scope in key.scopes}
    slug, game_id = (first.slug, first.id) if first else (EXAMPLE_SLUG, _EXAMPLE_ID)
    return Reader(slug, game_id, by_scope, keys[0] if keys else None)


def key_requirement(call: Operation, reader: Reader) -> str:
    """`Needs a key with the scope read. Your key pp_8fK2…x9Qd for CI has it.`"""
    if call.for_servers:
        return "Needs a server’s token instead of a key."
    if not call.scope:
        return ""
    needs = f"Needs a key with the scope {call.scope}"
    if reader.keys is None:
        return f"{needs}."
    key = reader.keys.get(call.scope)
    if key is None:
        return f"{needs}. None of your keys has it."
    return f"{needs}. Your key {key.hint} for {key.app.name} has it."


def command(call: Operation, base: str, reader: Reader) -> list[str]:
    """The `curl` command of a call, line by line. The key comes from the environment."""
    path = call.path
    for name in call.path_parameters:
        value = {"slug": reader.slug, "game_id": reader.game_id, "gameId": reader.game_id}.get(name, name.upper())
        path = path.replace(f"{{{name}}}", value)
    secret = "$SLIPWAY_TOKEN" if call.for_servers else "$SLIPWAY_KEY"
    options = [f'-H "Authorization: Bearer {secret}"']
    start = "curl "
    if call.body_type and call.example is None:
        start = f"curl -T {reader.slug}.tar.gz "
    elif call.method not in {"GET", "POST"} or (call.method == "POST" and call.example is None):
        start = f"curl -X {call.method} "
    if call.body_type:
        options.append(f'-H "Content-Type: {call.body_type}"')
    if call.example is not None:
        options.append(f"-d '{_body(call.example)}'")
    lines = [f"{start}{base}{path}", *(f"  {option}" for option in options)]
    return [f"{line} \\" for line in "\n".join(lines[:-1]).split("\n")] + lines[-1].split("\n")


def _body(value: Any) -> str:
    """JSON for single quotes of a shell. Long objects have one field per line."""
    text = json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict) and len(text) > 72:
        rows = [f"{json.dumps(name)}: {json.dumps(inner, ensure_ascii=False)}" for name, inner in value.items()]
        text = "{" + ",\n       ".join(rows) + "}"
    return text.replace("'", "'\\''")


def init_app(app: Flask) -> None:
    """Register the page. The document is read once, on the first request, when all routes are registered."""

    @functools.cache
    def calls() -> list[tuple[str, str, list[Operation]]]:
        found = operations(app.extensions["slipway_describe_api"](app))
        return [
            (heading, words, [call for call in found if call.path.startswith(start)])
            for start, (heading, words) in GROUPS.items()
        ]

    app.extensions["slipway_reference"] = calls
    app.register_blueprint(pages)
