"""Adding servers and rolling their tokens: shown once, with a command that works."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import psutil
import pytest
from flask import Flask
from sqlalchemy import select

from app.accounts.secrets import fingerprint
from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.server import Server
from app.web.operator.install_command import wheel_name
from tests.app.fleet.acting import FleetAgent
from tests.app.runtime.processes import wait_until
from tests.app.web import scenes
from tests.app.web.conftest import ONE_DATABASE, Visitor
from tests.app.web.reading import plain
from tests.conftest import PASSWORD, ROOT, Cast, bearer
from tests.live_server import LiveServer

pytestmark = ONE_DATABASE

ADD = "/operator/add-server"
AGENT = Path(sys.executable).parent / "slipway-agent"


@pytest.fixture
def operator(cast: Cast, signed_in: Callable[[str], Visitor]) -> Visitor:
    return signed_in(cast.operator)


def fields(page: str) -> dict[str, str]:
    """What a browser sends with the form besides what a person writes: its number."""
    found = re.search(r'name="number"[^>]* value="([^"]+)"', page)
    assert found, page
    return {"number": found[1]}


def command(page: str) -> str:
    """The command that the page shows with the token."""
    found = re.search(r'aria-label="The command with the token">(.*?)\n?</pre>', page, re.DOTALL)
    assert found, page
    return html.unescape(re.sub(r"<[^>]+>", "", found[1])).strip()


def token_in(page: str) -> str:
    found = re.search(r"'(srv_[^']+)'", command(page))
    assert found, page
    return found[1]


def server(server_id: str) -> Server | None:
    db.session.rollback()
    return db.session.scalar(select(Server).where(Server.id == server_id).execution_options(populate_existing=True))


def add(operator: Visitor, server_id: str, **more: str) -> str:
    """Send the form; the page that answers."""
    form = {"id": server_id, "region": "sin", "password": PASSWORD} | fields(operator.get(ADD).text) | more
    answer = operator.post(ADD, form)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "private, no-store"
    return answer.text


# --- adding


def test_a_server_is_added_and_its_token_shown_in_a_command(operator: Visitor, cast: Cast) -> None:
    page = add(operator, "srv-04")
    assert "srv-04 is added</h1>" in page
    line, token = command(page), token_in(page)
    assert line == (
        f"install -m 0600 -o slipway /dev/stdin /etc/slipway/agent.token <<< '{token}' &&\n"
        "echo SLIPWAY_URL=http://localhost > /etc/slipway/agent.env &&\n"
        "systemctl enable slipway-agent && systemctl restart slipway-agent"
    )
    found = server("srv-04")
    assert found
    assert (found.region, found.token_hash) == ("sin", fingerprint(token))


def test_the_token_is_shown_once_and_stored_nowhere(operator: Visitor, cast: Cast) -> None:
    token = token_in(add(operator, "srv-04"))
    for path in (ADD, "/operator/servers", "/operator/servers/srv-04", "/operator/audit"):
        assert token not in operator.get(path).text
    assert not any(token in str(cookie.value) for cookie in (operator.client._cookies or {}).values())
    assert all(token not in str(entry.details) for entry in db.session.scalars(select(AuditEntry)))


def test_a_form_that_is_sent_twice_adds_one_server(operator: Visitor, cast: Cast) -> None:
    number = fields(operator.get(ADD).text)
    first = token_in(add(operator, "srv-04", **number))
    again = operator.post(ADD, {"id": "srv-04", "region": "sin", "password": PASSWORD} | number)
    assert (again.status_code, again.location) == (303, "/operator/servers/srv-04")
    found = server("srv-04")
    assert found
    assert found.token_hash == fingerprint(first)
    assert "The token of srv-04 was already shown" in operator.get(again.location).text


@pytest.mark.parametrize(
    ("server_id", "said"),
    [
        ("", "Name the server"),
        ("SRV 04", "Use at most 40 lowercase letters, digits and hyphens"),
        ("x" * 41, "An ID has at most 40 characters"),
        ("srv-01", "There is a server"),
    ],
)
def test_what_cannot_be_an_id_is_said_beside_it_and_input_is_kept(
    operator: Visitor, cast: Cast, server_id: str, said: str
) -> None:
    form = {"id": server_id, "region": "Oslo", "password": PASSWORD} | fields(operator.get(ADD).text)
    answer = operator.post(ADD, form)
    assert answer.status_code == 422
    assert "The server is not added yet: 1 thing to change" in answer.text
    assert re.search(rf'<p class="error" id="id-error">.*?{said}', answer.text, re.DOTALL)
    assert f'value="{html.escape(server_id)}"' in answer.text
    assert 'value="Oslo"' in answer.text
    assert PASSWORD not in answer.text
    assert fields(answer.text)["number"]


def test_adding_takes_the_password_once_more(operator: Visitor, cast: Cast) -> None:
    form = {"id": "srv-04", "password": "not mine at all"} | fields(operator.get(ADD).text)
    answer = operator.post(ADD, form)
    assert answer.status_code == 422
    assert "This is not your password" in answer.text
    assert server("srv-04") is None
    token_in(add(operator, "srv-04", **fields(answer.text)))


def shown_lines(page: str, label: str) -> list[str]:
    """The lines of a command of the page."""
    found = re.search(rf'aria-label="{label}">(.*?)</pre>', page, re.DOTALL)
    assert found, page
    return html.unescape(re.sub(r"<[^>]+>", "", found[1])).splitlines()


def test_the_page_has_the_commands_that_install_an_agent(operator: Visitor, cast: Cast) -> None:
    """They are those of docs/agents.md, with the whole service file, so that they run as they stand."""
    lines = shown_lines(add(operator, "srv-04"), "Commands that install the agent")
    begin = lines.index("cat > /etc/systemd/system/slipway-agent.service << 'END'")
    end = lines.index("END")
    service = (ROOT / "deploy/systemd/slipway-agent.service").read_text()
    assert lines[begin + 1 : end] == service.splitlines()
    documented = (ROOT / "docs/agents.md").read_text()
    for line in (*lines[:begin], *lines[end + 1 :]):
        shown = line.replace(f"./{wheel_name()}", "slipway-*.whl").removeprefix("id slipway &>/dev/null || ")
        assert f"\n{shown}\n" in documented
    assert subprocess.run(["bash", "-n"], input="\n".join(lines), text=True, check=False).returncode == 0


def test_the_page_names_the_wheel_that_is_built(operator: Visitor, cast: Cast) -> None:
    lines = shown_lines(add(operator, "srv-04"), "Commands that build and copy the wheel")
    assert lines == ["make dist", f"scp dist/slipway-{version('slipway')}-py3-none-any.whl root@srv-04:"]
    assert "dist:" in (ROOT / "Makefile").read_text()


def test_the_commands_are_in_the_order_in_which_they_are_run(operator: Visitor, cast: Cast) -> None:
    page = add(operator, "srv-04")
    labels = re.findall(r'<pre tabindex="0" role="region" aria-label="([^"]+)"', page)
    assert labels == [
        "Commands that build and copy the wheel",
        "Commands that run the agent without systemd",
        "Commands that install the agent",
        "The command with the token",
        "Command that shows the agent’s log",
    ]
    assert [heading[0] for heading in re.findall(r"<h2[^>]*>(\d\. .*?)</h2>", page)] == ["1", "2", "3", "4"]
    assert page.count('class="button small copy') == len(labels), "each of them can be copied"
    before_step_3 = page[page.index("2. Install the agent") : page.index("3. Store the token")]
    assert "Instead of steps 2 and 3: try it without root and systemd" in before_step_3


def test_after_the_first_report_nothing_is_advised_against_its_absence(
    app: Flask, operator: Visitor, cast: Cast
) -> None:
    page = add(operator, "srv-04")
    parts = html.unescape(re.findall(r'"([^"]+/first-report/parts[^"]*)"', page)[0])
    advice = "If no report arrives, the agent’s log has the reason:"
    waiting = operator.get(parts).text
    assert ("No report yet." in waiting, advice in waiting, advice in page) == (True, True, True)
    FleetAgent(app.test_client(), token_in(page)).report(agentVersion="1.4.2")
    reported = operator.get(parts).text
    assert "srv-04 reports. Its agent has version 1.4.2." in plain(reported)
    assert advice not in reported
    assert "journalctl" not in reported


# --- rolling


def roll(operator: Visitor, server_id: str) -> str:
    path = f"/operator/servers/{server_id}/token"
    answer = operator.post(path, {"password": PASSWORD} | fields(operator.get(path).text))
    assert answer.status_code == 200, answer.text
    return answer.text


def test_rolling_says_what_happens_and_then_shows_the_new_token(
    app: Flask, operator: Visitor, visitor: Visitor, cast: Cast
) -> None:
    question = operator.get("/operator/servers/srv-01/token").text
    assert "stops working now" in question
    page = roll(operator, "srv-01")
    token = token_in(page)
    assert command(page).endswith("&&\nsystemctl restart slipway-agent")
    plan = "/api/servers/self/plan"
    assert visitor.get(plan, headers=bearer(cast.servers["srv-01"])).status_code == 401
    assert visitor.get(plan, headers=bearer(token)).status_code == 200


def test_a_form_that_is_sent_twice_rolls_once(operator: Visitor, cast: Cast) -> None:
    path = "/operator/servers/srv-01/token"
    form = {"password": PASSWORD} | fields(operator.get(path).text)
    token = token_in(operator.post(path, form).text)
    again = operator.post(path, form)
    assert (again.status_code, again.location) == (303, "/operator/servers/srv-01")
    found = server("srv-01")
    assert found
    assert found.token_hash == fingerprint(token)


def test_rolling_takes_the_password_once_more(operator: Visitor, cast: Cast) -> None:
    path = "/operator/servers/srv-01/token"
    for password in ("", "not mine at all"):
        answer = operator.post(path, {"password": password} | fields(operator.get(path).text))
        assert answer.status_code == 422
        assert "The token is not rolled yet: 1 thing to change" in answer.text
    found = server("srv-01")
    assert found
    assert found.token_hash == fingerprint(cast.servers["srv-01"])


def test_the_page_shows_when_the_agent_has_reported_with_the_new_token(operator: Visitor, cast: Cast) -> None:
    scenes.servers_report()
    page = roll(operator, "srv-01")
    assert "No report yet. srv-01 appears here within 10 seconds after its agent has started." in plain(page)
    poll = html.unescape(re.findall(r'data-poll="([^"]+)"', page)[0])
    assert "No report yet." in plain(operator.get(poll).text)
    FleetAgent(operator.client, token_in(page)).report(agentVersion="1.4.2")
    assert "srv-01 reports. Its agent has version 1.4.2." in plain(operator.get(poll).text)
    assert operator.get(poll.replace("made=", "made=soon")).status_code == 400
    assert operator.get(poll.replace("srv-01", "srv-99")).status_code == 404


# --- the command, run for real


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """The app behind a server on loopback."""
    site = LiveServer(app)
    site.start()
    yield site.url
    site.stop()


@contextmanager
def typed(script: str, cwd: Path | None = None) -> Iterator[None]:
    """Within the block, bash does what is in the script. It reads it from its standard input, as what somebody types.
    The block begins when the agent of srv-04 has reported."""
    shell = subprocess.Popen(["bash"], cwd=cwd, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert shell.stdin
    shell.stdin.write(script)
    shell.stdin.close()

    def reported() -> bool:
        found = server("srv-04")
        return bool(found and found.last_report_at)

    try:
        wait_until(reported, 30, "the agent reports")
        yield
    finally:
        shell.terminate()
        shell.wait(10)


def test_the_command_starts_an_agent_and_its_token_is_in_no_command_line(
    operator: Visitor, cast: Cast, address: str, tmp_path: Path
) -> None:
    page = add(operator, "srv-04")
    token, token_file = token_in(page), tmp_path / "agent.token"
    (service,) = [
        line for line in shown_lines(page, "Commands that install the agent") if line.startswith("ExecStart=")
    ]
    # What systemd does with the service file, and the users and places of a game server put into this machine's.
    start = f"set -a && . /etc/slipway/agent.env && exec {service.removeprefix('ExecStart=')}"
    line = (
        command(page)
        .replace("systemctl enable slipway-agent && systemctl restart slipway-agent", start)
        .replace("/opt/slipway/bin/slipway-agent", str(AGENT))
        .replace("-o slipway ", "")
        .replace("/etc/slipway", str(tmp_path))
        .replace("/srv/games", str(tmp_path / "games"))
        .replace("http://localhost", address)
    )
    with typed(f"{line}\n"):
        assert token_file.stat().st_mode & 0o777 == 0o600
        assert token_file.read_text().strip() == token
        lines = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
        assert any(str(token_file) in line for line in lines), "the agent runs"
        assert not any(token in argument for line in lines for argument in line)
        assert "Healthy" in operator.get("/operator/servers/srv-04").text


def test_the_commands_of_the_trial_run_an_agent_in_an_empty_folder(
    operator: Visitor, cast: Cast, address: str, tmp_path: Path
) -> None:
    """As they stand, but for the installation of the wheel: the folder's `slipway` has the programs of this one."""
    lines = shown_lines(add(operator, "srv-04"), "Commands that run the agent without systemd")
    assert lines[:2] == ["python3 -m venv slipway", f"slipway/bin/pip install ./{wheel_name()}"]
    (tmp_path / "slipway").symlink_to(AGENT.parents[1])
    script = "\n".join(lines[2:]).replace("http://localhost", address)
    with typed(script.replace("slipway/bin/slipway-agent", "exec slipway/bin/slipway-agent"), tmp_path):
        assert (tmp_path / "agent.token").stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "games").is_dir()
