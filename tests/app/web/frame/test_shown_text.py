"""Characters that change how text is displayed are shown escaped on every page, also from rows that are older than the
rule which refuses them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from sqlalchemy import update

from app.accounts.audit_log import record
from app.data.database import writing
from app.data.models.audit_record import AuditEntry
from app.data.models.game import Build, Game
from app.data.models.partner import App, Member, Partner
from app.data.models.server import Server
from app.web.frame.shown_text import shown
from tests.app.web import asset_scenes, scenes
from tests.app.web.conftest import ONE_DATABASE, Visitor
from tests.conftest import CAST, Cast

TURN = "\u202e"
GARDEN = "/games/garden-of-forking-paths"
PARTNER_PAGES = (
    "/games",
    GARDEN,
    f"{GARDEN}/matrix",
    f"{GARDEN}/builds",
    f"{GARDEN}/builds/parts",
    f"{GARDEN}/builds/3",
    f"{GARDEN}/builds/4/release",
    f"{GARDEN}/details",
    f"{GARDEN}/assets",
    f"{GARDEN}/components",
    f"{GARDEN}/activity",
    "/servers",
    "/servers/srv-04",
    "/search?q=Garden",
    "/settings/partner",
    "/settings/members",
    "/settings/keys",
    "/settings/quota",
    "/settings/activity",
    f"/settings/activity?who=Eve{TURN}",
    "/profile",
)
OPERATOR_PAGES = (
    "/operator/servers",
    "/operator/servers/srv-04",
    "/operator/attention?show=all",
    "/operator/capacity",
    "/operator/partners",
    "/operator/partners/{partner}",
    "/operator/storage",
    "/operator/audit",
)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("gnp.exe" + TURN, r"gnp.exe\u202e"),
        ("a\u2066b\u2069\x07\x9f", r"a\u2066b\u2069\x07\x9f"),
        ("two\nlines and a\ttab", "two\nlines and a\ttab"),
        ("می‌خواهم 👩‍🚀 ❤️ 1.2\u00a0GiB", "می‌خواهم 👩‍🚀 ❤️ 1.2\u00a0GiB"),
        (7, 7),
        (None, None),
    ],
)
def test_only_what_changes_the_text_around_it_is_escaped(text: object, escaped: object) -> None:
    assert shown(text) == escaped


@ONE_DATABASE
def test_no_page_has_such_a_character_in_its_text(
    cast: Cast,
    owner: Visitor,
    six_servers: list[str],
    signed_in: Callable[[str], Visitor],
    subtests: pytest.Subtests,
) -> None:
    game_id = scenes.forking_paths(cast.starlight.partner_id)
    asset_scenes.forking_paths_images(game_id)
    scenes.servers_report()
    with writing() as session:
        game = session.get_one(Game, game_id)
        record(session, CAST, "game.updated", f"Old {TURN}name", game=game)
        record(session, CAST, "build.refused", "An archive", game=game, reason=f"It has {TURN}no launcher.")
        session.flush()
        session.execute(update(AuditEntry).values(actor=f"Eve{TURN}"))
        for column in (Game.title, Game.developer, Build.note, Build.version_label, Build.sent_by):
            session.execute(update(column.class_).values({column: f"Garden {TURN}txt"}))
        for column in (Member.name, Partner.name, App.description, Server.region):
            session.execute(update(column.class_).values({column: f"Name {TURN}txt"}))
    operator = signed_in(cast.operator)
    places = [(owner, path) for path in PARTNER_PAGES]
    places += [(operator, path.format(partner=cast.starlight.partner_id)) for path in OPERATOR_PAGES]
    for visitor, path in places:
        with subtests.test(path=path):
            answer = visitor.get(path)
            assert answer.status_code == 200, answer.text
            assert r"\u202e" in answer.text, "it shows one of the texts"
            # A field has the text as it is stored, so that saving it changes nothing.
            page = re.sub(r'<textarea.*?</textarea>| value="[^"]*"', "", answer.text, flags=re.DOTALL)
            found = [page[max(0, at.start() - 80) : at.end() + 40] for at in re.finditer(TURN, page)]
            assert found == []
