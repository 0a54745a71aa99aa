"""What the palette finds for a text: groups of links, best first, and only what the member may open."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import url_for

from app.accounts.partner_list import partner_names
from app.catalog.game_search import FoundBuild, NamedGame, matching_builds, matching_games, named_games
from app.data.models.partner import Member
from app.data.text_search import best_rank, match_rank, search_words
from app.fleet.active_servers import server_places
from app.web.palette.places import OF_A_GAME, OF_A_SERVER, Place, places_of

MAX_RESULTS = 20
MAX_PER_GROUP = 6
MAX_RECENT_GAMES = 5
MAX_WORDS = 12  # of a text; the others are ignored


@dataclass(frozen=True)
class Result:
    """A link. `rank`: how well it matches (`match_rank`). `second`: what tells it from others with the same name."""

    rank: int
    name: str
    url: str
    second: str = ""


@dataclass(frozen=True)
class Group:
    """Results of one kind, best first."""

    name: str
    results: Sequence[Result]


@dataclass
class _Found:
    """Results by kind."""

    games: list[Result] = field(default_factory=list)
    builds: list[Result] = field(default_factory=list)
    servers: list[Result] = field(default_factory=list)
    partners: list[Result] = field(default_factory=list)
    pages: list[Result] = field(default_factory=list)
    actions: list[Result] = field(default_factory=list)

    def add_place(self, rank: int, place: Place, subject: str = "", **values: Any) -> None:
        """`subject`: the game or the server whose place it is."""
        url = url_for(place.endpoint, **values) + (f"#{place.anchor}" if place.anchor else "")
        name = f"{place.name}: {subject}" if subject else place.name
        (self.actions if place.is_action else self.pages).append(Result(rank, name, url))


def find(member: Member, text: str) -> list[Group]:
    """At most MAX_RESULTS results. The group with the best one is first. Without a text: recent games, pages and
    actions."""
    wanted, found = search_words(text)[:MAX_WORDS], _Found()
    if not wanted:
        if text.strip():
            return []
        _add_games(member, found)
        for place in places_of(member):
            found.add_place(0, place)
        return _limited(_groups(found))
    for place in places_of(member):
        if (rank := best_rank(wanted, (search_words(place.name), _words_of(place)))) is not None:
            found.add_place(rank, place)
    _find_servers(member, found, wanted)
    if member.is_operator:
        _find_partners(found, wanted)
    else:
        _find_games(member, found, wanted, text)
    groups = [Group(group.name, _best(group.results)) for group in _groups(found)]
    return _limited(sorted(groups, key=lambda group: group.results[0].rank))


def _groups(found: _Found) -> list[Group]:
    groups = (
        Group("Games", found.games),
        Group("Builds", found.builds),
        Group("Servers", found.servers),
        Group("Partners", found.partners),
        Group("Pages", found.pages),
        Group("Actions", found.actions),
    )
    return [group for group in groups if group.results]


def _best(results: Iterable[Result]) -> list[Result]:
    return sorted(results, key=lambda result: result.rank)[:MAX_PER_GROUP]


def _limited(groups: Iterable[Group]) -> list[Group]:
    limited, left = [], MAX_RESULTS
    for group in groups:
        if left:
            limited.append(Group(group.name, group.results[:left]))
            left -= len(limited[-1].results)
    return limited


def _add_games(member: Member, found: _Found) -> None:
    """The games that changed last."""
    if member.partner is not None:
        found.games += [_game(0, game) for game in named_games(member.partner)[:MAX_RECENT_GAMES]]


def _find_games(member: Member, found: _Found, wanted: Sequence[str], text: str) -> None:
    """Games, their builds and their pages: through the member's partner, which is the authorisation."""
    if member.partner is None:
        return
    games = named_games(member.partner)
    found.games += [_game(rank, game) for rank, game in matching_games(games, wanted)[:MAX_PER_GROUP]]
    found.builds += [_build(rank, build) for rank, build in matching_builds(games, text, MAX_PER_GROUP)]
    for place in OF_A_GAME:
        others = _words_besides(place, wanted)
        if others and place.is_for(member):
            for rank, game in matching_games(games, others)[:MAX_PER_GROUP]:
                found.add_place(rank, place, game.title, slug=game.slug)


def _find_servers(member: Member, found: _Found, wanted: Sequence[str]) -> None:
    endpoint = "operator_server.page" if member.is_operator else "server.page"
    for server_id, region in server_places():
        words = search_words(f"{server_id} {region}")
        if (rank := match_rank(wanted, words)) is not None:
            found.servers.append(Result(rank, server_id, url_for(endpoint, server_id=server_id), region))
        for place in OF_A_SERVER if member.is_operator else ():
            others = _words_besides(place, wanted)
            if others and (rank := match_rank(others, words)) is not None:
                found.add_place(rank, place, server_id, server_id=server_id)


def _find_partners(found: _Found, wanted: Sequence[str]) -> None:
    for partner_id, name in partner_names().items():
        if (rank := match_rank(wanted, search_words(name))) is not None:
            found.partners.append(Result(rank, name, url_for("operator_partner.page", partner_id=partner_id)))


def _words_besides(place: Place, wanted: Sequence[str]) -> list[str]:
    """The wanted words that do not begin a word of the place; [] if none or all of them do."""
    names = _words_of(place)
    others = [word for word in wanted if not any(name.startswith(word) for name in names)]
    return others if len(others) < len(wanted) else []


def _words_of(place: Place) -> list[str]:
    return search_words(f"{place.name} {place.words}")


def _game(rank: int, game: NamedGame) -> Result:
    return Result(rank, game.title, url_for("game.page", slug=game.slug), game.slug)


def _build(rank: int, build: FoundBuild) -> Result:
    url = url_for("build.page", slug=build.game.slug, number=build.number)
    second = ", ".join(word for word in (build.label, "live" if build.live else "") if word)
    return Result(rank, f"{build.game.title}, build {build.number}", url, second)
