"""The command palette's search: what it finds, best first, and only what the member may open."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from app.data.extensions import db
from app.data.models.partner import Partner
from app.fleet.servers import retire_server
from tests.app.web import scenes
from tests.app.web.conftest import HTMX, ONE_DATABASE, Visitor
from tests.app.web.reading import plain
from tests.app.web.scenes import Sent
from tests.conftest import CAST, Cast

pytestmark = ONE_DATABASE

# Pages without arguments that the palette leaves out: fragments, redirects, and what is not a page.
NOT_OFFERED = {"/", "/search", "/search/results", "/settings", "/settings/keys/env"}


@pytest.fixture
def catalog(cast: Cast, six_servers: list[str]) -> None:
    partner_id = cast.starlight.partner_id
    scenes.add_game(partner_id, "Members of the Choir", "choir", age=timedelta(days=1))
    scenes.add_game(partner_id, "Paper Lanterns", "paper-lanterns", [Sent() for _ in range(12)])
    scenes.add_game(cast.moonbase.partner_id, "Paper Moon", "paper-moon", [Sent()])


def found(visitor: Visitor, text: str) -> dict[str, list[tuple[str, str]]]:
    """Group -> (name, address) of its options."""
    answer = visitor.get("/search/results", query_string={"q": text}, headers=HTMX)
    assert answer.status_code == 200, answer.text
    groups = {}
    for group in re.findall(r'<div role="group".*?</div>', answer.text, re.DOTALL):
        name = re.search(r'role="presentation">(.*?)</p>', group)
        assert name
        options = re.findall(r'<a class="result".*?href="([^"]*)".*?>\s*<span>(.*?)</span>', group, re.DOTALL)
        groups[name[1]] = [(html.unescape(label), html.unescape(address)) for address, label in options]
    return groups


def names(visitor: Visitor, text: str) -> dict[str, list[str]]:
    return {group: [name for name, _ in options] for group, options in found(visitor, text).items()}


def test_games_builds_pages_and_actions_are_found(owner: Visitor, catalog: None) -> None:
    assert found(owner, "paper lanterns") == {"Games": [("Paper Lanterns", "/games/paper-lanterns")]}
    assert found(owner, "paper-lanterns 12") == {
        "Builds": [("Paper Lanterns, build 12", "/games/paper-lanterns/builds/12")]
    }
    assert found(owner, "lanterns details") == {"Pages": [("Details: Paper Lanterns", "/games/paper-lanterns/details")]}
    assert found(owner, "send lanterns") == {
        "Actions": [("Send a build: Paper Lanterns", "/games/paper-lanterns#send")]
    }
    assert found(owner, "theme") == {"Pages": [("Appearance", "/settings/appearance")]}


def test_pages_are_found_by_the_words_of_other_products(owner: Visitor, catalog: None) -> None:
    for word in ("team", "users", "colleague"):
        assert names(owner, word) == {"Pages": ["Members"], "Actions": ["Invite a member"]}, word
    assert names(owner, "ci") == {"Pages": ["API keys"], "Actions": ["Create a key"]}
    assert names(owner, "rollbacks") == {"Pages": ["Activity"]}
    for word in ("compare", "roll back"):
        assert names(owner, f"lanterns {word}") == {"Pages": ["Builds: Paper Lanterns"]}, word


def test_the_group_with_the_best_result_is_first(owner: Visitor, catalog: None) -> None:
    assert list(names(owner, "members")) == ["Pages", "Games"]
    assert list(names(owner, "members of")) == ["Games"]


def test_without_a_text_recent_games_come_first(owner: Visitor, catalog: None) -> None:
    suggested = names(owner, " ")
    assert list(suggested) == ["Games", "Pages", "Actions"]
    assert suggested["Games"] == ["Paper Lanterns", "Members of the Choir"]
    assert suggested["Actions"][0] == "Register a game"


def test_at_most_20_results_of_a_few_kilobytes_are_sent(owner: Visitor, cast: Cast, catalog: None) -> None:
    for number in range(30):
        scenes.add_game(cast.starlight.partner_id, f"Settings and audit {number}", f"a-{number}", [Sent()])
    for text in ("", "a", "s", "1", "settings", "audit 1"):
        answer = owner.get("/search/results", query_string={"q": text}, headers=HTMX)
        assert answer.text.count('role="option"') <= 20
        assert len(answer.data) < 9_000
    assert owner.get("/search/results?q=settings").text.count('role="option"') > 10


def test_a_member_is_offered_only_what_the_role_may_do(
    cast: Cast, signed_in: Callable[[str], Visitor], catalog: None
) -> None:
    actions = {}
    for role in ("owner", "developer", "viewer"):
        visitor = signed_in(getattr(cast.starlight, role))
        actions[role] = names(visitor, "")["Actions"]
        for text in ("", "paper", "lanterns 12", "lanterns a", "lanterns send", "new lanterns", "settings"):
            for options in found(visitor, text).values():
                for name, address in options:
                    assert visitor.get(address).status_code == 200, (role, name, address)
    assert actions["viewer"] == ["Change your password"]
    assert actions["developer"] == ["Register a game", "Change your password"]
    assert {"Create a key", "Add an app", "Invite a member"} <= set(actions["owner"])
    assert "Actions" not in names(signed_in(cast.starlight.viewer), "send lanterns")


def test_nothing_of_another_partner_is_found(stranger: Visitor, owner: Visitor, catalog: None) -> None:
    assert names(owner, "paper")["Games"] == ["Paper Lanterns"]
    assert names(stranger, "paper")["Games"] == ["Paper Moon"]
    for text in ("lanterns", "paper-lanterns 12", "choir details", "starlight"):
        assert not names(stranger, text)
    assert found(owner, "srv-04") == {"Servers": [("srv-04", "/servers/srv-04")]}  # with their own builds on it alone
    assert names(owner, "srv-04 token") == {}
    assert names(owner, "moonbase") == {}


def test_operators_find_servers_and_partners(cast: Cast, signed_in: Callable[[str], Visitor], catalog: None) -> None:
    operator = signed_in(cast.operator)
    partner = db.session.get_one(Partner, cast.moonbase.partner_id)
    assert found(operator, partner.name) == {"Partners": [(partner.name, f"/operator/partners/{partner.id}")]}
    assert found(operator, "srv-04") == {"Servers": [("srv-04", "/operator/servers/srv-04")]}
    assert names(operator, "sin")["Servers"] == ["srv-04", "srv-05"]  # the region
    assert found(operator, "srv-04 token") == {
        "Actions": [("Roll the token: srv-04", "/operator/servers/srv-04/token")]
    }
    assert names(operator, "paper") == {}  # games have pages for their partner alone
    retire_server("srv-04", CAST)
    assert names(operator, "srv-04") == {}
    for text in ("", "srv", "retire srv-05", "add", "quota"):
        for options in found(operator, text).values():
            for name, address in options:
                assert operator.get(address).status_code == 200, name


def test_every_page_without_arguments_is_offered(
    app: Flask, cast: Cast, owner: Visitor, signed_in: Callable[[str], Visitor]
) -> None:
    """A new page cannot be forgotten in app/web/palette/places.py."""
    for visitor, is_operator in ((owner, False), (signed_in(cast.operator), True)):
        offered = {address.split("#")[0] for options in found(visitor, "").values() for _, address in options}
        assert len(offered) > 8
        for rule in app.url_map.iter_rules():
            is_page = rule.endpoint.count(".") == 1 and "GET" in (rule.methods or ()) and not rule.arguments
            if not is_page or rule.rule in NOT_OFFERED or rule.rule.endswith(("/parts", "/live")):
                continue
            if rule.rule.startswith("/operator") != is_operator:
                continue
            answer = visitor.get(rule.rule)
            if answer.status_code == 200 and answer.mimetype == "text/html" and "<h1>" in answer.text:
                assert rule.rule in offered, rule.rule


def test_the_page_shows_the_same_results_without_a_script(owner: Visitor, catalog: None) -> None:
    page = owner.get("/search?q=lanterns").text
    assert '<a class="result" href="/games/paper-lanterns">' in page
    assert 'role="option"' not in page.partition("<template")[0]
    assert "1 result " in plain(page)
    assert re.search(r'name="q"\s+value="lanterns"', page)
    assert "Nothing matches “zzz”" in plain(owner.get("/search?q=zzz").text)


@pytest.mark.parametrize("text", ["—", "<script>", "%", "a" * 5_000, "１２", "\u202e"])
def test_any_text_is_an_answer(owner: Visitor, catalog: None, text: str) -> None:
    answer = owner.get("/search/results", query_string={"q": text}, headers=HTMX)
    assert answer.status_code == 200
    assert "<script>" not in answer.text
    shown = re.search(r'data-for="([^"]*)"', answer.text)
    assert shown
    assert html.unescape(shown[1]) == text


def test_every_page_has_the_palette_for_members_only(owner: Visitor, visitor: Visitor) -> None:
    page = owner.get("/games").text
    link = re.search(r'<a class="find".*?</a>', page, re.DOTALL)
    assert link
    assert 'href="/search"' in link[0]
    assert "Ctrl K" in link[0]
    assert 'role="combobox"' in page
    assert "palette" not in visitor.get("/sign-in").text
