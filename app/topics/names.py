"""The names of topics (`game:<id>`, `plan:<server>`)."""

from __future__ import annotations


def assets_topic(game_id: str) -> str:
    """A game's assets: confirmed, derived, deleted, used."""
    return f"assets:{game_id}"


def game_topic(game_id: str) -> str:
    """A game's builds, releases and replicas, for its page."""
    return f"game:{game_id}"


def plan_topic(server_id: str) -> str:
    """The builds that one server should hold."""
    return f"plan:{server_id}"


def partner_topic(partner_id: str) -> str:
    """A partner's list of games, and the state of each on the servers."""
    return f"partner:{partner_id}"


def catalog_topic(partner_id: str) -> str:
    """A partner's games without the servers' state, for the API's list."""
    return f"catalog:{partner_id}"


FLEET_TOPIC = "fleet"
SIGN_INS_TOPIC = "sign-ins"  # changes when a sign-in ends, and when a member's role changes
KEYS_TOPIC = "api-keys"  # changes when a key ends, and when its app or partner is renamed
