"""How much of a request has arrived, found from its framing alone.

The event loop checks this after every read, so that a thread gets a request once it is complete. It decides nothing
else: gunicorn parses the same bytes again, and refuses requests that break the rules of HTTP.
"""

from __future__ import annotations

import enum
import re

# Bodies up to this size are gathered before a thread gets the request: all but archives and images, which are only read
# from authenticated callers.
MAX_GATHERED = 1024**2
MAX_HEAD = 64 * 1024
_MAX_CHUNK_LINE = 8190
_MAX_FRAMING = MAX_GATHERED // 2  # what stands around the chunks of one body; no client needs nearly as much
MAX_HELD = 2 * MAX_GATHERED  # above every body that was gathered, with its framing
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_BARE_LF = re.compile(rb"(?<!\r)\n")
_FRAMING = re.compile(rb"\r\n(content-length|transfer-encoding|expect):[ \t]*([^\r\n]*)", re.IGNORECASE)
_EXPECT = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*(?=\r\n)", re.IGNORECASE)
_CHUNK_SIZE = re.compile(rb"[0-9a-fA-F]+(?=[ \t;]|$)")


class Stage(enum.Enum):
    """The next step for a request of which some bytes have arrived."""

    HEAD = "wait for the rest of its head"
    BODY = "wait for the rest of its body"
    READY = "give it to a thread"
    NO_HTTP = "refuse it: this is not HTTP"
    TOO_LARGE = "refuse it: its head is too large"


class Gathering:
    """One request on its way. `is_whole` once all of it has arrived. A large body goes to a thread before that, and
    `is_large` is set then: to read it is to wait for its client."""

    def __init__(self) -> None:
        self.is_whole = False
        self.is_large = False
        self.wants_continue = False
        self._searched = 0
        self._end: int | None = None  # of the whole request, when its length is known
        self._chunks: _Chunks | None = None
        self._has_head = False

    def look(self, received: bytearray) -> Stage:
        """The stage of the request, given all of its bytes so far."""
        if not self._has_head:
            stage = self._look_at_head(received)
            if stage is not None:
                return stage
        if self._chunks:
            done = self._chunks.look(received)
            self.is_whole, self.is_large = self._chunks.ended, self._chunks.are_many
        else:
            done = self.is_whole = self._end is not None and len(received) >= self._end
        return Stage.READY if done else Stage.BODY

    def meet_expectation(self, received: bytearray) -> None:
        """Remove `Expect: 100-continue` from the head: it was answered, and must not be answered twice."""
        found = _EXPECT.search(received)
        self.wants_continue = False
        if found:
            del received[found.start() : found.end()]
            cut = found.end() - found.start()
            self._end = self._end and self._end - cut
            if self._chunks:
                self._chunks.at -= cut

    def _look_at_head(self, received: bytearray) -> Stage | None:
        """A stage, or None once the head is complete and the body decides."""
        if received and received[0] != 0x0D and not 0x21 <= received[0] < 0x7F:
            return Stage.NO_HTTP  # TLS on a plain port, most often
        end = received.find(b"\r\n\r\n", max(0, self._searched - 3))
        if end < 0:
            if _BARE_LF.search(received, max(0, self._searched - 1)):
                return Stage.READY  # the parser refuses it unchanged
            self._searched = len(received)
            return Stage.HEAD if len(received) <= MAX_HEAD else Stage.TOO_LARGE
        if end > MAX_HEAD:
            return Stage.TOO_LARGE
        self._has_head = True
        return self._frame(received, end)

    def _frame(self, received: bytearray, end: int) -> Stage | None:
        fields = [(name.lower(), value.strip()) for name, value in _FRAMING.findall(received, 0, end + 2)]
        lengths = [value for name, value in fields if name == b"content-length"]
        codings = [value for name, value in fields if name == b"transfer-encoding"]
        # In HTTP/1.0 the header is ignored (RFC 9110, 10.1.1).
        asks = any(name == b"expect" and value.lower() == b"100-continue" for name, value in fields)
        self.wants_continue = asks and received.find(b" HTTP/1.0\r\n", 0, end) < 0
        if codings:
            self._chunks = _Chunks(end + 4)
            return None
        if len(lengths) > 1 or (lengths and not re.fullmatch(rb"[0-9]{1,18}", lengths[0])):
            return Stage.READY  # the parser refuses it
        length = int(lengths[0]) if lengths else 0
        if length > MAX_GATHERED:
            self.is_large = True
            return Stage.READY
        self._end = end + 4 + length
        return None


class _Chunks:
    """Finds the end of a chunked body without decoding it. `at`: where the next size line begins; `are_many`: the body
    is too large to gather."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.ended = False
        self.are_many = False
        self._begin = at
        self._payload = 0

    def look(self, received: bytearray) -> bool:
        """Whether waiting is over: the body ended, is too large to gather, or breaks the rules in a way that the parser
        refuses without asking for more of it."""
        while True:
            line_end = received.find(b"\r\n", self.at)
            if line_end < 0:
                return len(received) - self.at > _MAX_CHUNK_LINE
            found = _CHUNK_SIZE.match(received, self.at, line_end)
            if found is None:
                return True
            size = int(found[0], 16)
            if size == 0:
                self.ended = received.find(b"\r\n\r\n", line_end) >= 0  # trailers may come before it
                self.are_many = not self.ended and len(received) - line_end > MAX_HEAD
                return self.ended or self.are_many
            framing = line_end + 2 - self._begin - self._payload
            if self._payload + size > MAX_GATHERED or framing > _MAX_FRAMING:
                self.are_many = True
                return True
            following = line_end + 2 + size + 2
            if len(received) < following:
                return False
            self._payload += size
            self.at = following
