"""One action on several servers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from app.accounts.actors import Actor
from app.fleet.retries import retry_failed
from app.fleet.servers import pause_server
from app.refusals import Conflict, NotFound

BulkAction = Literal["pause", "resume", "retry"]


@dataclass
class BulkOutcome:
    """`done`: ids of the servers. `builds`: how many builds are retried. `refused`: why, for each of the others."""

    done: list[str] = field(default_factory=list)
    builds: int = 0
    refused: list[str] = field(default_factory=list)


def act_on_servers(server_ids: Sequence[str], action: BulkAction, actor: Actor) -> BulkOutcome:
    """Each server has a transaction and an audit entry of its own, so that one refusal does not undo the others, and no
    report waits for all of them."""
    outcome = BulkOutcome()
    for server_id in sorted(set(server_ids)):
        try:
            if action == "retry":
                outcome.builds += retry_failed(server_id, actor)
            else:
                pause_server(server_id, action == "pause", actor)
        except (Conflict, NotFound) as refusal:
            outcome.refused.append(refusal.message)
        else:
            outcome.done.append(server_id)
    return outcome
