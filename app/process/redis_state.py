"""Whether Redis answers this process, for all that use it: one line in the log per change."""

from __future__ import annotations

import logging

from app.process.state_log import StateLog

redis_state = StateLog(
    logging.getLogger(__name__),
    "Redis does not answer (%s): until it does, this process counts rate limits for itself, live events of other "
    "processes take up to 2 s, and background work waits",
    "Redis answers again",
)
