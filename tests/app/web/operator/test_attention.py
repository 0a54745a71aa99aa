"""Everything that needs attention on one page, capacity at a glance, and actions on several servers at once."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from app.data.database import writing
from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.game import Build
from app.data.models.pack import BuildPack
from app.data.models.partner import Partner
from app.data.models.server import Server
from app.fleet.servers import pause_server
from app.web.lists.list_address import ListAddress
from app.web.live.live_parts import Subject, live_parts
from app.web.operator import attention_items
from app.web.operator.attention_page import AttentionSubject
from app.web.operator.server_list import FleetSubject
from tests.app.fleet.counting import statements
from tests.app.web import fleet_scenes, scenes
from tests.app.web.conftest import HTMX, ONE_DATABASE, Visitor
from tests.app.web.reading import afresh, plain, rows
from tests.app.web.scenes import On, Sent
from tests.conftest import CAST, Cast

pytestmark = ONE_DATABASE
PAGE = "/operator/attention"


@pytest.fixture
def operator(cast: Cast, signed_in: Callable[[str], Visitor]) -> Visitor:
    return signed_in(cast.operator)


@pytest.fixture
def garden(cast: Cast, six_servers: list[str]) -> str:
    """One game with one server in each state, on machines of 1.6 TB; its id."""
    return fleet_scenes.garden_on_machines(cast.starlight.partner_id)


@pytest.fixture
def impatient(app: Flask) -> None:
    """What no topic announces is read with each page."""
    app.extensions["slipway_platform"].interval = timedelta(0)


def paused() -> list[str]:
    afresh()
    return list(db.session.scalars(db.select(Server.id).where(Server.paused_at.is_not(None)).order_by(Server.id)))


def test_servers_that_need_attention_are_listed_worst_first_with_reasons_and_disks(
    operator: Visitor, garden: str
) -> None:
    page = operator.get(PAGE).text
    lines = rows(page)
    assert [re.findall(r"srv-\d\d", line)[0] for line in lines] == ["srv-04", "srv-06", "srv-05"]
    assert "Disk full since" in lines[0]
    assert "99 % 1.45 of 1.46 TiB" in lines[0]
    assert "No contact since" in lines[1]
    assert "Retrying 2 of 5" in lines[2]
    assert "Need attention 3 All 6" in plain(page)
    assert len(rows(operator.get(f"{PAGE}?show=all").text)) == 6
    assert f'href="{PAGE}"' in operator.get("/operator/servers").text


def test_a_healthy_server_with_a_nearly_full_disk_needs_attention(operator: Visitor, cast: Cast) -> None:
    scenes.servers_report()
    assert "All servers are healthy." in plain(operator.get(PAGE).text)
    full = {"disk_total_bytes": fleet_scenes.TB, "disk_free_bytes": fleet_scenes.TB // 20}
    fleet_scenes.columns("srv-02", **full)
    (line,) = rows(operator.get(PAGE).text)
    assert "srv-02" in line
    assert "Disk nearly full 95 %" in line


def test_capacity_is_shown_at_a_glance(operator: Visitor, garden: str) -> None:
    text = plain(operator.get(PAGE).text)
    for figure in (
        "Room for builds 3.4 TiB",
        "Least room 7.5 GiB on srv-04",
        "Disks nearly full 1 of 6",
        "Builds in storage 33.2 GiB",
    ):
        assert figure in text
    assert re.search(r"Still to send \d", text)


def test_packs_quotas_and_partners_without_owners_are_listed(operator: Visitor, garden: str, cast: Cast) -> None:
    with writing() as session:
        builds = session.scalars(db.select(Build).where(Build.game_id == garden)).all()
        for build, state in zip(builds, ("no_room", "failed", "failed"), strict=False):
            session.merge(BuildPack(build_id=build.id, state=state))
        session.get_one(Partner, cast.starlight.partner_id).build_quota_bytes = 36 * 10**9
        session.add(Partner(name="Nobody's <Games>"))
    page = operator.get(PAGE).text
    text = plain(page)
    assert "1 pack is not made The portal’s disk has no room to make them." in text
    assert "2 packs are not made Making them failed several times." in text
    assert "Starlight Studio: Quota at 99 % 33.2 of 33.5 GiB used" in text
    assert "Nobody's <Games>: No owner yet" in text
    assert f'href="/operator/partners/{cast.starlight.partner_id}"' in page
    assert "<Games>" not in page


@pytest.mark.usefixtures("impatient")
def test_the_list_of_servers_counts_what_the_page_lists(operator: Visitor, garden: str) -> None:
    """The number on the link is that of the page, and is as live as the list."""

    def shown() -> set[int]:
        page, parts = operator.get("/operator/servers").text, operator.get("/operator/fleet/parts").text
        listed = operator.get(PAGE).text
        numbers = [re.search(r"Needs attention (\d+)", plain(one)) for one in (page, parts)]
        assert all(numbers)
        things = re.search(r"(\d+) things? needs? attention", plain(listed))
        assert things
        items = len(
            re.findall(r"<li>", listed[listed.index('id="attention-items"') : listed.index('section-foot"><span')])
        )
        assert int(things[1]) == len(rows(listed)) + items
        return {*(int(number[1]) for number in numbers if number), int(things[1])}

    assert shown() == {3}
    pause_server("srv-01", True, CAST)
    with writing() as session:
        session.add(Partner(name="Nobody's Games"))
    assert shown() == {5}
    # Its filters are by state: none of them has the same words for another number.
    assert plain(operator.get("/operator/servers").text).count("Needs attention") == 1


@pytest.mark.parametrize(
    "subject", [FleetSubject(None, ListAddress("/operator/servers")), AttentionSubject(False, False)]
)
def test_a_report_costs_no_query_of_partners_and_packs(app: Flask, garden: str, subject: Subject) -> None:
    parts = live_parts()

    def queries() -> int:
        fleet_scenes.noticed()  # what a report announces
        with statements() as sent:
            assert parts.of(subject)
        return sent.queries

    first, *later = (queries() for _ in range(3))
    assert [first - count for count in later] == [7, 7]
    with writing() as session:
        session.add_all(Partner(name=f"Partner {number}") for number in range(20))
    attention_items.init_app(app)
    assert queries() == first, "as many for many partners"


def test_the_page_is_live(operator: Visitor, garden: str) -> None:
    page = operator.get(f"{PAGE}?show=all").text
    (poll,) = re.findall(r'data-poll="([^"]+)"', page)
    first = operator.get(html.unescape(poll), headers=HTMX)
    assert set(re.findall(r'hx-swap-oob="morph" id="([^"]+)"', first.text)) == {
        "attention-count",
        "capacity",
        "attention-servers",
        "attention-items",
    }
    assert operator.get(html.unescape(poll), headers=HTMX | {"If-None-Match": first.headers["ETag"]}).status_code == 304
    pause_server("srv-01", True, CAST)
    second = operator.get(html.unescape(poll), headers=HTMX).text
    assert "srv-01" in rows(second)[3]
    assert "Downloads paused since" in rows(second)[3]
    assert "csrf_token" not in second, "all operators get the same bytes"
    # A row keeps its check box when others come and go.
    assert re.search(r'<tbody role="rowgroup" id="attention-srv-01">.*?id="choose-srv-01"', second, re.DOTALL)


def test_without_anything_the_page_says_what_would_be_listed(operator: Visitor, cast: Cast) -> None:
    text = plain(operator.get(PAGE).text)
    assert "Nothing needs attention here. Unreachable storage, packs that cannot be made, quotas over 90 %" in text


def test_downloads_of_the_chosen_servers_are_paused_and_resumed(operator: Visitor, garden: str) -> None:
    answer = operator.post(PAGE, {"action": "pause", "server": ["srv-01", "srv-03", "srv-03"], "show": "all"})
    assert (answer.status_code, answer.location) == (303, f"{PAGE}?show=all")
    assert paused() == ["srv-01", "srv-03"]
    assert "Downloads of 2 servers are paused" in plain(operator.get(PAGE).text)
    actions = db.session.scalars(db.select(AuditEntry.action).order_by(AuditEntry.id.desc()).limit(2)).all()
    assert list(actions) == ["server.paused", "server.paused"]
    operator.post(PAGE, {"action": "resume", "server": ["srv-01"]})
    assert paused() == ["srv-03"]


def test_failed_builds_of_the_chosen_servers_are_retried_and_refusals_are_named(operator: Visitor, garden: str) -> None:
    pause_server("srv-05", True, CAST)
    operator.post(PAGE, {"action": "retry", "server": ["srv-04", "srv-05", "srv-99"]})
    assert scenes.retries_asked(garden) == 1
    text = plain(operator.get(PAGE).text)
    assert "1 server retries 1 build now. The downloads of 'srv-05' are paused" in text
    assert "No server 'srv-99'" in text


def test_nothing_chosen_and_unknown_actions_change_nothing(operator: Visitor, owner: Visitor, garden: str) -> None:
    assert operator.post(PAGE, {"action": "pause"}).status_code == 303
    assert "Choose at least 1 server" in plain(operator.get(PAGE).text)
    assert operator.post(PAGE, {"action": "retire", "server": ["srv-01"]}).status_code == 400
    assert owner.get(PAGE).status_code in {403, 404}
    assert owner.post(PAGE, {"action": "pause", "server": ["srv-01"]}).status_code in {403, 404}
    assert paused() == []


def test_all_that_are_listed_are_chosen_without_a_script(operator: Visitor, garden: str) -> None:
    def checked(address: str) -> int:
        return len(re.findall(r'name="server"\s+value="[^"]+"\s+checked', operator.get(address).text))

    assert checked(PAGE) == 0
    assert "Choose all 3" in plain(operator.get(PAGE).text)
    assert 'href="/operator/attention?show=all&amp;choose=all"' in operator.get(f"{PAGE}?show=all").text
    assert checked(f"{PAGE}?choose=all") == 3
    assert checked(f"{PAGE}?show=all&choose=all") == 6


@pytest.mark.usefixtures("impatient")
def test_the_page_costs_the_same_for_many_builds_as_for_few(operator: Visitor, cast: Cast) -> None:
    def queries(games: int) -> int:
        for _ in range(games):
            slug = f"game-{len(slugs)}"
            slugs.append(slug)
            scenes.add_game(cast.starlight.partner_id, slug, slug, [Sent(on=[On("srv-01", "failed", attempt=7)])])
        scenes.servers_report()
        fleet_scenes.noticed()
        with statements() as sent:
            assert operator.get(PAGE).status_code == 200
        return sent.queries

    slugs: list[str] = []
    assert queries(2) == queries(6) <= 25
