"""Situations for pages to show: games with builds on servers in every state, as rows.

What agents report is played through the real door in tests/api and tests/running; here a page's words and looks are
tried, which needs states that take an agent minutes to reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select

from app.data.database import announce, writing
from app.data.extensions import db
from app.data.models.base import new_id, now
from app.data.models.game import Build, Game, Release
from app.data.models.server import PlaySession, Replica, Server
from app.topics.names import game_topic, partner_topic

MB, GB = 10**6, 10**9


@dataclass
class On:
    """One build on one server."""

    server: str
    phase: str = "cached"
    percent: int = 100
    rate: int = 0
    attempt: int = 1
    reason: str | None = None
    retry_in: float | None = None
    since: timedelta = timedelta(minutes=20)
    sessions: int = 0


@dataclass
class Sent:
    """One build of a game, oldest first in a list."""

    size: int = 7_200 * MB
    age: timedelta = timedelta(days=2)
    sent_by: str = "CI · pp_8fK2…x9Qd"
    released: timedelta | None = timedelta(days=2)  # how long ago; None: never
    on: Sequence[On] = field(default_factory=list)


def add_game(
    partner_id: str,
    title: str,
    slug: str,
    sent: Sequence[Sent] = (),
    *,
    live: int | None = None,
    tags: Sequence[str] = ("Visual Novel",),
    age: timedelta = timedelta(0),
) -> str:
    """A game with these builds, number `live` being released (default: the newest released one). Returns its id."""
    at = now()
    with writing() as session:
        game = Game(
            partner_id=partner_id,
            slug=slug,
            title=title,
            developer="Kite Works",
            description="Words, pictures and a few choices.",
            tags=list(tags),
            launcher=f"{slug}.sh",
            renpy_dir="x",
            created_at=at - age,
            updated_at=at - age,
        )
        session.add(game)
        session.flush()
        builds = [_build(game, number, each, at) for number, each in enumerate(sent, 1)]
        session.add_all(builds)
        session.flush()
        game.next_build_number = len(builds) + 1
        released = [build for build in builds if build.released_at]
        if released:
            current = builds[live - 1] if live else released[-1]
            game.released_build_id = current.id
            session.add(
                Release(
                    game_id=game.id,
                    build_id=current.id,
                    build_number=current.number,
                    released_at=current.released_at or at,
                    released_by="Mira Okafor",
                )
            )
        for build, each in zip(builds, sent, strict=True):
            _hold(game, build, each.on, at)
        announce(game_topic(game.id), partner_topic(partner_id))
        return game.id


def _build(game: Game, number: int, sent: Sent, at: datetime) -> Build:
    released_at = at - sent.released if sent.released is not None else None
    return Build(
        id=new_id("build"),
        game_id=game.id,
        number=number,
        object_key=f"builds/{game.id}/{number}",
        size=sent.size,
        sha256="0" * 63 + str(number % 10),
        unpacked_bytes=sent.size * 2,
        members=1204,
        launcher=game.launcher or "",
        top_directory=game.slug,
        sent_by=sent.sent_by,
        created_at=at - sent.age,
        first_released_at=released_at,
        released_at=released_at,
    )


def _hold(game: Game, build: Build, places: Sequence[On], at: datetime) -> None:
    for place in places:
        db.session.add(
            Replica(
                server_id=place.server,
                build_id=build.id,
                game_id=game.id,
                phase=place.phase,
                bytes_done=build.size * place.percent // 100,
                bytes_total=build.size,
                bytes_per_second=place.rate,
                attempt=place.attempt,
                reason=place.reason,
                retry_at=None if place.retry_in is None else at + timedelta(seconds=place.retry_in),
                since=at - place.since,
                cached_at=at - place.since if place.phase == "cached" else None,
                reported_at=at,
            )
        )
        for _ in range(place.sessions):
            db.session.add(PlaySession(server_id=place.server, game_id=game.id, build_id=build.id))


def servers_report(*, silent: Sequence[str] = (), silent_for: timedelta = timedelta(minutes=39)) -> None:
    """Every server spoke a moment ago, but the silent ones."""
    with writing() as session:
        for index, server in enumerate(session.scalars(select(Server).order_by(Server.id))):
            server.last_report_at = now() - (silent_for if server.id in silent else timedelta(seconds=1 + index % 3))


def change(game_id: str, number: int, server: str, **values: object) -> None:
    """A report changed one replica."""
    with writing() as session:
        replica = session.scalars(
            select(Replica)
            .join(Build)
            .where(Build.game_id == game_id, Build.number == number, Replica.server_id == server)
        ).one()
        for name, value in values.items():
            setattr(replica, name, value)
        announce(game_topic(game_id))


def send(game_id: str, sent: Sent) -> None:
    """A build arrives and is released."""
    at = now()
    with writing() as session:
        game = session.get_one(Game, game_id)
        build = _build(game, game.next_build_number, sent, at)
        session.add(build)
        session.flush()
        game.next_build_number += 1
        game.released_build_id = build.id
        session.add(
            Release(game_id=game.id, build_id=build.id, build_number=build.number, released_at=at, released_by="CI")
        )
        _hold(game, build, sent.on, at)
        announce(game_topic(game_id))


def delete(game_id: str) -> None:
    """The game is deleted, as by its owner elsewhere."""
    with writing() as session:
        session.get_one(Game, game_id).deleted_at = now()
        announce(game_topic(game_id))


def retries_asked(game_id: str) -> int:
    """How often somebody pressed "Retry now"."""
    db.session.rollback()
    return sum(db.session.scalars(select(Replica.retries_asked).where(Replica.game_id == game_id)))


def forking_paths(partner_id: str) -> str:
    """The game of the reference picture: one server in each state."""
    cached = On("srv-01", since=timedelta(days=7))
    everywhere = [On(f"srv-0{n}", since=timedelta(days=7)) for n in range(1, 7)]
    return add_game(
        partner_id,
        "The Garden of Forking Paths",
        "garden-of-forking-paths",
        [
            Sent(
                size=7_100 * MB,
                age=timedelta(days=19),
                released=timedelta(days=19),
                on=[
                    On("srv-01", "evicting"),
                    On("srv-03", "verifying", 88, 412 * MB),
                    On("srv-04", sessions=2),
                    On("srv-02", "removed"),
                    On("srv-05", "removed"),
                ],
            ),
            Sent(size=7_100 * MB, age=timedelta(days=8), sent_by="Jonas Lindqvist", released=None),
            Sent(
                size=7_100 * MB,
                age=timedelta(days=7),
                released=timedelta(days=7),
                on=[
                    On("srv-01", sessions=3),
                    On("srv-02", sessions=11),
                    *everywhere[2:4],
                    On("srv-05", sessions=1),
                    everywhere[5],
                ],
            ),
            Sent(
                age=timedelta(minutes=30),
                sent_by="Mira Okafor",
                released=timedelta(minutes=23),
                on=[
                    cached,
                    On("srv-02", "downloading", 62, 18_400_000),
                    On("srv-03", "pending", 0),
                    On("srv-04", "failed", 0, attempt=8, reason="disk full: 7.4 GiB needed, 1.0 GiB free"),
                    On("srv-05", "failed", 30, attempt=2, reason="connection reset", retry_in=40),
                    On("srv-06", "downloading", 20),
                ],
            ),
            Sent(age=timedelta(minutes=6), released=None),
        ],
        tags=("Visual Novel", "Mystery"),
    )


def catalog(partner_id: str) -> None:
    """The list of the reference picture."""
    good = [On(f"srv-0{n}") for n in range(1, 6)] + [On("srv-06")]
    forking_paths(partner_id)
    add_game(partner_id, "Paper Lanterns", "paper-lanterns", [Sent(1_200 * MB, on=good)], age=timedelta(hours=2))
    arriving = [On(f"srv-0{n}", "downloading", 40, 5 * MB) for n in range(1, 5)] + [On("srv-05"), On("srv-06")]
    add_game(
        partner_id,
        "Night Ferry",
        "night-ferry",
        [Sent(3_900 * MB, on=arriving)],
        tags=("Visual Novel", "Horror"),
        age=timedelta(hours=2),
    )
    add_game(partner_id, "Salt and Cedar", "salt-and-cedar", [Sent(2_400 * MB, on=good)], age=timedelta(days=1))
    add_game(
        partner_id,
        "The Cartographer’s Daughter",
        "cartographers-daughter",
        [Sent(11_800 * MB, on=good)],
        tags=("Visual Novel", "Puzzle"),
        age=timedelta(days=3),
    )
    add_game(partner_id, "Moth Season", "moth-season", age=timedelta(days=4))
    add_game(
        partner_id,
        "Low Tide",
        "low-tide",
        [Sent(640 * MB, on=good)],
        tags=("Visual Novel", "Short"),
        age=timedelta(days=12),
    )
    add_game(partner_id, "Platform Nine", "platform-nine", [Sent(5_100 * MB, on=good)], age=timedelta(days=19))


def announce_partner(partner_id: str) -> None:
    """What agents' reports announce beside the game itself: the lists look again."""
    with writing():
        announce(partner_topic(partner_id))
