"""The names of what can be watched (`game:<id>`, `plan:<server>`)."""

from __future__ import annotations


def assets_topic(game_id: str) -> str:
    """A game's assets: confirmed, derived, deleted, used."""
    return f"assets:{game_id}"


def game_topic(game_id: str) -> str:
    """What a game's page watches: its builds, releases and replicas."""
    return f"game:{game_id}"


def plan_topic(server_id: str) -> str:
    """What one server should hold."""
    return f"plan:{server_id}"


def partner_topic(partner_id: str) -> str:
    """A partner's list of games and how far each has come on the servers."""
    return f"partner:{partner_id}"


def catalog_topic(partner_id: str) -> str:
    """A partner's games themselves, whatever the servers do: what the API's list shows."""
    return f"catalog:{partner_id}"


FLEET_TOPIC = "fleet"
SIGN_INS_TOPIC = "sign-ins"  # changes when any has ended
