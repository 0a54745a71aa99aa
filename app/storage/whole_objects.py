"""Reading objects for minutes, in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

from app.config.settings import MIB
from app.process import shutdown
from app.storage.bucket import Bucket, ObjectGone, StorageError, bucket

PIECE = MIB
# One request for the whole object would have to start over when it breaks. With ranges, a short failure costs a moment.
RANGE = 64 * MIB
MAX_TRIES = 5
PAUSE_SECONDS = 0.5


def read_whole(key: str, size: int, check_wanted: Callable[[], None]) -> Iterator[bytes]:
    """All `size` bytes, as `read_range`."""
    return read_range(bucket(), key, 0, size, check_wanted)


def read_range(store: Bucket, key: str, start: int, length: int, check_wanted: Callable[[], None]) -> Generator[bytes]:
    """`length` bytes from `start` on, in pieces of up to 1 MiB. After a failure, reading goes on where it stopped.

    Raises StorageError after MAX_TRIES without a byte, and at once when the object is gone or the process stops.
    `check_wanted` is called after each failure, and raises if nobody wants the object any more: then that is why it is
    gone, which a running read need not see as a missing object.
    """
    done, tries = 0, 0
    while done < length:
        try:
            for piece in store.read(key, start + done, min(RANGE, length - done), PIECE):
                done, tries = done + len(piece), 0
                yield piece
        except StorageError as error:
            tries += 1
            check_wanted()
            if tries == MAX_TRIES or isinstance(error, ObjectGone) or shutdown.stopping.wait(PAUSE_SECONDS * 2**tries):
                raise
