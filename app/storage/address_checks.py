"""Whether storage is really reached at the addresses that browsers and game servers get, and its clock, for `flask
doctor`. A proxy in front of storage must change neither the Host header nor the path: both are signed."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from email.utils import parsedate_to_datetime
from xml.etree import ElementTree  # parses answers of our own storage only

import urllib3
from urllib3.exceptions import HTTPError, LocationParseError, NameResolutionError, NewConnectionError, SSLError

from app.config.settings import MIB, settings
from app.config.storage_settings import StorageSettings
from app.data.models.base import now
from app.process.check_result import CheckResult, failed, ok
from app.storage.bucket import Bucket
from app.storage.url_signing import presign
from app.storage.write_address_probe import probe_name

_LIFETIME = timedelta(minutes=5)
# The smallest part that S3 knows. Proxies refuse larger bodies than 1 MiB until they are told otherwise.
_PART = 5 * MIB
_RANGE = (1000, 1999)
# Signatures are refused at 15 minutes. Addresses that expire soon, and those of the future, suffer earlier.
MAX_CLOCK_SECONDS = 60.0


class _Refused(Exception):
    """The text is the end of a sentence that begins with the address."""


def public_address_works() -> CheckResult:
    """Whether a browser could send a part of an archive to S3_PUBLIC_ENDPOINT, and fetch it again."""
    where = settings().storage_settings
    store, key, body = Bucket(where), probe_name("staging/"), secrets.token_bytes(_PART)
    transfer = store.start_multipart(key)
    try:
        etag = _send_part(where, key, transfer, body)
        store.complete_multipart(key, transfer, [etag])
        _fetch(where, where.public_endpoint, key, body)
    except _Refused as refused:
        return failed(f"S3_PUBLIC_ENDPOINT: {where.public_endpoint} {refused}")
    finally:
        store.abort_multipart(key, transfer)
        store.delete([key])
    return ok(f"Files can be sent to {where.public_endpoint} and fetched from there.")


def agent_address_works() -> CheckResult:
    """Whether a game server could fetch from S3_AGENT_ENDPOINT."""
    where = settings().storage_settings
    with _stored(where) as (key, body):
        try:
            _fetch(where, where.agent_endpoint, key, body)
        except _Refused as refused:
            return failed(f"S3_AGENT_ENDPOINT: {where.agent_endpoint} {refused}")
    return ok(f"Files can be fetched from {where.agent_endpoint}, as seen from this machine.")


def clock_agrees() -> CheckResult:
    """Whether the clocks of this machine and of storage agree: signatures have a time."""
    where = settings().storage_settings
    try:
        answer = _ask("HEAD", where.endpoint, presign(where, "HEAD", probe_name("staging/"), {}, _LIFETIME))
        theirs = parsedate_to_datetime(answer.headers.get("Date", ""))
    except _Refused as refused:
        return failed(f"S3_ENDPOINT: {where.endpoint} {refused}")
    except ValueError:
        return failed(f"{where.endpoint} answers without a Date, so its clock is not known.")
    ahead = (now() - theirs).total_seconds()
    if abs(ahead) > MAX_CLOCK_SECONDS:
        return failed(
            f"The clock of this machine is {abs(ahead):,.0f} seconds {'ahead of' if ahead > 0 else 'behind'} that of "
            "storage, which refuses signatures of another time. Synchronise both clocks (NTP)."
        )
    return ok("The clocks of this machine and of storage agree.")


@contextmanager
def _stored(where: StorageSettings) -> Iterator[tuple[str, bytes]]:
    """An object of our own: its key and content."""
    store, key, body = Bucket(where), probe_name("staging/"), secrets.token_bytes(4096)
    try:
        transfer = store.start_multipart(key)
        store.complete_multipart(key, transfer, [store.put_part(key, transfer, 1, [body])])
        yield key, body
    finally:
        store.delete([key])


def _send_part(where: StorageSettings, key: str, transfer: str, body: bytes) -> str:
    """PUT a part as a browser does. Returns its ETag."""
    signed = {"content-length": str(len(body))}
    query = {"uploadId": transfer, "partNumber": "1"}
    address = where.public_endpoint
    url = presign(where.upload_signer, "PUT", key, query, _LIFETIME, headers=signed, endpoint=address)
    answer = _ask("PUT", address, url, body)
    if answer.status != 200:
        raise _Refused(_reason(answer, "a part of an archive"))
    if "ETag" not in answer.headers:
        raise _Refused("answered 200 without an ETag. Is this address that of the storage?")
    return answer.headers["ETag"]


def _fetch(where: StorageSettings, address: str, key: str, body: bytes) -> None:
    url = presign(where, "GET", key, {}, _LIFETIME, endpoint=address)
    first, last = _RANGE
    answer = _ask("GET", address, url, headers={"Range": f"bytes={first}-{last}"})
    if answer.status == 200:
        raise _Refused("ignores the header Range, which continued downloads need. Let the proxy pass it on.")
    if answer.status != 206:
        raise _Refused(_reason(answer, "a signed download"))
    if answer.data != body[first : last + 1]:
        raise _Refused("answered with other bytes than were stored. Does it lead to another storage or bucket?")


def _ask(
    method: str, address: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> urllib3.BaseHTTPResponse:
    try:
        # Not the pool of the module, which would go on with connections of an earlier check.
        with urllib3.PoolManager(retries=False, timeout=20) as http:
            return http.request(method, url, body=body, headers=headers, redirect=False)
    except NameResolutionError:
        raise _Refused("has a name that this machine cannot resolve.") from None
    except NewConnectionError:
        raise _Refused("refuses connections from this machine.") from None
    except SSLError as error:
        raise _Refused(
            f"has a certificate that is not trusted here: {tls_reason(error)}. SSL_CERT_FILE names a private authority."
        ) from None
    except (HTTPError, LocationParseError, OSError) as error:
        raise _Refused(f"did not answer ({type(error).__name__}).") from None


def tls_reason(error: SSLError) -> str:
    """What OpenSSL found wrong, without the place in its sources."""
    return str(getattr(error.args[0], "verify_message", "") or error.args[0])


def _reason(answer: urllib3.BaseHTTPResponse, what: str) -> str:
    code = _error_code(answer.data)
    if code == "SignatureDoesNotMatch":
        return (
            f"refuses the signature of {what}. The proxy in front of storage must pass the Host header (with its port) "
            "and the path on unchanged (docs/self-hosting.md)."
        )
    if code == "RequestTimeTooSkewed":
        return f"refuses {what}: its clock differs from the one here. Synchronise both clocks (NTP)."
    if answer.status == 413:
        return (
            f"refuses {what} because its body is too large. Raise the limit of the proxy in front of storage "
            "(nginx: client_max_body_size 0)."
        )
    if 300 <= answer.status < 400:
        return "redirects. Set the address that it redirects to: clients do not follow redirects."
    return f"answered {answer.status}{f' ({code})' if code else ''} to {what}."


def _error_code(document: bytes) -> str:
    try:
        return ElementTree.fromstring(document).findtext("Code") or ""  # noqa: S314 (our own storage's answer)
    except ElementTree.ParseError:
        return ""
