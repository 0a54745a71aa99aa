"""What every answer tells the browser, and what no page may hold."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask import Flask

from app.api.pipeline import declared_call
from tests.app.web import scenes
from tests.app.web.conftest import ONE_DATABASE, Visitor
from tests.conftest import PASSWORD, Cast

TEMPLATES = sorted((Path(__file__).parents[4] / "app" / "templates").rglob("*.html"))
GARDEN = "/games/garden-of-forking-paths"
PATHS = [
    "/sign-in",
    "/games",
    GARDEN,
    f"{GARDEN}/matrix",
    f"{GARDEN}/details",
    f"{GARDEN}/activity",
    f"{GARDEN}/builds",
    f"{GARDEN}/assets",
    f"{GARDEN}/assets/parts",
    f"{GARDEN}/components",
    f"{GARDEN}/components/new",
    f"{GARDEN}/revisions",
    f"{GARDEN}/revisions/1/finalization",
    "/games/new",
    "/catalog/parts",
    f"{GARDEN}/builds/4/servers/srv-04",
    "/servers/srv-04",
    "/games/nowhere",
    "/nowhere",
]

# Attributes that run or style something, or that make htmx evaluate text.
_FORBIDDEN = re.compile(r"^(style|on\w+|hx-on.*|hx-vars|data-hx-on.*)$")


class _Lint(HTMLParser):
    """Collects what a strict policy would block."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.ids: list[str] = []
        self.references: list[tuple[str, str]] = []
        self._in: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self._in = tag if tag in {"script", "style"} else None
        if tag == "script" and "src" not in attributes:
            self.found.append("inline script")
        if tag == "style":
            self.found.append("inline style element")
        for name, value in attrs:
            if _FORBIDDEN.match(name):
                self.found.append(f"<{tag} {name}>")
            if (value or "").strip().lower().startswith(("javascript:", "js:", "data:text/html")):
                self.found.append(f"<{tag} {name}={value}>")
            if name == "hx-trigger" and "[" in (value or ""):
                self.found.append(f"<{tag} hx-trigger={value}>: a filter needs eval")
        if attributes.get("id"):
            self.ids.append(str(attributes["id"]))
        for name in ("hx-target", "hx-select", "aria-labelledby", "aria-describedby", "aria-controls", "for", "form"):
            for reference in (attributes.get(name) or "").split():
                self.references.append((name, reference.removeprefix("#")))
        if tag == "a" and (attributes.get("href") or "").startswith("#"):
            self.references.append(("href", str(attributes["href"])[1:]))


def lint(html: str) -> _Lint:
    parser = _Lint()
    parser.feed(html)
    return parser


@pytest.fixture
def pages(cast: Cast, six_servers: list[str], owner: Visitor) -> dict[str, str]:
    """Every kind of page, rendered."""
    scenes.catalog(cast.starlight.partner_id)
    scenes.servers_report(silent=["srv-06"])
    scenes.add_game(cast.starlight.partner_id, "Nothing yet", "nothing-yet")
    paths = [*PATHS[1:], "/games/nothing-yet", "/games?q=zzz"]
    return {path: owner.get(path).text for path in paths}


@ONE_DATABASE
def test_no_page_holds_what_the_policy_would_block_and_references_find_their_ids(pages: dict[str, str]) -> None:
    for path, html in pages.items():
        assert lint(html).found == [], path
        if path.endswith(("/matrix", "/parts")):
            continue  # a fragment refers to the page it goes into
        found = lint(html)
        assert len(found.ids) == len(set(found.ids)), path
        # The title of a dialog comes with what is brought into it.
        assert {name for _, name in found.references} <= {*found.ids, "dialog-title"}, path


def test_forms_and_first_use_hold_nothing_either(visitor: Visitor, cast: Cast) -> None:
    form = visitor.post("/sign-in", {"email": "", "password": ""})
    assert lint(form.text).found == []
    visitor.sign_in(cast.starlight.owner)
    assert lint(visitor.get("/games").text).found == []


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_templates_hold_no_script_no_style_and_nothing_to_evaluate(template: Path) -> None:
    text = re.sub(r"{#.*?#}", "", template.read_text(), flags=re.DOTALL)
    assert lint(re.sub(r"{%.*?%}", "", text, flags=re.DOTALL)).found == []
    assert "| safe" not in re.sub(
        r"\{\{ ((live|gallery|board|builds)\.html\([^)]*\)|(row|cell|counts)\.html) \| safe \}\}", "", text
    )


def test_the_lint_finds_what_it_looks_for() -> None:
    bad = '<p style="x"><script>1</script><a onclick="1" href="javascript:1"><b hx-on:click="1" hx-trigger="click[1]">'
    assert len(lint(bad).found) == 6


