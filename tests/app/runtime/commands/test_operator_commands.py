"""Lists, revocations, removals and quotas from the shell: the rules of the pages, audit entries, questions and JSON."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.accounts.directory.member_directory import all_invitations, all_members, member_with_email
from app.accounts.keys import authenticate
from app.accounts.members import invite
from app.accounts.partners import partner_named
from app.catalog.games import register_game
from app.data.database import writing
from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.base import now
from app.data.models.game import Build, Game
from app.data.models.partner import ApiKey, Member, Partner
from app.data.models.server import PlaySession, Server
from app.maintenance.build_sweep import sweep
from app.refusals import NotFound, Unauthorized
from tests.app.fleet.packs import add_pack
from tests.app.runtime.commands.conftest import Shell
from tests.conftest import CAST, GAME, Cast, bearer
from tests.game_archives import game_archive
from tests.signed_in_browsers import is_signed_in, sign_in_browser


def listed(shell: Shell, *words: str) -> list[dict[str, Any]]:
    result = shell.run(*words, "--json")
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def done(shell: Shell, *words: str) -> dict[str, Any]:
    result = shell.run(*words, "--yes", "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def audited(action: str) -> AuditEntry:
    db.session.rollback()
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == action)).one()
    assert entry.actor == "command line"
    return entry


def test_keys_are_listed_without_secrets_and_revoked(shell: Shell, cast: Cast, client: FlaskClient) -> None:
    keys = listed(shell, "key", "list")
    assert [(key["partner"], key["app"]) for key in keys] == [
        *[("Moonbase", "CI"), ("Moonbase", "Dashboard wall")],
        *[("Starlight Studio", "CI"), ("Starlight Studio", "Dashboard wall")],
    ]
    assert cast.starlight.key not in json.dumps(keys)
    (ci,) = [key for key in listed(shell, "key", "list", "--partner", "starlight studio") if key["app"] == "CI"]
    assert ci["scopes"] == ["read", "write", "upload"]
    assert ci["hint"] in shell.run("key", "list").stdout

    assert done(shell, "key", "revoke", ci["hint"]) == {"revoked": ci["id"], "hint": ci["hint"]}

    with pytest.raises(Unauthorized):
        authenticate(cast.starlight.key)
    assert client.get("/api/partners/games", headers=bearer(cast.starlight.key)).status_code == 401
    assert audited("key.revoked").partner_id == cast.starlight.partner_id
    assert len(listed(shell, "key", "list")) == 3
    assert "No active key has the id or hint" in shell.refused("key", "revoke", ci["id"], "--yes")
    pasted = shell.refused("key", "revoke", cast.starlight.key, "--yes")
    assert f"No active key has the id or hint '{ci['hint']}'" in pasted


def test_nothing_is_removed_without_a_yes(shell: Shell, cast: Cast) -> None:
    key = listed(shell, "key", "list")[0]["id"]
    for words in (
        ("key", "revoke", key),
        ("member", "remove", cast.starlight.viewer),
        ("server", "retire", "srv-01"),
        ("server", "roll", "srv-01"),
        ("partner", "remove", "Moonbase"),
    ):
        for answer, told in (("n\n", "Nothing was changed."), ("", "Give --yes to do it without a question.")):
            result = shell.run(*words, said=answer)
            assert result.exit_code == 1
            assert result.stdout == ""
            assert told in result.stderr
    changes = select(AuditEntry).where(AuditEntry.actor == "command line")
    assert db.session.scalars(changes).all() == []

    assert shell.run("server", "retire", "srv-01", said="y\n").stdout == "srv-01 is retired.\n"


def test_members_are_listed_with_operators_and_invitations(shell: Shell, cast: Cast) -> None:
    invite(partner_named("Moonbase"), "new@moonbase.example", "viewer", CAST)

    members = listed(shell, "member", "list")

    assert [member["email"] for member in members if member["role"] == "operator"] == [cast.operator]
    assert {member["email"] for member in members} >= {cast.starlight.owner, cast.moonbase.viewer}
    (invited,) = [member for member in members if member["invited"]]
    assert (invited["email"], invited["role"], invited["partner"]) == ("new@moonbase.example", "viewer", "Moonbase")
    assert {member["partner"] for member in listed(shell, "member", "list", "--partner", "Moonbase")} == {"Moonbase"}
    assert "(invited)" in shell.run("member", "list").stdout


def test_a_removed_member_is_signed_out_and_the_only_owner_stays(shell: Shell, cast: Cast) -> None:
    browser = sign_in_browser(member_with_email(cast.starlight.developer))
    assert is_signed_in(browser)

    removed = done(shell, "member", "remove", cast.starlight.developer.upper())

    assert removed["email"] == cast.starlight.developer
    assert not is_signed_in(browser)
    assert audited("member.removed").subject == "Developer"
    assert "the only owner" in shell.refused("member", "remove", cast.starlight.owner, "--yes")
    assert "No account has the address" in shell.refused("member", "remove", "x@y.example", "--yes")


def test_the_only_operator_stays(shell: Shell, cast: Cast) -> None:
    assert "the only operator" in shell.refused("member", "remove", cast.operator, "--yes")
    shell.run("member", "create", "olga@slipway.example", "--role", "operator", said="twelve letters \n")

    done(shell, "member", "remove", cast.operator)

    assert [one["email"] for one in listed(shell, "member", "list") if one["role"] == "operator"] == [
        "olga@slipway.example"
    ]
    assert "the only operator" in shell.refused("member", "remove", "olga@slipway.example", "--yes")


def test_servers_are_listed_rolled_and_retired(shell: Shell, cast: Cast, client: FlaskClient) -> None:
    with writing() as session:
        session.get_one(Server, "srv-02").last_report_at = now()
    servers = {server["id"]: server for server in listed(shell, "server", "list")}
    assert servers["srv-01"]["state"] == "not_started"
    assert servers["srv-02"]["state"] == "healthy"
    assert servers["srv-02"]["reportedAt"].endswith("Z")

    token = shell.run("server", "roll", "srv-01", "--yes").stdout.strip()

    plan = "/api/servers/self/plan"
    assert client.get(plan, headers=bearer(cast.servers["srv-01"])).status_code == 401
    assert client.get(plan, headers=bearer(token)).status_code == 200
    assert audited("server.token_rolled").subject == "srv-01"

    assert done(shell, "server", "retire", "srv-01") == {"retired": "srv-01"}

    assert client.get(plan, headers=bearer(token)).status_code == 401
    assert audited("server.retired").subject == "srv-01"
    assert "srv-01" not in {server["id"] for server in listed(shell, "server", "list")}
    assert "There is no server 'srv-01'" in shell.refused("server", "retire", "srv-01", "--yes")


def test_quotas_are_shown_and_set(shell: Shell, cast: Cast, client: FlaskClient) -> None:
    key = bearer(cast.starlight.key)
    client.post("/api/partners/games", json=GAME, headers=key)
    upload = "/api/partners/games/paper-lanterns/upload"
    archive = game_archive()
    client.put(upload, data=archive, headers=key | {"Content-Type": "application/gzip"})

    (before,) = listed(shell, "quota", "show", "starlight studio")
    assert (before["archiveBytes"], before["packBytes"]) == (len(archive), 0)
    add_pack(db.session.scalars(select(Build)).one(), pack_bytes=1_000_000, index_bytes=500)
    (packed,) = listed(shell, "quota", "show", "starlight studio")
    assert packed["packBytes"] == 1_000_500
    assert packed["buildBytes"] == packed["archiveBytes"] + packed["packBytes"]
    table = shell.run("quota", "show", "starlight studio").stdout
    assert re.search(r"ARCHIVES, BYTES  +PACKS, BYTES  +BUILDS IN ALL  +QUOTA", table)
    assert f"{len(archive):,}  " in table
    assert " 1,000,500 " in table
    assert before["buildQuotaBytes"] is None
    assert before["imageBytes"] == 0

    result = shell.run("quota", "set", "Starlight Studio", "1K")
    assert result.stdout == "Starlight Studio can store 1 KiB (1,024 bytes) of builds.\n"

    assert audited("partner.quota_set").details == {"bytes": 1024}
    assert listed(shell, "quota", "show", "Starlight Studio")[0]["buildQuotaBytes"] == 1024
    refused = client.put(upload, data=archive, headers=key | {"Content-Type": "application/gzip"})
    assert refused.status_code == 413
    assert shell.run("quota", "set", "Starlight Studio", "none").stdout == "Starlight Studio has no quota.\n"
    assert [row["buildQuotaBytes"] for row in listed(shell, "quota", "show")] == [None, None]
    assert "is no size" in shell.run("quota", "set", "Starlight Studio", "much").stderr


def test_a_partner_without_games_is_removed_with_all_that_is_its_own(
    shell: Shell, cast: Cast, client: FlaskClient
) -> None:
    browser = sign_in_browser(member_with_email(cast.moonbase.owner))
    assert [partner["name"] for partner in listed(shell, "partner", "list")] == ["Moonbase", "Starlight Studio"]

    assert done(shell, "partner", "remove", "Moonbase")["name"] == "Moonbase"

    assert audited("partner.removed").partner_id == cast.moonbase.partner_id
    assert [partner["name"] for partner in listed(shell, "partner", "list")] == ["Starlight Studio"]
    assert not is_signed_in(browser)
    assert client.get("/api/partners/games", headers=bearer(cast.moonbase.key)).status_code == 401
    assert db.session.scalars(select(Member).where(Member.partner_id == cast.moonbase.partner_id)).all() == []


def test_a_partner_with_games_goes_when_servers_and_sessions_have_let_go_of_them(
    shell: Shell, cast: Cast, client: FlaskClient
) -> None:
    invite(partner_named("Starlight Studio"), "new@starlight.example", "owner", CAST)
    key = bearer(cast.starlight.key)
    client.post("/api/partners/games", json=GAME, headers=key)
    client.put(
        "/api/partners/games/paper-lanterns/upload",
        data=game_archive(),
        headers=key | {"Content-Type": "application/gzip"},
    )
    game = db.session.scalars(select(Game)).one()
    with writing() as session:
        session.get_one(Server, "srv-01").last_report_at = now()
        playing = PlaySession(server_id="srv-01", game_id=game.id, build_id=game.released_build_id)
        session.add(playing)
        session.flush()
        session_id = playing.id
    assert "has 1 game. Delete them first" in shell.refused("partner", "remove", "Starlight Studio", "--yes")

    remove = ("partner", "remove", "Starlight Studio", "--with-games", "--yes")
    assert "The deletion of 1 game of Starlight Studio is not complete" in shell.refused(*remove)

    assert client.get("/api/partners/games", headers=key).status_code == 401
    assert client.post("/api/partners/games", json=GAME | {"slug": "again"}, headers=key).status_code == 401
    assert all_members(partner_named("Starlight Studio")) == [], "nobody can register a game before the second run"
    assert all_invitations(partner_named("Starlight Studio")) == []
    assert audited("game.deleted").game_id == game.id
    assert sweep().games == 0
    assert "is not complete" in shell.refused(*remove)
    with writing() as session:
        session.get_one(PlaySession, session_id).ended_at = now()
        session.get_one(Server, "srv-01").last_report_at = now() - timedelta(days=2)
    assert sweep().games == 1

    assert shell.run(*remove).stdout == "Starlight Studio is removed.\n"
    assert db.session.scalars(select(Partner.name)).all() == ["Moonbase"]
    assert len(db.session.scalars(select(ApiKey)).all()) == 2


def test_a_call_that_comes_just_after_the_partner_was_removed_changes_nothing(shell: Shell, cast: Cast) -> None:
    """Another process may still recognise the key for a moment."""
    partner = partner_named("Moonbase")
    db.session.expunge(partner)
    done(shell, "partner", "remove", "Moonbase")

    with pytest.raises(NotFound, match="Moonbase was removed a moment ago"):
        register_game(partner, "lanterns", {"title": "Lanterns", "developer": "-", "description": "-"}, CAST)

    assert db.session.scalars(select(Game)).all() == []
