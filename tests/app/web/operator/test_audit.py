"""The whole audit log."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from app.accounts.audit.audit_history import PAGE_SIZE as ON_A_PAGE
from app.accounts.audit_log import record
from app.catalog.games import register_game
from app.data.database import writing
from app.data.extensions import db
from app.data.models.partner import Partner
from app.fleet.servers import pause_server
from tests.app.fleet.counting import statements
from tests.app.web.conftest import Visitor
from tests.conftest import CAST, Cast

PAGE = "/operator/audit"


@pytest.fixture
def operator(cast: Cast, signed_in: Callable[[str], Visitor]) -> Visitor:
    return signed_in(cast.operator)


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text.replace("\u00a0", " "))).strip()


def entries(page: str) -> list[str]:
    return [plain(row) for row in re.findall(r'<tr role="row" id="entry-\d+">.*?</tr>', page, re.DOTALL)]


def register(partner_id: str, title: str) -> None:
    partner = db.session.get_one(Partner, partner_id)
    metadata = {"title": title, "developer": "x", "description": "x", "tags": ["x"]}
    register_game(partner, title.lower().replace(" ", "-"), metadata, CAST)


def test_everybodys_deeds_are_listed_newest_first(operator: Visitor, cast: Cast) -> None:
    register(cast.starlight.partner_id, "Low Tide")
    register(cast.moonbase.partner_id, "Sea of Rain")
    pause_server("srv-02", True, CAST)
    found = entries(operator.get(PAGE).text)
    assert "Paused downloads of srv-02" in found[0]
    assert re.search("Registered Sea of Rain.* Moonbase$", found[1])
    assert re.search("Registered Low Tide.* Starlight Studio$", found[2])


def test_filters_are_in_the_address(operator: Visitor, cast: Cast) -> None:
    register(cast.starlight.partner_id, "Low Tide")
    register(cast.moonbase.partner_id, "Sea of Rain")
    servers = entries(operator.get(f"{PAGE}?kind=servers").text)
    assert len(servers) == 3
    assert all("Added the server" in each for each in servers)
    theirs = operator.get(f"{PAGE}?partner={cast.moonbase.partner_id}&kind=games")
    assert [each for each in entries(theirs.text) if "Sea of Rain" not in each] == []
    assert len(entries(theirs.text)) == 1
    assert f'<option value="{cast.moonbase.partner_id}" selected>' in theirs.text
    assert "No entries match “Builds”." in operator.get(f"{PAGE}?kind=builds").text
    assert len(entries(operator.get(f"{PAGE}?kind=nonsense&partner=nobody&before=x").text)) > 5


def test_a_search_looks_at_the_whole_platform(operator: Visitor, cast: Cast) -> None:
    register(cast.starlight.partner_id, "Low Tide")
    register(cast.moonbase.partner_id, "Sea of Rain")
    (found,) = entries(operator.get(f"{PAGE}?q=registered+sea").text)
    assert "Registered Sea of Rain" in found
    page = operator.get(f"{PAGE}?q=registered&partner={cast.starlight.partner_id}").text
    assert ["Low Tide" in each for each in entries(page)] == [True]
    assert f'href="{PAGE}?q=registered">Starlight Studio<' in page
    oldest = entries(operator.get(f"{PAGE}?kind=games&sort=at").text)
    assert oldest == entries(operator.get(f"{PAGE}?kind=games").text)[::-1]


def test_older_entries_are_on_further_pages(operator: Visitor, cast: Cast) -> None:
    with writing() as session:
        for number in range(ON_A_PAGE + 5):
            record(session, CAST, "server.paused", f"srv-{number:03}")
    first = operator.get(f"{PAGE}?kind=servers").text
    assert len(entries(first)) == ON_A_PAGE
    older = re.search(r'href="([^"]+)">Next page<', first)
    assert older
    second = operator.get(older[1].replace("&amp;", "&")).text
    assert len(entries(second)) == 5 + 3
    assert "srv-004" in entries(second)[0]
    assert ">First page<" in second


def test_a_page_costs_the_same_for_many_entries(operator: Visitor, cast: Cast) -> None:
    def queries() -> int:
        with statements() as sent:
            assert operator.get(PAGE).status_code == 200
        return sent.queries

    few = queries()
    for number in range(10):
        register(cast.starlight.partner_id, f"Game {number}")
    assert queries() == few <= 6
