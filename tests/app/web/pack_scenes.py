"""Situations with packs: the updates of the reference picture, and two builds that differ in many files."""

from __future__ import annotations

from sqlalchemy import select

from app.data.database import writing
from app.data.extensions import db
from app.data.models.game import Build, Game
from app.packing.pack_making import make_pack
from tests.app.fleet.acting import new_game
from tests.app.fleet.packs import add_pack, add_update
from tests.app.packing.scenes import LAUNCHER, Studio, game_files
from tests.app.web.scenes import MB, change


def forking_paths_packs(game_id: str) -> None:
    """Packs of the game of the reference picture (`scenes.forking_paths`), as rows: updates from build to build."""
    builds = {build.number: build for build in db.session.scalars(select(Build).where(Build.game_id == game_id))}
    for build in builds.values():
        add_pack(build, pack_bytes=6_900 * MB, index_bytes=610_000, index_size=4 * MB)
    updates = (
        (5, 4, 400_000, 900_000),
        (5, 3, 0, 2_900_000),
        (5, 1, 0, 9 * MB),
        (4, 3, 0, 1_500_000),
        (4, 1, 0, 5 * MB),
    )
    for newer, older, patch, fetched in updates:
        add_update(builds[newer], builds[older], delta_bytes=9_000, patch_bytes=patch or None, fetched_bytes=fetched)
    for older in (1, 2, 3):
        add_update(builds[older], builds[4], delta_bytes=8_000, fetched_bytes=11 * MB)
    add_pack(builds[2], "making", done=40, total=100)
    for number, server in ((3, "srv-01"), (3, "srv-02"), (3, "srv-03"), (3, "srv-04"), (3, "srv-05"), (4, "srv-01")):
        change(game_id, number, server, source="pack")
    change(game_id, 4, "srv-02", source="update", source_build=3, bytes_total=2_400_000, bytes_done=1_500_000)
    change(game_id, 4, "srv-04", source="archive", fallback="the pack failed its check: chunk 7 is damaged")
    with writing() as session:
        build, game = session.get_one(Build, builds[3].id), session.get_one(Game, game_id)
        build.sent_bytes, build.saved_bytes = 54_000 * 6, 42_600 * MB
        game.sent_bytes, game.saved_bytes = 14_300 * MB, 71_000 * MB


def harbour_lights(partner_id: str) -> None:
    """Two builds with packs that are really stored: the second changes a script, and adds and removes pictures."""
    studio = Studio(new_game(partner_id, "harbour-lights", title="Harbour Lights", launcher=LAUNCHER).slug)
    old = {f"game/images/chapter one/lamp {number:03}.webp": b"l" * (9_000 + 41 * number) for number in range(30)}
    new = {f"game/images/chapter two/pier {number:03}.webp": b"p" * (7_000 + 977 * number) for number in range(260)}
    for build in (studio.publish(game_files() | old), studio.publish(game_files(scripts=900) | new, release=False)):
        make_pack(build.id)
