"""Whose request has arrived, found from its head before the app sees it.

The app recognises a caller while it answers. Here the key, token or session cookie of that request is remembered with
the caller, as a hash, until the app says that it is nobody's any more. A key that nobody was recognised by belongs to
the address that it came from: whoever makes up keys gets no more threads for that.

A request can have a key and a session. Only what the app recognised its caller by is remembered: a header that a proxy
adds to the requests of everybody says nothing about them.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Iterator

from app.limits.counted_requests import Credential, Requester
from app.limits.networks import site_of

MAX_KNOWN = 20_000
KNOWN_SECONDS = 600.0  # since the app last recognised the caller: not every view looks whether a key has ended
_HEADERS = re.compile(rb"\r\n(authorization|cookie|x-forwarded-for):[ \t]*([^\r\n]*)", re.IGNORECASE)
_HASH_BYTES = 16


class KnownCallers:
    """The callers of one web process. For its event loop only.

    `cookie_name`: the session's cookie. `proxies`: how many proxies add an address to X-Forwarded-For
    (TRUSTED_PROXIES)."""

    def __init__(self, cookie_name: str, proxies: int) -> None:
        self._cookie = re.compile(rb"(?:^|;)[ \t]*" + re.escape(cookie_name.encode()) + rb"=([^;]*)")
        self._proxies = proxies
        self._known: OrderedDict[bytes, tuple[Requester, float]] = OrderedDict()  # with the time of the recognition

    def look_up(self, received: bytearray, peer: str) -> tuple[Requester, dict[Credential, bytes]]:
        """The requester of the request at the beginning of `received`, and the hashes of its credentials. `peer`: the
        address of the connection."""
        end = received.find(b"\r\n\r\n")
        headers: dict[bytes, list[bytes]] = {}
        for name, value in _HEADERS.findall(received, 0, end if end >= 0 else len(received)):
            headers.setdefault(name.lower(), []).append(value)
        credentials = dict(self._credentials(headers))
        for credential in credentials.values():
            if (known := self._known_by(credential)) is not None:
                return known, credentials
        group = f"address {site_of(self._address(headers, peer))}"
        # The session if there is one: a key could be the header that a proxy adds for everybody.
        *_, name = "", *(credential.hex() for credential in credentials.values())
        return Requester(group, name), credentials

    def remember(self, credential: bytes, requester: Requester | None) -> None:
        """The app has recognised the requester of a request with this credential, or nobody (None)."""
        if requester is None:
            self._known.pop(credential, None)
            return
        self._known[credential] = requester, time.monotonic()
        self._known.move_to_end(credential)
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)

    def _known_by(self, credential: bytes) -> Requester | None:
        requester, at = self._known.get(credential, (None, 0.0))
        if requester is None:
            return None
        if time.monotonic() - at > KNOWN_SECONDS:
            del self._known[credential]
            return None
        self._known.move_to_end(credential)
        return requester

    def _credentials(self, headers: dict[bytes, list[bytes]]) -> Iterator[tuple[Credential, bytes]]:
        if (values := headers.get(b"authorization")) and (words := values[0].split()):
            yield Credential.KEY, _hash(words[-1])
        if found := self._cookie.search(b"; ".join(headers.get(b"cookie", ()))):
            # Without its time and signature, which are new in each answer. What is left names the sign-in.
            yield Credential.SESSION, _hash(found[1].strip().rsplit(b".", 2)[0])

    def _address(self, headers: dict[bytes, list[bytes]], peer: str) -> str:
        """As the app sees it (werkzeug's ProxyFix)."""
        forwarded = b",".join(headers.get(b"x-forwarded-for", ())).split(b",")
        if self._proxies and len(forwarded) >= self._proxies:
            return forwarded[-self._proxies].strip().decode("latin-1") or peer
        return peer


def _hash(secret: bytes) -> bytes:
    return hashlib.blake2b(secret, digest_size=_HASH_BYTES).digest()
