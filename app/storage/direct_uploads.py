"""Whether clients may get presigned addresses for writing. They do only while storage is known not to turn such an
address into a copy.

The check runs at start. It runs on demand if storage was away then, and again in the background after an outage and
while the result is unsafe.
"""

from __future__ import annotations

import logging
import threading
import time

from flask import current_app

from app.config.storage_settings import StorageSettings
from app.refusals import Unavailable
from app.storage.availability import storage_status
from app.storage.bucket import StorageError
from app.storage.write_address_probe import Finding, probe_write_addresses

log = logging.getLogger(__name__)

START_SECONDS = 30.0  # how long a server waits for the check before its first request; an outage is noticed much faster
WAIT_SECONDS = 5.0  # how long a request waits for the first result
RETRY_SECONDS = 8.0  # between two tries while storage gives no clear answer
RECHECK_SECONDS = 60.0  # after an unsafe result: the operator may have fixed it
_ASK_AGAIN_SECONDS = 300  # clients should not wait for an operator by retrying quickly

REMEDY = (
    "Make an identity on the storage that may only put objects into archives/ and staging/, and set "
    "S3_UPLOAD_ACCESS_KEY and S3_UPLOAD_SECRET_KEY to its keys (docs/storage.md)."
)


class DirectUploadsOff(Unavailable):
    """Clients may not send to storage directly. Uploads through the app still work."""


class DirectUploads:
    """One per app. Thread-safe."""

    def __init__(self, where: StorageSettings | None) -> None:
        self._where = where
        self._lock = threading.Lock()
        self._finding: Finding | None = None
        self._found_at = self._tried_at = float("-inf")
        self._under_way: threading.Thread | None = None

    def require(self) -> None:
        """Return if addresses for writing are safe, else raise DirectUploadsOff. Waits up to WAIT_SECONDS, and only
        before the first result: free the database connection first."""
        if self._where is None:
            raise DirectUploadsOff("No storage is configured. The operator must set S3_ENDPOINT.")
        finding = self._finding
        if finding is None:
            self.find_out(WAIT_SECONDS)
            finding = self._finding
        elif self._is_old(finding):
            self.find_out(0)
        if finding is None:
            raise DirectUploadsOff("Storage did not answer the check of direct uploads. Try again.", 10)
        if not finding.safe:
            raise DirectUploadsOff(_refusal(finding), _ASK_AGAIN_SECONDS)

    def find_out(self, wait: float) -> None:
        """Start a check in the background, unless one is running or ended a moment ago, and wait for it."""
        with self._lock:
            thread = self._under_way
            if thread is None and time.monotonic() - self._tried_at >= RETRY_SECONDS:
                self._tried_at = time.monotonic()
                thread = self._under_way = threading.Thread(target=self._run, name="direct-uploads", daemon=True)
                thread.start()
        if thread is not None and wait > 0:
            thread.join(wait)

    def learn(self, finding: Finding) -> None:
        """Set the result of a check that another caller made on the same storage."""
        self._finding, self._found_at = finding, time.monotonic()

    def _is_old(self, finding: Finding) -> bool:
        if not finding.safe and time.monotonic() - self._found_at > RECHECK_SECONDS:
            return True
        return storage_status.recovered_at > self._found_at

    def _run(self) -> None:
        try:
            if self._where is not None:
                self.learn(self._logged(probe_write_addresses(self._where)))
        except StorageError:
            log.warning("storage gave no clear answer to the check of direct uploads; the next request repeats it")
        except Exception:
            log.exception("the check of direct uploads failed")
        finally:
            with self._lock:
                self._under_way = None

    def _logged(self, finding: Finding) -> Finding:
        """Log what to set, once per change of the result."""
        before = self._finding
        if not finding.safe and (before is None or before != finding):
            log.error("nothing may be sent straight to storage: %s", in_words(finding))
        elif before is not None and finding.safe and not before.safe:
            log.info("files may be sent straight to storage again")
        return finding


def in_words(finding: Finding) -> str:
    """A result for operators: what is wrong, and what to do."""
    if finding.copied:
        wrong = f"A client can turn an address for writing into a copy of other objects ({', '.join(finding.copied)})."
    elif finding.unpacked or finding.oversized:
        where = ", ".join(dict.fromkeys([*finding.unpacked, *finding.oversized]))
        what = "other objects" if finding.unpacked else "more bytes"
        wrong = f"Storage accepts {what} than an address for writing allows ({where})."
        return f"{wrong} No setting of Slipway can fix that: use another storage (docs/storage.md)."
    elif finding.not_written:
        wrong = f"Storage refused correct uploads to addresses for writing ({', '.join(finding.not_written)})."
    else:
        return "Addresses for writing work, and cannot be turned into copies."
    return f"{wrong} {REMEDY}"


def _refusal(finding: Finding) -> str:
    """The refusal for clients."""
    to_set = "set S3_UPLOAD_ACCESS_KEY and S3_UPLOAD_SECRET_KEY to keys that may only put"
    if finding.copied:
        why = "storage would let clients copy other files with an upload address"
    elif finding.unpacked or finding.oversized:
        why, to_set = "storage would accept more than was announced", "use another storage"
    else:
        why = "storage refuses files from the identity that signs upload addresses"
    return (
        f"Files cannot be sent straight to storage here: {why}. The operator must {to_set}; `flask doctor` says how. "
        "Uploads through the app still work: PUT /api/partners/games/{slug}/upload for a build, and the form for "
        "one image."
    )


def direct_uploads() -> DirectUploads:
    """The running app's instance."""
    found: DirectUploads = current_app.extensions["slipway_direct_uploads"]
    return found
