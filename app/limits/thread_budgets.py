"""Thread budgets: how many threads each kind of long request may use, so that some are always left for other requests.

A process has as many threads as the sum of the budgets, plus some more. A waiting poll, an upload and an image each use
one for as long as they last, and a live page does until it shares one (app/web/live/shared_streams.py). A request
beyond its budget is refused at once and does not wait for a thread (docs/architecture.md, "Threads").
"""

from __future__ import annotations

from app.limits.counted_requests import InThreads, RequesterShares
from app.limits.slots import Slots

_IMAGES = 128
_IMAGE_UPLOADS = 16
_DOWNLOADS = 16
# Threads besides those whose number is a setting: for images and downloads.
OTHER_THREADS = _IMAGES + _IMAGE_UPLOADS + _DOWNLOADS


class Calls(InThreads):
    """The budget of all requests without one of their own. The web server counts them while they are in threads, and
    refuses new ones beyond the budget at once: a request that waits for a thread only makes all others slower."""

    def __init__(self, limit: int, retry_after: int) -> None:
        super().__init__()
        self.limit = limit
        self.retry_after = retry_after

    @property
    def load(self) -> float:
        """The used part of the budget: 1.0 and more when it is used up."""
        return self.in_use / self.limit


streams = Slots("live pages", 1000, retry_after=3)
waiting_polls = Slots("waiting polls", 512, retry_after=2)
raw_uploads = Slots("uploads through the app", 8, retry_after=30)
# They read two large objects and wait for each other, so they could use up all other threads.
comparisons = Slots("comparisons of builds", 4, retry_after=10)
image_uploads = Slots("images sent through the app", _IMAGE_UPLOADS, retry_after=10)
# A slow reader keeps its slot but no thread (app/runtime/web_server/connection_worker.py).
images = Slots("images that are being sent", _IMAGES, retry_after=1)
downloads = Slots("downloads through the app", _DOWNLOADS, retry_after=30)
calls = Calls(128, retry_after=5)
# Requests of a supervisor, which restarts a process that does not answer. They are short and never refused, and no
# calls: anybody can send many of them.
probes = InThreads()


# A browser uses six connections to one host. More threads of one requester only slow each other down, and all others
# with them. Whoever sends more at once waits without a thread.
_MIN_SHARE = 8
requesters = RequesterShares(_MIN_SHARE, 2 * _MIN_SHARE)


def set_calls(limit: int) -> None:
    """Set the number of calls, and with it the shares of one requester and one group: a sixteenth and an eighth."""
    calls.limit = limit
    requesters.most_of_one = max(_MIN_SHARE, limit // 16)
    requesters.most_of_group = 2 * requesters.most_of_one


def may_arrive(slots: Slots) -> bool:
    """Whether one more request may be on its way to its view, where it gets one of these slots, without being a call.
    As many may as there are free slots: requests that only look like such ones can neither take the places of calls nor
    use up all threads."""
    return slots.arriving.in_use < slots.limit - slots.in_use
