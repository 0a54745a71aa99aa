"""Servers as operators see them: all of them, one opened, one on its own page, and what is done with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.base import now
from app.data.models.server import Server
from app.fleet.servers import pause_server
from app.web.operator import attention_items
from tests.app.fleet.acting import FleetAgent
from tests.app.fleet.counting import statements
from tests.app.web import fleet_scenes, scenes
from tests.app.web.conftest import HTMX, ONE_DATABASE, Visitor
from tests.app.web.reading import chips, one_line
from tests.app.web.scenes import On, Sent
from tests.conftest import CAST, Cast

pytestmark = ONE_DATABASE
PAGE = "/operator/servers"


@pytest.fixture
def operator(cast: Cast, signed_in: Callable[[str], Visitor]) -> Visitor:
    return signed_in(cast.operator)


@pytest.fixture
def garden(cast: Cast, six_servers: list[str]) -> str:
    """One game with one server in each state, on machines of 1.6 TB; its id."""
    return fleet_scenes.garden_on_machines(cast.starlight.partner_id)


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text.replace("\u00a0", " "))).strip()


def row(page: str, server: str) -> str:
    found = re.search(rf'<tbody role="rowgroup" id="server-{server}">.*?</tbody>', page, re.DOTALL)
    assert found, page
    return plain(found[0])


def part(page: str, part_id: str) -> str:
    """The text from one live part on."""
    return plain(page[page.index(f'id="{part_id}"') :])


def server(server_id: str) -> Server:
    db.session.rollback()
    found = db.session.get(Server, server_id, populate_existing=True)
    assert found
    return found


def deeds() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(db.select(AuditEntry.action).order_by(AuditEntry.id.desc()).limit(1)))


# --- the list


def test_servers_are_listed_worst_first_with_what_they_reported(operator: Visitor, garden: str) -> None:
    page = operator.get(PAGE).text
    order = re.findall(r'<tbody role="rowgroup" id="server-([^"]+)"', page)
    assert order == ["srv-04", "srv-06", "srv-05", "srv-01", "srv-02", "srv-03"]
    for name, words in {
        "srv-04": ("Disk full since", "99 %", "1.45 of 1.46 TiB", "0 of 1", " 2 ", "0 B/s", "1.0.3"),
        "srv-06": ("No contact since", "58 %", "— "),
        "srv-05": ("Retrying 2 of 5", "11.5 MiB/s"),
        "srv-02": ("Healthy", "44 %", "51.6 MiB/s", " 11 "),
    }.items():
        for word in words:
            assert word in row(page, name), (name, word)


def test_search_state_and_order_are_in_the_address(operator: Visitor, garden: str) -> None:
    def order(query: str) -> list[str]:
        return re.findall(r'<tbody role="rowgroup" id="server-([^"]+)"', operator.get(PAGE + query).text)

    assert order("?sort=-disk") == ["srv-04", "srv-05", "srv-01", "srv-06", "srv-02", "srv-03"]
    assert order("?sort=name&status=healthy") == ["srv-01", "srv-02", "srv-03"]
    assert order("?q=SRV-05&status=errors") == ["srv-05"]
    page = one_line(operator.get(f"{PAGE}?server=srv-02&sort=name&status=healthy").text)
    query = "?sort=name&amp;status=healthy"
    assert f'href="{PAGE}?server=srv-01&amp;sort=name&amp;status=healthy#opened"' in page, (
        "another server is opened in the same list"
    )
    assert f'sse-connect="/operator/fleet/srv-02/live{query}&amp;as_role=operator"' in page
    assert f'aria-sort="ascending"> <a id="sort-name" href="{PAGE}?sort=-name&amp;status=healthy"' in page
    assert "1 disk full 1 no contact 1 retrying 3 healthy" in part(page, "fleet-counts"), "counts are of all servers"
    assert "No servers match “sorcery”. Clear the filter" in plain(operator.get(f"{PAGE}?q=sorcery").text)


def test_actions_come_back_to_the_list_that_they_were_on(operator: Visitor, garden: str) -> None:
    here = f"{PAGE}?q=srv&sort=name"
    page = operator.get(here).text
    assert f'<input type="hidden" name="next" value="{here.replace("&", "&amp;")}">' in page
    form = f"{PAGE}/srv-04/retirement?next={quote(here)}"
    assert f'href="{form.replace("&", "&amp;")}"' in page
    asked = operator.get(form).text
    assert f'<input type="hidden" name="next" value="{here.replace("&", "&amp;")}">' in asked
    assert operator.post(f"{PAGE}/srv-04/downloads", {"downloads": "pause", "next": here}).location == here
    assert operator.post(f"{PAGE}/srv-04/retirement", {"next": here}).location == here
    assert operator.post(f"{PAGE}/srv-05/retirement", {"next": "//evil.example"}).location == PAGE


def test_the_head_counts_and_the_title_carries_the_worst(operator: Visitor, garden: str) -> None:
    page = operator.get(PAGE).text
    assert "<title>(1 failed) Servers · Slipway</title>" in page
    assert "1 disk full 1 no contact 1 retrying 3 healthy" in part(page, "fleet-counts")


def test_five_figures_sum_the_fleet_up(operator: Visitor, garden: str) -> None:
    text = part(operator.get(PAGE).text, "fleet-figures")
    for figure in ("Sending now 80.7 MiB/s", "Live builds cached 1 of 6", "Disk in use 5.4 of 8.7 TiB", "Sessions 17"):
        assert figure in text


def test_disks_are_meters_that_turn_at_90_and_95_percent(operator: Visitor, garden: str) -> None:
    page = operator.get(PAGE).text
    assert re.search(r'low="90"\s+high="95"\s+optimum="0"\s+value="99"\s+aria-label="Disk of srv-04"', page)
    assert page.count('class="percent bad"') == 1
    fleet_scenes.columns("srv-01", disk_free_bytes=fleet_scenes.TB // 10)
    assert 'class="percent warn"' in operator.get(PAGE).text


def test_a_new_server_waits_for_its_agent(operator: Visitor, cast: Cast) -> None:
    page = operator.get(f"{PAGE}?server=srv-02").text
    assert "3 waiting for their agents" in part(page, "fleet-counts")
    assert "Waiting for its agent" in row(page, "srv-01")
    assert "The command that starts the agent was shown with the token" in part(page, "opened-builds")


def test_without_servers_the_page_says_what_one_is(operator: Visitor, cast: Cast) -> None:
    for name in cast.servers:
        operator.post(f"{PAGE}/{name}/retirement")
    assert "No servers yet A server is a machine that runs the agent" in plain(operator.get(PAGE).text)


# --- the opened one


def test_the_worst_is_opened_and_says_what_to_do(operator: Visitor, garden: str) -> None:
    page = operator.get(PAGE).text
    assert 'id="opened-title">srv-04<' in page
    text = part(page, "opened-builds")
    assert "Disk full: build 4 of The Garden of Forking Paths 7.4 GiB needed, 1.0 GiB free." in text
    assert "2 sessions keep the builds they run on. Add disk, or end sessions on builds that are not live." in text
    assert f'formaction="{PAGE}/srv-04/retries"' in page


def test_the_address_says_which_one_is_opened(operator: Visitor, garden: str) -> None:
    page = operator.get(f"{PAGE}?server=srv-05").text
    assert 'id="opened-title">srv-05<' in page
    assert 'sse-connect="/operator/fleet/srv-05/live?as_role=operator"' in page
    assert "Retrying 2 of 5" in part(page, "opened-builds")
    assert 'id="opened-title">srv-04<' in operator.get(f"{PAGE}?server=srv-99").text


def test_a_healthy_fleet_has_none_opened(operator: Visitor, cast: Cast) -> None:
    scenes.servers_report()
    page = operator.get(PAGE).text
    assert "3 healthy" in part(page, "fleet-counts")
    assert 'id="opened"' not in page
    assert 'sse-connect="/operator/fleet/live?as_role=operator"' in page


def test_it_lists_what_the_server_holds(operator: Visitor, garden: str) -> None:
    text = part(operator.get(f"{PAGE}?server=srv-02").text, "opened-builds")
    assert "The Garden of Forking Paths , build 4: attempts Starlight Studio 4" in text
    assert "Downloading 62 % · 17.5 MiB/s" in text
    assert "4.2 of 6.7 GiB" in text
    assert "Cached 13.2 GiB 11" in text


def test_the_facts_are_as_reported_and_unknown_without_contact(operator: Visitor, garden: str) -> None:
    text = part(operator.get(f"{PAGE}?server=srv-02").text, "opened-facts")
    for fact in ("CPU 42.5 %", "Memory 58.3 %", "Agent 1.0.3", "Joined", f"Token {server('srv-02').token_hint}"):
        assert fact in text
    lost = part(operator.get(f"{PAGE}?server=srv-06").text, "opened-facts")
    assert "CPU — Memory —" in lost


def test_a_server_that_is_behind_says_why_in_one_place(operator: Visitor, garden: str) -> None:
    def details(server_id: str) -> str:
        return part(operator.get(f"{PAGE}/{server_id}").text, "opened-builds")

    loading = "Behind: 1 of 1 live build is not cached yet 1 downloading. 2.5 GiB to fetch, about 51 s at 51.6 MiB/s."
    assert loading in details("srv-02")
    assert "1 queued. 6.7 GiB to fetch" in details("srv-03")
    assert "The oldest queued build waits since" in details("srv-03")
    assert "Disk full: build 4" in details("srv-04")
    assert "Behind" not in details("srv-04")  # the failure is all there is to say
    assert "Behind" not in details("srv-06")  # without contact nobody can tell


def test_a_server_that_has_all_is_not_behind_and_one_that_does_nothing_says_so(operator: Visitor, cast: Cast) -> None:
    places = [On("srv-01"), On("srv-02", "pending", 0)]
    scenes.add_game(cast.starlight.partner_id, "Paper Lanterns", "paper-lanterns", [Sent(on=places)])
    scenes.servers_report()
    assert "Behind" not in operator.get(f"{PAGE}/srv-01").text
    text = part(operator.get(f"{PAGE}/srv-02").text, "opened-builds")
    assert "Behind: 1 of 1 live build is not cached yet 1 queued." in text
    assert "Nothing is being downloaded: its agent has not begun, or an update is being prepared." in text


def test_two_agents_on_one_token_are_told_to_the_operator(client: FlaskClient, operator: Visitor, cast: Cast) -> None:
    FleetAgent(client, cast.servers["srv-01"]).report()
    second = FleetAgent(client, cast.servers["srv-01"])
    assert second.send(second.document()).status_code == 409
    page = operator.get(PAGE).text
    assert "1 with two agents" in part(page, "fleet-counts")
    assert "Two agents use its token" in row(page, "srv-01")
    text = part(page, "opened-builds")
    assert "Two agents use the token of srv-01" in text
    assert "or roll the token and install the new one on the machine that should be srv-01" in text
    assert f'href="{PAGE}/srv-01/token"' in page


def test_a_long_list_is_cut_and_says_so(operator: Visitor, cast: Cast) -> None:
    for number in range(23):
        scenes.add_game(cast.starlight.partner_id, f"Game {number}", f"game-{number}", [Sent(on=[On("srv-01")])])
    scenes.servers_report(silent=["srv-01"])
    assert "20 of 23, worst first. More on its page" in plain(operator.get(PAGE).text)
    assert "worst first." not in plain(operator.get(f"{PAGE}/srv-01").text)


def test_the_page_costs_the_same_for_many_builds_as_for_few(app: Flask, operator: Visitor, cast: Cast) -> None:
    def queries(games: int) -> int:
        for _ in range(games):
            slug = f"game-{len(slugs)}"
            slugs.append(slug)
            scenes.add_game(cast.starlight.partner_id, slug, slug, [Sent(on=[On("srv-01", "failed", attempt=7)])])
        scenes.servers_report()
        fleet_scenes.noticed()
        attention_items.init_app(app)
        with statements() as sent:
            assert operator.get(PAGE).status_code == 200
        return sent.queries

    slugs: list[str] = []
    assert queries(2) == queries(10) <= 27


# --- live


@pytest.mark.parametrize("path", ["/operator/fleet/srv-04", "/operator/fleet", f"{PAGE}/srv-04"])
def test_the_parts_have_their_places_in_the_page(operator: Visitor, garden: str, path: str) -> None:
    if path == "/operator/fleet":
        scenes.servers_report()
        scenes.send(garden, Sent(on=[On(f"srv-0{n}") for n in range(1, 7)]))
        fleet_scenes.noticed()
    page = operator.get(path if path.startswith(PAGE) else PAGE).text
    fragment = operator.get(f"{path}/parts", headers=HTMX).text
    parts = re.findall(r'hx-swap-oob="morph" id="([^"]+)"', fragment)
    assert parts
    for part_id in parts:
        assert f'id="{part_id}"' in page


def test_unchanged_parts_are_304_until_a_server_reports(operator: Visitor, garden: str) -> None:
    path = "/operator/fleet/srv-04/parts"
    first = operator.get(path, headers=HTMX)
    again = operator.get(path, headers=HTMX | {"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    fleet_scenes.columns("srv-01", bytes_per_second=77_000_000)
    changed = operator.get(path, headers=HTMX | {"If-None-Match": first.headers["ETag"]})
    assert "73.4\u00a0MiB/s" in changed.text


@pytest.mark.parametrize("path", ["/operator/fleet", "/operator/fleet/srv-04", f"{PAGE}/srv-04"])
def test_streams_bring_the_parts(operator: Visitor, garden: str, path: str) -> None:
    answer = operator.get(f"{path}/live", headers={"Accept": "text/event-stream"}, buffered=False)
    events = iter(answer.iter_encoded())
    assert b"event: beat" in next(events)
    assert b'hx-swap-oob="morph"' in next(events)
    answer.close()


# --- its own page


def test_a_server_has_a_page_of_its_own(operator: Visitor, cast: Cast, garden: str) -> None:
    fleet_scenes.last_hour(cast.starlight.partner_id)
    page = operator.get(f"{PAGE}/srv-04").text
    assert re.search(r"<title>srv-04: Disk full since .* · Slipway</title>", page)
    text = part(page, "opened-facts")
    for fact in ("Disk 1.45 of 1.46 TiB", "Live builds cached 0 of 1", "Sessions 2", "Last hour 0 B/s"):
        assert fact in text
    assert 'class="sparkline"' in page


def test_each_trouble_has_a_label_beside_the_title(operator: Visitor, cast: Cast, garden: str) -> None:
    assert chips(operator.get(f"{PAGE}/srv-01").text) == ["Healthy"]
    there = [On("srv-04", "failed", attempt=3)]
    scenes.add_game(cast.moonbase.partner_id, "Sea of Rain", "sea-of-rain", [Sent(on=there)])
    pause_server("srv-04", True, CAST)
    fleet_scenes.columns("srv-04", conflict_at=now())
    page = operator.get(f"{PAGE}/srv-04").text
    disk_full, more, conflict, paused = chips(page)
    assert disk_full.startswith("Disk full since ")
    assert (more, conflict) == ("1 more build failed", "Two agents use its token")
    assert paused.startswith("Downloads paused since ")
    assert "<title>srv-04: Disk full since" in page, "the worst"


def test_an_unknown_or_retired_server_is_not_found(operator: Visitor, cast: Cast) -> None:
    operator.post(f"{PAGE}/srv-02/retirement")
    for name in ("srv-02", "srv-99"):
        for path in ("", "/parts", "/live", "/token", "/retirement"):
            assert operator.get(f"{PAGE}/{name}{path}").status_code == 404
        for path, form in (("/downloads", {"downloads": "pause"}), ("/retries", {}), ("/retirement", {})):
            assert operator.post(f"{PAGE}/{name}{path}", form).status_code == 404


# --- what is done


def test_downloads_are_paused_and_resumed(operator: Visitor, garden: str) -> None:
    assert re.search(r'name="downloads"\s+value="pause"', operator.get(f"{PAGE}/srv-03").text)
    answer = operator.post(f"{PAGE}/srv-03/downloads", {"downloads": "pause", "next": f"{PAGE}?server=srv-03"})
    assert (answer.status_code, answer.location) == (303, f"{PAGE}?server=srv-03")
    assert server("srv-03").paused_at
    assert deeds() == ["server.paused"]
    page = operator.get(f"{PAGE}?server=srv-03").text
    assert "Downloads of srv-03 are paused" in page
    text = part(page, "opened-builds")
    assert "Downloads are paused since" in text
    assert "Cached builds stay playable." in text
    assert "Queued, downloads paused" in text
    assert "Resume downloads" in page
    assert "1 paused" in part(page, "fleet-counts")
    answer = operator.post(f"{PAGE}/srv-03/downloads", {"downloads": "resume", "next": "https://evil.example/"})
    assert (answer.status_code, answer.location) == (303, f"{PAGE}/srv-03")
    assert server("srv-03").paused_at is None


def test_downloads_are_paused_or_resumed_and_nothing_else(operator: Visitor, cast: Cast) -> None:
    assert operator.post(f"{PAGE}/srv-03/downloads", {"downloads": "stop"}).status_code == 400
    assert operator.post(f"{PAGE}/srv-03/downloads", {"downloads": "pause"}, token=False).status_code == 400
    assert server("srv-03").paused_at is None


def test_retry_tries_everything_that_failed_there(operator: Visitor, garden: str) -> None:
    answer = operator.post(f"{PAGE}/srv-04/retries", {"next": PAGE})
    assert (answer.status_code, answer.location) == (303, PAGE)
    assert scenes.retries_asked(garden) == 1
    assert deeds() == ["server.retried"]
    assert "srv-04 retries 1 build now" in operator.get(PAGE).text


def test_a_paused_server_offers_no_retry(operator: Visitor, garden: str) -> None:
    pause_server("srv-04", True, CAST)
    assert f'formaction="{PAGE}/srv-04/retries"' not in operator.get(PAGE).text
    answer = operator.post(f"{PAGE}/srv-04/retries")
    assert answer.status_code == 409
    assert "paused" in answer.text
    assert scenes.retries_asked(garden) == 0


def test_retiring_is_asked_about_first(operator: Visitor, garden: str) -> None:
    question = plain(operator.get(f"{PAGE}/srv-02/retirement").text)
    assert "Retire srv-02?" in question
    assert "Its 11 sessions count as ended" in question
    assert server("srv-02").retired_at is None
    answer = operator.post(f"{PAGE}/srv-02/retirement")
    assert (answer.status_code, answer.location) == (303, PAGE)
    assert server("srv-02").retired_at
    assert deeds() == ["server.retired"]
    page = operator.get(PAGE).text
    assert "srv-02 is retired" in page
    assert 'id="server-srv-02"' not in page


def test_lost_contact_is_said_with_what_to_look_at(operator: Visitor, garden: str) -> None:
    fleet_scenes.columns("srv-01", last_report_at=now() - timedelta(minutes=5))
    text = part(operator.get(f"{PAGE}?server=srv-01").text, "opened-builds")
    assert "No contact since" in text
    assert "Check that the machine is running and can reach this portal." in text