@ONE_DATABASE
def test_every_answer_carries_the_policy(owner: Visitor, visitor: Visitor, cast: Cast) -> None:
    for path in [*PATHS, "/healthz", "/api/partners/games", "/static/dist/nothing.js"]:
        headers = owner.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; "), path
        assert "unsafe" not in policy
        assert "*" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"


@ONE_DATABASE
@pytest.mark.settings(S3_PUBLIC_ENDPOINT="http://storage.lan:9000", ASSET_BASE_URL="https://cdn.starlight.example/img")
def test_pages_may_send_to_storage_and_show_from_the_cdn_and_no_more(visitor: Visitor, cast: Cast) -> None:
    policy = visitor.get("/sign-in").headers["Content-Security-Policy"].split("; ")
    assert "connect-src 'self' http://storage.lan:9000" in policy
    assert "img-src 'self' https://cdn.starlight.example" in policy
    assert sum("lan" in part or "starlight" in part for part in policy) == 2


@ONE_DATABASE
def test_pages_are_kept_by_nobody_and_vary(owner: Visitor, cast: Cast) -> None:
    for path in PATHS:
        headers = owner.get(path).headers
        assert headers["Cache-Control"] == "private, no-store", path
        assert "HX-Request" in headers["Vary"], path


@ONE_DATABASE
def test_plain_http_is_not_told_to_insist_on_https(visitor: Visitor, cast: Cast) -> None:
    assert "Strict-Transport-Security" not in visitor.get("/sign-in").headers
    over_https = visitor.get("/sign-in", base_url="https://localhost")
    assert over_https.headers["Strict-Transport-Security"] == "max-age=31536000"


@ONE_DATABASE
def test_forms_work_over_https_where_browsers_send_no_referer(visitor: Visitor, cast: Cast) -> None:
    answer = visitor.get("/sign-in", base_url="https://localhost")
    token = re.search(r'name="csrf-token" content="([^"]+)"', answer.text)
    assert token
    sent = {"email": cast.starlight.owner, "password": PASSWORD, "csrf_token": token[1]}
    entered = visitor.send("POST", "/sign-in", data=sent, base_url="https://localhost")
    assert (entered.status_code, entered.location) == (303, "/games")


@ONE_DATABASE
@pytest.mark.settings(
    SLIPWAY_BASE_URL="https://builds.starlight.example", S3_PUBLIC_ENDPOINT="https://s3.starlight.example", PORT="8123"
)
def test_the_session_cookie_is_its_instances_own_and_out_of_reach(app: Flask, visitor: Visitor, cast: Cast) -> None:
    name = app.config["SLIPWAY"].cookie_name
    answer = visitor.get("/sign-in", base_url="https://localhost")
    cookie = next(value for value in answer.headers.getlist("Set-Cookie") if f"{name}=" in value)
    for attribute in ("HttpOnly", "SameSite=Lax", "Secure"):
        assert attribute in cookie


@ONE_DATABASE
def test_every_route_that_changes_something_wants_a_token(app: Flask, owner: Visitor, cast: Cast) -> None:
    """Asked of every route there is, so that a new one cannot be forgotten."""
    tried = 0
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/api/") or not ({"POST", "PUT", "PATCH", "DELETE"} & (rule.methods or set())):
            continue
        path = re.sub(r"<int:\w+>", "1", rule.rule)
        path = re.sub(r"<\w+>", "x", path)
        for method in {"POST", "PUT", "PATCH", "DELETE"} & (rule.methods or set()):
            answer = owner.send(method, path)
            assert answer.status_code == 400, (method, path)
            assert "out of date" in answer.text
            assert answer.is_json == (declared_call(app.view_functions[rule.endpoint]) is not None), (method, path)
            tried += 1
    assert tried >= 4


@ONE_DATABASE
def test_every_page_is_behind_the_sign_in_but_the_ones_that_cannot_be(app: Flask, visitor: Visitor, cast: Cast) -> None:
    open_to_all = {
        "/sign-in",
        "/healthz",
        "/livez",
        "/readyz",
        "/version",
        "/metrics",
        "/doctor/request",  # without a signature: 404
        "/static/<path:filename>",
        "/static/dist/<file>",
    }
    # Images have addresses that cannot be guessed; an invitation and a password link are their links.
    open_to_all |= {"/uploads/sh/<name>", "/invitations/<secret>", "/new-password/<secret>", "/reference"}
    for rule in app.url_map.iter_rules():
        if rule.rule in open_to_all or rule.rule.startswith("/api/") or "GET" not in (rule.methods or set()):
            continue
        path = re.sub(r"<\w+>", "x", re.sub(r"<int:\w+>", "1", rule.rule))
        answer = visitor.get(path)
        if declared_call(app.view_functions[rule.endpoint]):  # a script is told
            assert answer.status_code == 401, rule.rule
            continue
        assert (answer.status_code, answer.location.split("?")[0]) == (302, "/sign-in"), rule.rule
