"""Whose request has arrived, found from its head before the app sees it.

The app recognises a caller while it answers. Here the key, token or session cookie of that request is remembered with
the caller, as a hash. A key that nobody was recognised by belongs to the address that it came from: whoever makes up
keys gets no more threads for that.
"""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict

from app.limits.counted_requests import Requester
from app.limits.networks import network_of

MAX_KNOWN = 20_000
_HEADERS = re.compile(rb"\r\n(authorization|cookie|x-forwarded-for):[ \t]*([^\r\n]*)", re.IGNORECASE)
_HASH_BYTES = 16


class KnownCallers:
    """The callers of one web process. For its event loop only.

    `cookie_name`: the session's cookie. `proxies`: how many proxies add an address to X-Forwarded-For
    (TRUSTED_PROXIES)."""

    def __init__(self, cookie_name: str, proxies: int) -> None:
        self._cookie = re.compile(rb"(?:^|;)[ \t]*" + re.escape(cookie_name.encode()) + rb"=([^;]*)")
        self._proxies = proxies
        self._known: OrderedDict[bytes, Requester] = OrderedDict()

    def look_up(self, received: bytearray, peer: str) -> tuple[Requester, bytes | None]:
        """The requester of the request at the beginning of `received`, and the hash of its key, if it has one. `peer`:
        the address of the connection."""
        end = received.find(b"\r\n\r\n")
        headers: dict[bytes, list[bytes]] = {}
        for name, value in _HEADERS.findall(received, 0, end if end >= 0 else len(received)):
            headers.setdefault(name.lower(), []).append(value)
        credential = self._credential(headers)
        known = self._known.get(credential) if credential else None
        if credential and known is not None:
            self._known.move_to_end(credential)
            return known, credential
        group = f"address {network_of(self._address(headers, peer))}"
        return Requester(group, credential.hex() if credential else ""), credential

    def remember(self, credential: bytes, requester: Requester) -> None:
        """The app has recognised the requester of a request with this key."""
        self._known[credential] = requester
        self._known.move_to_end(credential)
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)

    def _credential(self, headers: dict[bytes, list[bytes]]) -> bytes | None:
        if values := headers.get(b"authorization"):
            secret = values[0].split()[-1:]
        else:
            found = self._cookie.search(b"; ".join(headers.get(b"cookie", ())))
            # Without its time and signature, which are new in each answer. What is left names the sign-in.
            secret = [found[1].strip().rsplit(b".", 2)[0]] if found else []
        return hashlib.blake2b(secret[0], digest_size=_HASH_BYTES).digest() if secret else None

    def _address(self, headers: dict[bytes, list[bytes]], peer: str) -> str:
        """As the app sees it (werkzeug's ProxyFix)."""
        forwarded = b",".join(headers.get(b"x-forwarded-for", ())).split(b",")
        if self._proxies and len(forwarded) >= self._proxies:
            return forwarded[-self._proxies].strip().decode("latin-1") or peer
        return peer
