"""The key: where it may come from, that it goes nowhere else, and what the errors around it say."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import click
import pytest

from app.accounts.actors import Actor
from app.accounts.keys import create_key
from app.data.extensions import db
from app.data.models.partner import Partner
from slipway.cli.commands import slipway as program
from slipway.cli.exit_codes import ExitCode
from tests.app.runtime.processes import free_port
from tests.app.uploads.raw.live import Gunicorn, World
from tests.game_archives import game_archive
from tests.slipway.cli.cli_process import COMMAND, ROOT, Ended, Slipway
from tests.slipway.cli.pseudo_terminal import terminal

pytestmark = pytest.mark.slow


@pytest.fixture
def keyless(slipway: Slipway) -> Slipway:
    return slipway.but(SLIPWAY_KEY=None)


def log_in(slipway: Slipway, key: str) -> Ended:
    """With the key on standard input, as a pipeline with a secret store does."""
    process = subprocess.run(
        [*COMMAND, "login"],
        cwd=ROOT,
        env=slipway.variables(),
        input=f"{key}\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Ended(process.returncode, process.stdout, process.stderr)


def test_login_keeps_the_key_for_its_owner_alone(keyless: Slipway, world: World, slug: str) -> None:
    logged_in = log_in(keyless, world.key)
    assert logged_in.code == ExitCode.OK, logged_in
    file = keyless.config / "credentials.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    games = keyless.but(SLIPWAY_URL=None)("games", "--json")
    assert slug in [game["slug"] for game in games.result["games"]]


def test_logout_removes_the_key_of_its_platform_alone(keyless: Slipway, world: World, gunicorn: Gunicorn) -> None:
    log_in(keyless, world.key)
    elsewhere = gunicorn.address.replace("127.0.0.1", "localhost")
    log_in(keyless.but(SLIPWAY_URL=elsewhere), world.key)
    file = keyless.config / "credentials.json"
    out = keyless("logout", "--json")
    assert (out.code, out.result["changed"], out.result["url"]) == (ExitCode.OK, True, gunicorn.address)
    assert keyless("games").code == ExitCode.UNAUTHORIZED
    assert keyless("games", "--url", elsewhere).code == ExitCode.OK
    assert keyless("logout", "--json").result["changed"] is False
    assert keyless("logout", "--url", elsewhere).code == ExitCode.OK
    assert not file.exists()  # no key is left


def test_logout_tells_what_it_does_not_remove(slipway: Slipway, world: World) -> None:
    assert "SLIPWAY_KEY is set" in slipway("logout").out
    log_in(slipway.but(SLIPWAY_KEY=None), world.key)
    assert "It still works: revoke it in the dashboard" in slipway.but(SLIPWAY_KEY=None)("logout").out


def test_a_key_is_typed_unseen(keyless: Slipway, gunicorn: Gunicorn, world: World) -> None:
    with terminal(keyless.but(SLIPWAY_URL=None), "login") as person:
        person.sees("Address of the platform")
        person.types(gunicorn.address)
        person.sees("API key for")
        person.types(world.key)
        person.sees("Logged in")
    assert world.key not in person.seen


def test_a_file_that_others_can_read_is_refused(keyless: Slipway, world: World) -> None:
    log_in(keyless, world.key)
    file = keyless.config / "credentials.json"
    for mode in (0o640, 0o604):
        file.chmod(mode)
        refused = keyless("games")
        assert refused.code == ExitCode.UNAUTHORIZED
        assert f"chmod 600 {file}" in refused.err


def test_a_stored_key_is_sent_to_no_other_address(keyless: Slipway, world: World, gunicorn: Gunicorn) -> None:
    log_in(keyless, world.key)
    elsewhere = gunicorn.address.replace("127.0.0.1", "localhost")
    refused = keyless("games", "--url", elsewhere)
    assert refused.code == ExitCode.UNAUTHORIZED
    assert f"No API key for {elsewhere}" in refused.err


def test_a_key_that_is_not_accepted_is_not_kept(keyless: Slipway) -> None:
    refused = log_in(keyless, "pp_wrong")
    assert refused.code == ExitCode.UNAUTHORIZED
    assert "slipway login" in refused.err
    assert not (keyless.config / "credentials.json").exists()


def test_a_wrong_key_in_the_environment_is_told_with_the_remedy(slipway: Slipway) -> None:
    refused = slipway.but(SLIPWAY_KEY="pp_wrong")("games", "--json")
    assert (refused.code, refused.result["error"]) == (ExitCode.UNAUTHORIZED, "unauthorized")
    assert "SLIPWAY_KEY" in refused.result["message"]


def test_a_key_without_the_scope_is_told_so(slipway: Slipway, world: World, slug: str, tmp_path: Path) -> None:
    with world.app.app_context():
        partner = db.session.get_one(Partner, world.partner_id)
        _, reader = create_key(partner, "Wall", ["read"], Actor("the studio"))
    (tmp_path / "a.tar.gz").write_bytes(game_archive())
    refused = slipway.but(SLIPWAY_KEY=reader)("push", tmp_path / "a.tar.gz", "--game", slug, "--json")
    assert (refused.code, refused.result["error"]) == (ExitCode.UNAUTHORIZED, "forbidden")


def test_nothing_that_is_said_or_kept_holds_the_key(slipway: Slipway, world: World, slug: str, tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(game_archive())
    said = [
        slipway("push", tmp_path / "a.tar.gz", "--game", slug, "--json", "--wait", "stored"),
        slipway("push", tmp_path / "a.tar.gz", "--game", slug),
        slipway("games"),
        slipway("status", "--game", "unknown"),
        slipway("games", "--url", f"http://127.0.0.1:{free_port()}"),
    ]
    for ended in said:
        assert world.key not in ended.out + ended.err
        assert "X-Amz" not in ended.out + ended.err
    for path in slipway.home.rglob("*"):
        if path.is_file():
            assert world.key not in path.read_text()
            assert path.stat().st_mode & 0o077 == 0


def test_no_option_takes_a_key() -> None:
    for name, command in program.commands.items():
        for parameter in command.params:
            spoken = {*parameter.opts, parameter.name or ""}
            assert not any(word in option for option in spoken for word in ("key", "token", "secret")), (name, spoken)
            assert isinstance(parameter, click.Option | click.Argument)
            assert parameter.envvar != "SLIPWAY_KEY"


@pytest.mark.parametrize("key", ["", "two words", "pp_\x1b[31m", "schlüssel"])
def test_what_cannot_be_a_key_is_refused_before_it_is_sent(keyless: Slipway, key: str) -> None:
    refused = keyless.but(SLIPWAY_KEY=key)("games")
    assert refused.code == ExitCode.UNAUTHORIZED
    assert "SLIPWAY_KEY" in refused.err


def test_an_unknown_game_is_told_with_where_to_look(slipway: Slipway, tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(game_archive())
    refused = slipway("push", tmp_path / "a.tar.gz", "--game", "xyz", "--json")
    assert (refused.code, refused.result["error"]) == (ExitCode.NOT_FOUND, "not_found")
    assert refused.result["message"] == "No game with slug 'xyz'. Run `slipway games` to list yours."


def test_a_platform_that_is_not_there_is_said_soon(slipway: Slipway) -> None:
    begun = time.monotonic()
    refused = slipway("games", "--url", f"http://127.0.0.1:{free_port()}")
    assert refused.code == ExitCode.UNREACHABLE
    assert "connection refused" in refused.err
    assert time.monotonic() - begun < 40


def test_an_address_that_is_no_platform_is_told_apart(slipway: Slipway, gunicorn: Gunicorn) -> None:
    refused = slipway("games", "--url", f"{gunicorn.address}/static")
    assert refused.code in {ExitCode.UNREACHABLE, ExitCode.NOT_FOUND}
    assert slipway("games", "--url", "portal.example").code == ExitCode.USAGE
    assert slipway("games", "--url", "https://me:secret@portal.example").code == ExitCode.USAGE
    assert slipway("launch").code == ExitCode.USAGE
