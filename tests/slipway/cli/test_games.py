"""Games and builds as people name them, and registering a game."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import click
import pytest

from app.accounts.keys import create_key
from app.accounts.partners import create_partner
from app.data.extensions import db
from app.data.models.game import Game
from slipway.cli.commands import slipway as program
from slipway.cli.exit_codes import ExitCode
from slipway.cli.game_arguments import split_game_and_build
from tests.app.uploads.raw.live import STUDIO, Gunicorn, World
from tests.app.uploads.raw.sending import upload
from tests.game_archives import game_archive
from tests.slipway.cli.cli_process import ROOT, Slipway
from tests.slipway.cli.game_folders import LAUNCHER
from tests.slipway.cli.pseudo_terminal import terminal


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), (None, None)),
        (("my-game",), ("my-game", None)),
        (("3",), (None, 3)),
        (("my-game", "3"), ("my-game", 3)),
        (("3", "my-game"), ("my-game", 3)),
        (("2048", "3"), ("2048", 3)),
    ],
)
def test_a_game_and_a_build_in_any_order(arguments: tuple[str, ...], expected: tuple[str | None, int | None]) -> None:
    assert split_game_and_build(arguments) == expected


@pytest.mark.parametrize("arguments", [("a", "b"), ("a", "1", "2"), ("0",), ("9" * 400,), ("a", "²")])
def test_what_names_no_build_is_a_usage_error(arguments: tuple[str, ...]) -> None:
    with pytest.raises(click.UsageError):
        split_game_and_build(arguments)


@pytest.mark.slow
def test_every_command_takes_the_game_as_an_argument(slipway: Slipway, slug: str, tmp_path: Path) -> None:
    for number in (1, 2):
        path = tmp_path / f"{number}.tar.gz"
        path.write_bytes(game_archive(seed=number))
        assert slipway("push", path, slug).code == ExitCode.OK
    for command in ("status", "releases", "builds"):
        assert slipway(command, slug, "--json").result["game"] == slug
        assert slipway(command, "--game", slug, "--json").result["game"] == slug
    assert slipway("watch", slug, "--timeout", 0).code == ExitCode.NOT_CACHED
    for words, live in (
        (("rollback", slug), 1),
        (("release", slug, "2"), 2),
        (("release", "1", slug), 1),
        (("release", "2", "--game", slug), 2),
        (("rollback", "1", slug), 1),
    ):
        done = slipway(*words, "--yes", "--json").result
        assert (done["build"], done["changed"]) == (live, True)
    assert slipway("download", slug, "1", "-o", tmp_path / "one.tar.gz").code == ExitCode.OK


@pytest.mark.slow
def test_the_argument_outweighs_the_environment_but_must_not_contradict_the_option(
    slipway: Slipway, world: World, slug: str
) -> None:
    other = world.new_game()
    elsewhere = slipway.but(SLIPWAY_GAME=other)
    assert elsewhere("status", "--json").result["game"] == other
    assert elsewhere("status", slug, "--json").result["game"] == slug
    contradiction = slipway("status", slug, "--game", other)
    assert contradiction.code == ExitCode.USAGE
    assert "Two games are named" in contradiction.err
    assert slipway("release", slug).code == ExitCode.USAGE


@pytest.mark.slow
def test_hints_name_a_command_that_answers_the_question(slipway: Slipway, world: World, slug: str) -> None:
    other = world.new_game()  # without a name, these commands would ask which game
    assert other != slug
    build = slipway("release", slug, 9, "--yes")
    assert build.code == ExitCode.NOT_FOUND
    assert f"Run `slipway builds {slug}` to list its builds." in build.err
    assert f"Run `slipway builds {slug}`" in slipway("rollback", slug, "--yes").err
    assert f"Run `slipway builds {slug}`" in slipway("watch", slug).err
    assert f"Run `slipway push DIR {slug}`" in slipway("builds", slug).out
    assert "Run `slipway games`" in slipway("status", "xyz").err


def test_every_command_that_a_hint_names_exists() -> None:
    """Hints are texts in the source: `slipway <command> …`."""
    sources = [path.read_text() for path in (ROOT / "slipway" / "cli").rglob("*.py")]
    named = {found for text in sources for found in re.findall(r"`slipway ([a-z]+)", text)}
    assert {"builds", "games", "login", "release", "status", "watch"} <= named
    assert named <= set(program.commands)


REGISTRATION = (
    *("--title", "Paper Lanterns", "--developer", "Kite Works", "--description", "A festival."),
    *("--tag", "Visual Novel", "--tag", "Mystery", "--launcher", LAUNCHER, "--renpy-dir", "PaperLanterns-1.0"),
)


@pytest.fixture
def own(slipway: Slipway, world: World, tmp_path: Path) -> tuple[Slipway, World]:
    """A partner without games."""
    with world.app.app_context():
        partner = create_partner(f"Studio {tmp_path.name}", STUDIO)
        _, key = create_key(partner, "CI", ["read", "write", "upload"], STUDIO)
        partner_id = partner.id
    return slipway.but(SLIPWAY_KEY=key), replace(world, partner_id=partner_id, key=key)


@pytest.mark.slow
def test_which_games_there_are_is_told_up_to_twenty(own: tuple[Slipway, World]) -> None:
    slipway, world = own
    slugs = [world.new_game(), world.new_game()]
    assert f"Name one, as an argument or with SLIPWAY_GAME: {', '.join(slugs)}.\n" in slipway("status").err
    for _ in range(19):
        world.new_game()
    assert " … Run `slipway games` to list all.\n" in slipway("status").err


@pytest.mark.slow
def test_a_game_is_registered_pushed_and_listed(own: tuple[Slipway, World], tmp_path: Path) -> None:
    slipway, world = own
    assert "slipway register" in slipway("games").out
    assert "slipway register" in slipway("status").err
    made = slipway("register", "lanterns", *REGISTRATION, "--stage", "--keep-builds", "5", "--json")
    assert (made.code, made.result["game"], made.result["status"]) == (ExitCode.OK, "lanterns", "pending_upload")
    with world.app.app_context():
        game = db.session.get_one(Game, made.result["id"])
        assert (game.title, game.tags, game.launcher) == ("Paper Lanterns", ["Visual Novel", "Mystery"], LAUNCHER)
        assert (game.auto_release, game.keep_builds) == (False, 5)
        db.session.rollback()
    (tmp_path / "a.tar.gz").write_bytes(game_archive())
    assert slipway("push", tmp_path / "a.tar.gz").code == ExitCode.OK
    again = slipway("register", "lanterns", *REGISTRATION, "--json")
    assert (again.code, again.result["error"]) == (ExitCode.REFUSED, "slug_taken")


@pytest.mark.slow
def test_without_a_terminal_missing_fields_are_named(own: tuple[Slipway, World]) -> None:
    slipway, _ = own
    refused = slipway("register", "lanterns", *REGISTRATION[:4])
    assert refused.code == ExitCode.USAGE
    assert "Missing: --description, --tag, --launcher, --renpy-dir." in refused.err
    wrong = slipway("register", "Not A Slug", *REGISTRATION)
    assert wrong.code == ExitCode.REFUSED
    assert "slug" in wrong.err


@pytest.mark.slow
def test_a_person_is_asked_for_what_is_missing(own: tuple[Slipway, World]) -> None:
    slipway, _ = own
    with terminal(slipway, "register", "asked", *REGISTRATION[:6]) as person:
        person.sees("Tags")
        person.types("Visual Novel, Mystery")
        person.sees("Launcher")
        person.types(LAUNCHER)
        person.sees("folder")
        person.types("PaperLanterns-1.0")
        person.sees("asked is registered")


@pytest.mark.slow
def test_a_version_label_is_shown_with_the_build(slipway: Slipway, slug: str, tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(game_archive())
    assert slipway("push", tmp_path / "a.tar.gz", slug, "--version-label", "1.4.2-β").code == ExitCode.OK
    assert slipway("builds", slug, "--json").result["builds"][0]["versionLabel"] == "1.4.2-β"
    for command in ("builds", "status"):
        assert "1.4.2-β" in slipway(command, slug).out
    (tmp_path / "a.tar.gz").write_bytes(game_archive(seed=2))
    refused = slipway("push", tmp_path / "a.tar.gz", slug, "--version-label", "x" * 101, "--json")
    assert (refused.code, refused.result["bytesSent"]) == (ExitCode.REFUSED, 0)
    assert "versionLabel" in refused.result["message"]


@pytest.mark.slow
def test_all_builds_can_be_listed(slipway: Slipway, world: World, gunicorn: Gunicorn, slug: str) -> None:
    for number in range(12):
        assert upload(gunicorn.port, world.key, slug, game_archive(seed=number)).status == 200
    status = slipway("status", slug)
    assert f"12 builds in all: run `slipway builds {slug}` to list more." in status.out
    found = slipway("builds", slug, "--json").result
    assert [build["number"] for build in found["builds"]] == list(range(12, 0, -1))
    assert found["total"] == 12
