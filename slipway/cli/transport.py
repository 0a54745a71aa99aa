"""The connection pool, and network errors in words that carry no address (urllib3's own texts carry it whole, and the
signed part of an address is a secret)."""

from __future__ import annotations

import ssl

import urllib3
from urllib3 import exceptions


def make_pool(connections: int) -> urllib3.PoolManager:
    """Certificates are verified, against SSL_CERT_FILE too. No retries and no redirects: our own back-off decides, and
    a key must not follow a redirect. Sends are written 256 KiB at a time: a timeout counts for each."""
    context = ssl.create_default_context()
    return urllib3.PoolManager(maxsize=connections, retries=False, ssl_context=context, blocksize=1 << 18)


def in_words(error: BaseException) -> str:
    """What went wrong on the network."""
    cause = getattr(error, "reason", None)
    if isinstance(cause, BaseException):
        return in_words(cause)
    if isinstance(error, exceptions.NameResolutionError):
        return "its host name cannot be resolved"
    # NewConnectionError (refused, no route) derives from ConnectTimeoutError but has a cause that says more.
    if isinstance(error, exceptions.ConnectTimeoutError) and not isinstance(error, exceptions.NewConnectionError):
        return "no connection in time"
    if isinstance(error, (exceptions.ReadTimeoutError, TimeoutError)):
        return "no answer in time"
    root = error
    while root.__cause__ is not None:
        root = root.__cause__
    if isinstance(root, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({root.verify_message})"
    if isinstance(root, OSError) and root.strerror:
        return root.strerror.lower()
    return "the connection broke"
