"""Numbers too large for a column or for 64 bits, NUL and odd dates, as every value that any route takes: in its path,
its query, its form and its JSON. They are refused, and never a fault of ours."""

from __future__ import annotations

import base64
import copy
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import insert
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from app.api.openapi import describe
from app.api.pipeline import declared_call
from app.data.database import writing
from app.data.models.partner import Member
from tests.app.api.json_calls import MARKER, UNLIMITED, fill_partner
from tests.app.api.test_strangers import CHANGING, FORM, NOBODYS, OWNED
from tests.conftest import bearer
from tests.filled_tables import Rows
from tests.signed_in_browsers import begin_session

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.settings(**UNLIMITED)]

NUMBERS = [2**31, 2**63, 2**64, -1, 10**40]
DATES = ["2026-02-30", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"]
TEXTS = ["\x00", "\ud800", "²", "9" * 5000, *DATES]
TOO_LARGE = {str(2**63), str(2**64), str(10**40)}
NUMBERS_BY_NAME = {"before", "revision", "limit", "since", "wait", "build"}
VALUES = [*map(str, NUMBERS), *TEXTS]
# Those that reach a column unless something before it refuses them. The others are the same to every database.
COLUMNS_VALUES = [str(2**31), str(2**63), str(10**40), "\x00", "\ud800"]


@pytest.fixture
def values(database_url: str) -> list[str]:
    return VALUES if database_url.startswith("sqlite") else COLUMNS_VALUES


def cursors(values: list[str]) -> list[str]:
    """Words that look like places in a list."""
    places = [f"{value}{more}" for value in values for more in ("", " game_x", f" {2**63}")]
    encoded = [base64.urlsafe_b64encode(place.encode(errors="surrogatepass")) for place in places]
    return [text.decode().rstrip("=") for text in encoded]


class Noting(ImmutableMultiDict[str, str]):
    """Query or form that notes which names are asked for."""

    names: set[str] = set()

    def __getitem__(self, key: str) -> str:
        self.names.add(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self.names.add(str(key))
        return super().__contains__(key)

    def get(self, key: str, *rest: Any, **more: Any) -> Any:
        self.names.add(key)
        return super().get(key, *rest, **more)

    def getlist(self, key: str, *rest: Any, **more: Any) -> list[Any]:
        self.names.add(key)
        return super().getlist(key, *rest, **more)


@dataclass
class Asker:
    """Somebody who may call everything: an owner at pages, an operator at theirs, a key or a server's token."""

    app: Flask
    rows: Rows

    def __post_init__(self) -> None:
        self.paths = {**NOBODYS, **{name: self.rows[table][column] for name, (table, column) in OWNED.items()}}
        self.browsers: dict[str, tuple[FlaskClient, dict[str, str]]] = {}
        self.wrong: list[str] = []
        self.tried = 0

    def open(self, rule: Rule, method: str, values: dict[str, Any] | None = None, **options: Any) -> int:
        """The status of one request; a fault of ours is noted."""
        known = self.paths | (values or {})
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: quote(_bytes(known[found[1]])), rule.rule)
        headers = options.pop("headers", {})
        answer = self._ask(rule, method, path, headers, options)
        if answer.status_code == 401 or answer.headers.get("Location", "").startswith("/sign-in"):
            answer.close()  # the request before it signed this browser out
            self.browsers.clear()
            answer = self._ask(rule, method, path, headers, options)
        self.tried += 1
        if answer.status_code in {500, 502}:
            self.wrong.append(f"{method} {path[:150]} {str(options)[:200]}: {answer.status_code}")
            assert len(self.wrong) < 10, self.wrong
        answer.close()
        return answer.status_code

    def _ask(self, rule: Rule, method: str, path: str, headers: dict[str, str], more: dict[str, Any]) -> TestResponse:
        client, own = self._client(rule)
        return client.open(path, method=method, headers=own | headers, buffered=False, **more)

    def _client(self, rule: Rule) -> tuple[FlaskClient, dict[str, str]]:
        call = declared_call(self.app.view_functions[rule.endpoint])
        if call and call.security:
            token = f"{'pp' if call.security == 'partnerKey' else 'srv'}_{MARKER}"
            return self.app.test_client(use_cookies=False), bearer(token)
        member = "operator" if rule.rule.startswith("/operator") else self.rows["members"]["id"]
        if member not in self.browsers:
            client = self.app.test_client()
            self.browsers[member] = client, {"X-CSRFToken": begin_session(self.app, client, member)}
        return self.browsers[member]


def _bytes(value: Any) -> bytes:
    return str(value).encode(errors="surrogatepass")


@pytest.fixture
def asker(app: Flask) -> Asker:
    app.request_class = type("NotingRequest", (app.request_class,), {"parameter_storage_class": Noting})
    rows = fill_partner()
    with writing() as session:
        operator = {"id": "operator", "email": "operator@x", "role": "operator", "partner_id": None}
        session.execute(insert(Member).values(rows["members"] | operator))
    return Asker(app, rows)


def rules(app: Flask) -> list[tuple[Rule, str]]:
    """Every route with every method; what changes something comes last, what removes the most of all."""
    found = [
        (rule, method)
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"})
    ]
    return sorted(found, key=lambda one: (one[1] in CHANGING, one[1] == "DELETE", -len(one[0].rule)))


def example(document: dict[str, Any], schema: dict[str, Any]) -> Any:
    """A value of a schema, with every field that it has, also those that may be left out."""
    if "$ref" in schema:
        return example(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return example(document, schema["anyOf"][0])
    if "properties" in schema:
        return {name: example(document, inner) for name, inner in schema["properties"].items()}
    if "enum" in schema or "const" in schema:
        return schema.get("const", next(iter(schema.get("enum", [])), None))
    if schema.get("type") == "array":
        return [example(document, schema["items"])]
    if schema.get("format") == "date-time":
        return "2026-03-01T12:00:00Z"
    number = schema.get("minimum", 1)
    return {"integer": number, "number": number, "boolean": True}.get(schema.get("type", ""), "x")


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The way to each value of a JSON document that holds no others."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        yield path
        return
    for key, inner in items:
        yield from leaves(inner, (*path, key))


def changed(document: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """A copy with another value at one place."""
    if not path:
        return value
    found = copy.deepcopy(document)
    inner = found
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return found


def done(asker: Asker, at_least: int) -> None:
    assert asker.wrong == []
    assert asker.tried > at_least


def test_in_paths(app: Flask, asker: Asker, values: list[str]) -> None:
    for rule, method in rules(app):
        for name in sorted(rule.arguments):
            for value in (value for value in values if value not in DATES):
                asker.open(rule, method, {name: value})
    done(asker, 1000)


def test_in_queries(app: Flask, asker: Asker, values: list[str]) -> None:
    for rule, method in rules(app):
        if method != "GET":
            continue
        Noting.names = set()
        asker.open(rule, method)
        call = declared_call(app.view_functions[rule.endpoint])
        names = Noting.names | set(call.query.model_json_schema()["properties"] if call and call.query else ())
        if rule.endpoint.endswith((".live", ".parts")):  # the list of the page again, which takes each name alone
            for value in values:
                asker.open(rule, method, query_string="&".join(f"{name}={quote(_bytes(value))}" for name in names))
            continue
        for name in sorted(names):
            more = cursors(values) if name in {"cursor", "after"} else []
            for value in [*values, *more]:
                status = asker.open(rule, method, query_string=f"{name}={quote(_bytes(value))}")
                if (value in TOO_LARGE and name in NUMBERS_BY_NAME) or value == "\x00":
                    assert status == 400, f"{rule} takes {name}={value!r}"
    done(asker, 500)


def test_in_forms(app: Flask, asker: Asker, values: list[str]) -> None:
    number = itertools.count(1)
    for rule, method in rules(app):
        if method not in CHANGING or declared_call(app.view_functions[rule.endpoint]):
            continue
        Noting.names = set()
        asker.open(rule, method, data={})
        names = sorted(Noting.names - {"csrf_token"})
        for value in values:
            asker.open(rule, method, data={name: _bytes(value) for name in names})
        for name, value in itertools.product(names, values[:3]):
            asker.open(rule, method, data=FORM | {"number": str(next(number)), name: _bytes(value)})
    done(asker, 300)


def test_in_json(app: Flask, asker: Asker) -> None:
    document = describe(app)
    for rule, method in rules(app):
        call = declared_call(app.view_functions[rule.endpoint])
        if call is None or call.body is None or not call.security:  # the dashboard's are the same ones
            continue
        good = example(document, document["components"]["schemas"][call.body.__name__])
        for path in leaves(good):
            for value in [*NUMBERS, 1e308, *TEXTS]:
                body = json.dumps(changed(good, path, value))
                status = asker.open(rule, method, data=body, headers={"Content-Type": "application/json"})
                if str(value) in TOO_LARGE:
                    assert status == 400, f"{method} {rule} takes {value} at {path}"
    done(asker, 500)
