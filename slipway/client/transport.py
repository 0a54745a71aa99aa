"""The connection pool, and descriptions of network errors without addresses (urllib3's own texts contain the full
URL)."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import urllib3
from urllib3 import exceptions

from slipway.client.timed_responses import ResponseTooSlow, limit_responses


def make_pool(
    connections: int = 8, ca_file: Path | None = None, response_seconds: float | None = None
) -> urllib3.PoolManager:
    """A pool that always verifies certificates, against the system's authorities (and SSL_CERT_FILE) and those in
    `ca_file`.

    It makes no retries, because callers have their own back-off, and follows no redirects, because a secret must not
    follow one. Bodies are written in blocks of 256 KiB, because the timeout applies to each write. With
    `response_seconds`, a response must be complete so long after its first byte.
    """
    context = make_tls_context(ca_file)
    pool = urllib3.PoolManager(maxsize=connections, retries=False, ssl_context=context, blocksize=1 << 18)
    if response_seconds is not None:
        limit_responses(pool, response_seconds)
    return pool


def make_tls_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """Verifies certificates against the system's authorities (and SSL_CERT_FILE) and those in `ca_file`."""
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context


def describe_network_error(error: BaseException) -> str:
    """A short description of a network error, for logs and reports."""
    cause = getattr(error, "reason", None)
    if isinstance(cause, BaseException):
        return describe_network_error(cause)
    if isinstance(error, (exceptions.NameResolutionError, socket.gaierror)):
        return "its host name cannot be resolved"
    # NewConnectionError (refused, no route) derives from ConnectTimeoutError, but its cause is more specific.
    if isinstance(error, exceptions.ConnectTimeoutError) and not isinstance(error, exceptions.NewConnectionError):
        return "no connection in time"
    if isinstance(error, (exceptions.ReadTimeoutError, TimeoutError)):
        slow = next((one for one in (error, error.__cause__) if isinstance(one, ResponseTooSlow)), None)
        return str(slow) if slow else "no answer in time"
    if isinstance(error, (exceptions.SSLError, ssl.SSLError)):
        certificate = _certificate_problem(error)
        return f"TLS failed: {certificate}" if certificate else "TLS failed"
    if isinstance(error, exceptions.LocationValueError):
        return "its address cannot be parsed"
    root = _root_cause(error)
    if isinstance(root, OSError) and root.strerror:
        return root.strerror.lower()
    return "the connection broke"


def _root_cause(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _certificate_problem(error: BaseException) -> str | None:
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, ssl.SSLCertVerificationError):
            return inner.verify_message
        inner = inner.__cause__ or next((arg for arg in inner.args if isinstance(arg, BaseException)), None)
    return None
