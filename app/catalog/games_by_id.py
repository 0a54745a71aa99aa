"""Games for /api/v1: found by id, and made from a name alone (decision 1)."""

from __future__ import annotations

import re
import secrets
import unicodedata

from app.accounts.actors import Actor
from app.catalog.game_metadata import RESERVED_SLUGS
from app.catalog.games import register_game
from app.data.extensions import db
from app.data.models.game import Game
from app.data.models.partner import PartnerIdentity
from app.refusals import Forbidden, GameNotFound, SlugTaken

MAX_SLUG_LENGTH = 100
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def game_by_id(partner: PartnerIdentity, game_id: str) -> Game:
    """The game, unless it is deleted. Raises GameNotFound, and Forbidden for another partner's game: ids cannot be
    guessed, so a stranger learns nothing from the difference (decision 4)."""
    game = db.session.get(Game, game_id)
    if game is None or game.deleted_at is not None:
        raise GameNotFound(f"No game with id '{game_id}'.")
    if game.partner_id != partner.id:
        raise Forbidden(f"The game '{game_id}' belongs to another partner. Use a key of the partner who owns it.")
    return game


def create_named_game(partner: PartnerIdentity, name: str, actor: Actor) -> Game:
    """A game titled `name`, without other metadata. Its slug is made from the name, with a number at the end if the
    slug is taken."""
    metadata = {"title": name, "developer": partner.name, "description": "", "tags": []}
    stem = slug_of(name)
    number = 1
    while True:
        slug = stem if number == 1 else numbered(stem, number)
        try:
            return register_game(partner, slug, dict(metadata), actor)
        except SlugTaken:
            number += 1


def slug_of(name: str) -> str:
    """Lowercase latin letters and digits with single hyphens, at most 100 characters. `game-` and six random characters
    for a name without latin letters."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MAX_SLUG_LENGTH].rstrip("-")
    if slug in RESERVED_SLUGS:
        return f"{slug}-game"
    return slug or "game-" + "".join(secrets.choice(_ALPHABET) for _ in range(6))


def numbered(stem: str, number: int) -> str:
    """The stem with `-2`, `-3` … at the end, still at most 100 characters."""
    end = f"-{number}"
    return stem[: MAX_SLUG_LENGTH - len(end)].rstrip("-") + end
