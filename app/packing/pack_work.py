"""The background work on packs: the most urgent step first, until nothing is due."""

from __future__ import annotations

import logging

from app.packing.due_packs import due_packs
from app.packing.pack_making import Outcome, make_pack
from app.packing.update_making import due_updates, make_update
from app.process import shutdown
from app.refusals import Unavailable
from slipway.packs.format.refusals import TransferCancelled

log = logging.getLogger(__name__)


def make_due_packs() -> None:
    """Make updates and packs until none is due, storage does not answer, or the process stops. Updates come first: they
    take seconds. A build that is published meanwhile is the next, however many older ones wait."""
    skipped: set[object] = set()  # whatever another worker does now, or cannot be made now
    while not shutdown.stopping.is_set():
        pair = next((found for found in due_updates() if found not in skipped), None)
        if pair is not None:
            skipped.add(pair)
            if not _make_update(*pair):
                return
            continue
        build_id = next((found for found in due_packs() if found not in skipped), None)
        if build_id is None:
            return
        outcome = make_pack(build_id)
        if outcome is Outcome.LATER:
            return
        if outcome is not Outcome.READY:
            skipped.add(build_id)


def work_is_due() -> bool:
    """Whether `make_due_packs()` has something to do."""
    return bool(due_updates() or due_packs())


def _make_update(build_id: str, from_build_id: str) -> bool:
    try:
        make_update(build_id, from_build_id, cancelled=shutdown.stopping.is_set)
    except (Unavailable, TransferCancelled) as why:
        log.warning("making updates is continued later: %s", why)
        return False
    except Exception:  # the whole pack can be fetched instead
        log.exception("the update from %s to %s was not made", from_build_id, build_id)
    return True
