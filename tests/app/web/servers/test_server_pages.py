"""Lists of servers are paged: 50 servers, a line that says which, and links to the others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import update

from app.data.database import announce, writing
from app.data.models.base import now
from app.data.models.server import Replica, Server
from app.fleet.active_servers import SERVERS_PER_PAGE
from app.topics.names import FLEET_TOPIC, game_topic, partner_topic
from tests.app.web.conftest import HTMX, ONE_DATABASE, Visitor
from tests.conftest import Cast
from tests.many_rows import SLUG, Many, add_many

pytestmark = ONE_DATABASE

SERVERS = 120  # with the three of the cast, that is three pages
GAME = f"/games/{SLUG}"


@pytest.fixture
def many(cast: Cast) -> None:
    add_many(cast.starlight.partner_id, Many(games=2, builds=5, servers=SERVERS, entries=0, assets=0))
    with writing() as session:  # on a slow machine too, they stay in contact until the end of the test
        session.execute(
            update(Server).where(Server.id.like("many-%")).values(last_report_at=now() + timedelta(hours=1))
        )


@pytest.fixture
def operator(cast: Cast, signed_in: Callable[[str], Visitor]) -> Visitor:
    return signed_in(cast.operator)


def next_address(page: str) -> str:
    found = re.search(r'<a class="button" href="([^"]+)">Next</a>', page)
    return found[1].partition("#")[0] if found else ""


def pages_from(visitor: Visitor, address: str) -> Iterator[str]:
    """Each page of a list, from the first one."""
    while address:
        page = visitor.get(address).text
        yield page
        address = next_address(page)


def rows(page: str) -> list[str]:
    return re.findall(r'<tbody role="rowgroup" id="server-([^"]+)"', page)


def columns(page: str) -> list[str]:
    return re.findall(r'<th role="columnheader" scope="col" id="s-([^"]+)"', page)


def test_every_server_is_on_one_page_of_the_partners_list(owner: Visitor, many: None) -> None:
    pages = list(pages_from(owner, "/servers"))

    shown = [rows(page) for page in pages]
    assert [len(page) for page in shown] == [SERVERS_PER_PAGE, SERVERS_PER_PAGE, SERVERS + 3 - 2 * SERVERS_PER_PAGE]
    assert len({server for page in shown for server in page}) == SERVERS + 3
    assert "Servers 1 to 50 of 123, worst first" in pages[0]
    assert shown[0][0] == "many-0000", "the failed one comes first"
    assert all("123 servers" in page and "1 failed" in page for page in pages), "the head counts all of them"


def test_every_server_is_on_one_page_of_the_operators_list(operator: Visitor, many: None) -> None:
    pages = list(pages_from(operator, "/operator/servers"))

    assert len({server for page in pages for server in rows(page)}) == SERVERS + 3
    assert "Servers 101 to 123 of 123, worst first" in pages[-1]
    assert f'href="/operator/servers?page=2&amp;server={rows(pages[1])[0]}#opened"' in pages[1], (
        "a link stays on its page"
    )


def test_a_server_of_another_page_can_be_opened(operator: Visitor, many: None) -> None:
    last = rows(list(pages_from(operator, "/operator/servers"))[-1])[-1]

    page = operator.get(f"/operator/servers?server={last}").text
    assert last not in rows(page)
    assert f'<h2 id="opened-title">{last}</h2>' in page


def test_the_matrix_has_the_servers_of_one_page_and_counts_all(owner: Visitor, many: None) -> None:
    pages = list(pages_from(owner, GAME))

    shown = [columns(page) for page in pages]
    assert [server for page in shown for server in page] == sorted({server for page in shown for server in page})
    assert [len(page) for page in shown] == [50, 50, 23]
    for page in pages:
        assert "cached on 119 of 123" in page
        assert "119 cached" in page
        assert "(1 failed) Many 0" in page, "the failed server is on the first page"


def test_live_parts_are_those_of_the_page(owner: Visitor, operator: Visitor, many: None) -> None:
    for visitor, address, poll, named in (
        (owner, f"{GAME}?page=2", f"{GAME}/matrix?page=2", columns),
        (owner, "/servers?page=2", "/fleet/parts?page=2", rows),
        (operator, "/operator/servers?page=2&server=srv-01", "/operator/fleet/srv-01/parts?page=2", rows),
    ):
        page = visitor.get(address).text
        stream = poll.replace("/matrix", "/live").replace("/parts", "/live")
        role = "operator" if visitor is operator else "owner"
        assert f'data-poll="{poll}&amp;as_role={role}"' in page
        assert f'sse-connect="{stream}&amp;as_role={role}"' in page
        assert named(visitor.get(poll, headers=HTMX).text) == named(page) != []


def test_few_servers_have_no_pages(owner: Visitor, cast: Cast) -> None:
    add_many(cast.starlight.partner_id, Many(games=1, builds=1, servers=47, entries=0, assets=0))

    for address in (GAME, "/servers"):
        page = owner.get(address).text
        assert "Pages of servers" not in page
        assert len(rows(page) or columns(page)) == 50


def test_an_impossible_page_is_refused(owner: Visitor, many: None) -> None:
    assert owner.get("/servers?page=-1").status_code == 400
    assert rows(owner.get("/servers?page=9").text) == rows(owner.get("/servers?page=3").text)


def test_bytes_to_send_and_retries_are_of_all_servers(owner: Visitor, cast: Cast, many: None) -> None:
    """The servers that wait are on the last page; the first one says what they need."""
    with writing() as session:
        waits = update(Replica).where(Replica.build_id == "build_many5", Replica.server_id >= "many-0110")
        session.execute(waits.values(phase="pending", bytes_done=0, cached_at=None))
        announce(game_topic("game_many0"))

    page = owner.get(GAME).text
    assert "10 queued" in page
    # 10 that wait, one that failed and keeps all its bytes, and the three of the cast that never reported.
    assert "Still to send: 12.1\u00a0GiB" in page


def test_the_question_before_a_release_shows_problems_first(owner: Visitor, many: None) -> None:
    with writing() as session:
        session.execute(update(Server).where(Server.id == "many-0119").values(disk_free_bytes=5))

    pages = list(pages_from(owner, f"{GAME}/builds/1/release"))
    servers = [re.findall(r"<strong>((?:many|srv)-\d+)</strong>", page) for page in pages]
    assert servers[0][0] == "many-0119"
    assert len({server for page in servers for server in page}) == SERVERS + 3
    assert "to 123 servers" in pages[0] or "on 123 servers" in pages[0]


def test_a_banner_names_some_servers_without_contact(owner: Visitor, cast: Cast, many: None) -> None:
    with writing() as session:
        session.execute(update(Server).values(last_report_at=now() - timedelta(hours=1)))
        announce(FLEET_TOPIC, partner_topic(cast.starlight.partner_id))

    page = owner.get("/servers").text
    assert "No contact with 123 servers: many-0000, " in page
    assert "and 115 more" in page
