"""partner create, member create, key create, server add, sweep, check: what they do, say and refuse."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from flask.cli import FlaskGroup, ScriptInfo
from flask.testing import FlaskClient
from sqlalchemy import select

from app.accounts.password_links import password_link_of
from app.data.database import writing
from app.data.extensions import db
from app.data.models.audit_record import AuditEntry
from app.data.models.base import now
from app.data.models.game import Build
from app.data.models.partner import ApiKey, Member, Partner
from app.data.models.server import Server
from app.data.models.upload import Upload
from app.storage.bucket import bucket
from tests.app.runtime.commands.conftest import Shell
from tests.conftest import GAME, PASSWORD, Cast, bearer
from tests.game_archives import game_archive
from tests.signed_in_browsers import find_account

# The deeds themselves are tested on both databases where they are done.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_an_installation_is_set_up_from_the_shell(client: FlaskClient, shell: Shell) -> None:
    made = shell.run("partner", "create", "Kite Works")
    assert made.exit_code == 0, made.output
    partner = db.session.scalars(select(Partner)).one()
    assert made.stdout == f"Partner 'Kite Works' created: {partner.id}\n"

    joined = shell.run(
        *("member", "create", "mira@kite.example", "--partner", "kite works", "--name", "Mira", "--role", "owner"),
        said=f"{PASSWORD}\n",
    )
    assert joined.stdout == "Mira can sign in with mira@kite.example as owner.\n"
    unnamed = shell.run(
        *("member", "create", "sol@kite.example", "--partner", "Kite Works", "--role", "viewer"), said=f"{PASSWORD}\n"
    )
    assert unnamed.stdout == "sol@kite.example can sign in as viewer.\n"
    member = find_account("mira@kite.example", PASSWORD)
    assert member is not None
    assert (member.partner_id, member.role) == (partner.id, "owner")

    key = shell.run("key", "create", "--partner", "Kite Works")
    assert client.get("/api/partners/games", headers=bearer(key.stdout.strip())).status_code == 200
    assert "only time" in key.stderr

    server = shell.run("server", "add", "srv-01", "--region", "fra")
    assert client.get("/api/servers/self/plan", headers=bearer(server.stdout.strip())).status_code == 200
    assert "only time" in server.stderr
    assert db.session.scalars(select(Server.region)).one() == "fra"

    actors = set(db.session.scalars(select(AuditEntry.actor)))
    assert actors == {"command line"}


def test_a_forgotten_password_is_replaced_with_a_link(client: FlaskClient, shell: Shell, cast: Cast) -> None:
    for email in (cast.starlight.owner.upper(), cast.operator):
        made = shell.run("member", "link", email)
        assert made.exit_code == 0, made.output
        base, _, secret = made.stdout.strip().rpartition("/new-password/")
        assert base.startswith("http://127.0.0.1:")
        assert password_link_of(secret).member.email == email.lower()
        assert "only time" in made.stderr
    assert "No account has the address x@y.example" in shell.refused("member", "link", "x@y.example")


def test_of_several_accounts_with_one_address_one_is_named(shell: Shell, cast: Cast) -> None:
    new = ("member", "create", cast.operator, "--role", "viewer", "--partner", "Moonbase")
    assert shell.run(*new, said=f"{PASSWORD}\n").exit_code == 0
    said = shell.refused("member", "link", cast.operator)
    assert "has an account in each of Moonbase, the operators" in said
    for choice, role in ((("--partner", "moonbase"), "viewer"), (("--operator",), "operator")):
        secret = shell.run("member", "link", cast.operator, *choice).stdout.strip().rpartition("/")[2]
        assert password_link_of(secret).member.role == role


def test_an_operator_belongs_to_no_partner(shell: Shell) -> None:
    shell.run("member", "create", "olga@slipway.example", "--role", "operator", said=PASSWORD)

    member = db.session.scalars(select(Member)).one()
    assert (member.partner_id, member.role, member.name) == (None, "operator", "olga@slipway.example")


def test_at_a_terminal_a_password_that_cannot_be_used_is_asked_for_again(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True, raising=False)
    typed = f"short\nmira@kite.example\n{PASSWORD}\n{PASSWORD}\n"

    done = shell.run("member", "create", "mira@kite.example", "--role", "operator", said=typed)

    assert done.exit_code == 0, done.output
    assert "The password has 5 characters; it needs at least 12." in done.output
    assert "This password is made of your name" in done.output
    assert find_account("mira@kite.example", PASSWORD) is not None


def test_a_password_may_end_in_spaces_and_comes_from_any_system(shell: Shell) -> None:
    shell.run("member", "create", "a@b.example", "--role", "operator", said="twelve letters \r\nnot read\n")

    assert find_account("a@b.example", "twelve letters ") is not None


def test_a_key_has_the_app_and_scopes_that_were_asked_for(shell: Shell, cast: Cast) -> None:
    result = shell.run(
        *("key", "create", "--partner", "Moonbase", "--app", "Nightly", "--scope", "read", "--scope", "upload"),
    )

    key = next(key for key in db.session.scalars(select(ApiKey)) if key.app.name == "Nightly")
    assert key.scopes == ["read", "upload"]
    assert result.stdout.strip().endswith(key.hint[-4:])


def test_a_key_ends_after_the_days_that_were_asked_for(shell: Shell, cast: Cast) -> None:
    result = shell.run("key", "create", "--partner", "Moonbase", "--app", "Nightly", "--expires-in-days", "30")

    key = next(key for key in db.session.scalars(select(ApiKey)) if key.app.name == "Nightly")
    assert key.expires_at == key.created_at + timedelta(days=30)
    assert f"It expires on {key.expires_at:%Y-%m-%d at %H:%M} UTC." in result.stderr


def test_what_is_there_already_is_refused_in_one_line(shell: Shell, cast: Cast) -> None:
    assert "'starlight STUDIO' exists already" in shell.refused("partner", "create", "starlight STUDIO")
    member = ("member", "create", cast.operator, "--role", "operator")
    assert cast.operator in shell.refused(*member, said=PASSWORD)
    assert "'srv-01' already" in shell.refused("server", "add", "srv-01")


def test_what_breaks_a_rule_is_refused_in_one_line(shell: Shell, cast: Cast) -> None:
    new = ("member", "create", "new@starlight.example")
    in_starlight = ("--partner", "Starlight Studio")
    assert "1 to 150" in shell.refused("partner", "create", " ")
    assert "No partner named 'Nobody'" in shell.refused(*new, "--partner", "Nobody", "--role", "owner", said=PASSWORD)
    assert "at least 12" in shell.refused(*new, *in_starlight, "--role", "owner", said="short\n")
    assert "0 characters" in shell.refused(*new, *in_starlight, "--role", "owner")
    assert "operator outside" in shell.refused(*new, "--role", "owner", said=PASSWORD)
    assert "operator outside" in shell.refused(*new, *in_starlight, "--role", "operator", said=PASSWORD)
    assert "e-mail" in shell.refused("member", "create", "new", "--role", "operator", said=PASSWORD)
    assert "No partner named 'Nobody'" in shell.refused("key", "create", "--partner", "Nobody")
    assert "1 to 3,650 days" in shell.refused("key", "create", *in_starlight, "--expires-in-days", "4000")
    assert "read, write, upload" in shell.refused("key", "create", *in_starlight, "--scope", "admin")
    assert "srv-04" in shell.refused("server", "add", "Server 4")
    assert not db.session.scalars(select(Member).where(Member.email.startswith("new"))).all()


def test_unknown_options_and_roles_are_told_with_the_usage(shell: Shell) -> None:
    for words in (
        ("member", "create", "a@b.c", "--role", "king"),
        ("partner", "create"),
        ("sweep", "--young-minutes", "-1"),
        ("server", "create", "x"),
    ):
        result = shell.run(*words)
        assert result.exit_code == 2
        assert result.stderr.startswith("Usage: ")


def test_sweep_removes_what_belongs_to_nothing_and_says_how_much(
    app: Flask, client: FlaskClient, shell: Shell, cast: Cast
) -> None:
    key = bearer(cast.starlight.key)
    client.post("/api/partners/games", json=GAME, headers=key)
    path = "/api/partners/games/paper-lanterns/upload"
    archive = game_archive()
    client.put(path, data=archive, headers=key | {"Content-Type": "application/gzip"})
    build = db.session.scalars(select(Build)).one()
    orphan = "archives/orphan.tar.gz"
    multipart = bucket().start_multipart(orphan)
    bucket().complete_multipart(orphan, multipart, [bucket().put_part(orphan, multipart, 1, [b"x" * 1000])])

    assert ", 0 objects: 0 bytes freed." in shell.run("sweep").stdout
    swept = shell.run("sweep", "--young-minutes", "0")

    assert swept.exit_code == 0, swept.output
    assert "1 objects: 1,000 bytes freed." in swept.stdout
    assert bucket().stat(orphan) is None
    assert bucket().stat(build.object_key) is not None


def test_sweep_takes_back_an_upload_whose_process_died(
    app: Flask, client: FlaskClient, shell: Shell, cast: Cast
) -> None:
    game_id = client.post("/api/partners/games", json=GAME, headers=bearer(cast.starlight.key)).json
    assert game_id is not None
    with writing() as session:
        session.add(
            Upload(
                game_id=game_id["id"],
                object_key="archives/dead.tar.gz",
                sent_by="CI",
                touched_at=now() - timedelta(hours=48),
                created_at=now() - timedelta(hours=48),
            )
        )

    assert "Removed 1 abandoned uploads" in shell.run("sweep").stdout

    assert db.session.scalars(select(Upload)).all() == []


def test_check_finds_lost_and_superfluous_bytes_and_fails_for_lost_ones(
    app: Flask, client: FlaskClient, shell: Shell, cast: Cast
) -> None:
    key = bearer(cast.starlight.key)
    client.post("/api/partners/games", json=GAME, headers=key)
    client.put(
        "/api/partners/games/paper-lanterns/upload",
        data=game_archive(),
        headers=key | {"Content-Type": "application/gzip"},
    )
    clean = shell.run("check")
    assert clean.exit_code == 0, clean.output
    assert clean.stdout.startswith("1 build and 0 packs: 0 objects missing; 0 objects")

    build = db.session.scalars(select(Build)).one()
    bucket().delete([build.object_key])
    orphan = "archives/orphan.tar.gz"
    multipart = bucket().start_multipart(orphan)
    bucket().complete_multipart(orphan, multipart, [bucket().put_part(orphan, multipart, 1, [b"x" * 1000])])
    bucket().start_multipart("archives/unfinished.tar.gz")
    lost = shell.run("check")

    assert lost.exit_code == 1
    assert f"missing   paper-lanterns, build 1: {build.object_key}" in lost.stdout
    assert "orphan    archives/orphan.tar.gz (1,000 bytes)" in lost.stdout
    assert "unfinished archives/unfinished.tar.gz" in lost.stdout
    assert db.session.scalars(select(Build)).one()


def test_storage_that_does_not_answer_is_one_line(app: Flask, shell: Shell) -> None:
    app.extensions["slipway_bucket"].name = "never-made"

    for command in ("sweep", "check"):
        message = shell.refused(command)
        assert "torage" in message
        assert "127.0.0.1" not in message


def test_every_command_says_what_it_is_for(app: Flask) -> None:
    runner = app.test_cli_runner()
    for words in (["partner"], ["member"], ["key"], ["server"], []):
        result = runner.invoke(FlaskGroup(), [*words, "--help"], obj=ScriptInfo(create_app=lambda: app))

        assert result.exit_code == 0
        listed = result.stdout.partition("Commands:")[2]
        assert listed
        for line in listed.strip().splitlines():
            assert len(line.split(maxsplit=1)) == 2, f"{line!r} has no words on what it does"


def test_how_many_builds_a_server_keeps(shell: Shell) -> None:
    shell.run("server", "add", "srv-01")
    assert shell.run("server", "keep", "srv-01", "2").stdout == "srv-01 keeps 2 builds per game for rolling back.\n"
    assert "from 0 to 20 builds" in shell.refused("server", "keep", "srv-01", "21")
    assert "srv-99" in shell.refused("server", "keep", "srv-99", "1")
