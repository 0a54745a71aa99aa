"""The platform's calls under `/api/servers/self`. Every call has a timeout and a maximum response size."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError

from slipway.agent import VERSION
from slipway.agent.path_names import parse_build_number, parse_identifier
from slipway.agent.plan import InvalidPlan, Plan, parse_plan
from slipway.agent.response_fields import MAX_COUNTER, parse_integer, parse_list, parse_wait_seconds
from slipway.client.json_documents import json_object
from slipway.client.printable import one_line
from slipway.client.retry_after import retry_after_seconds
from slipway.client.transport import describe_network_error, make_pool

MAX_RESPONSE_BYTES = 16 << 20
# The platform's limits for agents are per minute, so a longer wait is never needed. A server should also notice within
# a minute that the platform is back.
MAX_RETRY_AFTER_SECONDS = 60.0
# Beyond 30 s without a report the platform shows "No contact".
MAX_REPORT_AFTER_SECONDS = 15.0
# From the first byte of a response to its last. A plan of 16 MiB takes 5 s at 3 MiB/s.
MAX_RESPONSE_SECONDS = 60.0
_CONNECT_SECONDS = 5.0
_PIECE_BYTES = 1 << 16


class PlatformUnreachable(Exception):
    """No usable response: a network error, 5xx or 429. `retry_after` is the Retry-After header in seconds, or None."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class PlatformRefused(Exception):
    """A 4xx response. `code` is the envelope's `error`, `str()` its `message`."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True)
class ReportResponse:
    """`ignored_sessions` are ids of sessions that the platform does not count, because their builds are not in the
    plan."""

    accepted: bool
    plan_version: int | None
    report_after_seconds: float
    ignored_sessions: frozenset[str]


def make_platform_pool(connections: int = 8, ca_file: Path | None = None) -> urllib3.PoolManager:
    """Connections to the platform. A response that takes longer than MAX_RESPONSE_SECONDS is given up."""
    return make_pool(connections, ca_file, MAX_RESPONSE_SECONDS)


class PlatformClient:
    """`pool` is one of make_platform_pool. `timeout_seconds` limits the wait for a connection, and the wait for a
    response unless the call sets another."""

    def __init__(self, pool: urllib3.PoolManager, url: str, token: str, timeout_seconds: float = 10.0) -> None:
        self._pool = pool
        self._timeout_seconds = timeout_seconds
        self._base = url.rstrip("/") + "/api/servers/self"
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "User-Agent": f"slipway-agent/{VERSION}",
        }

    def plan(self, since: int | None, wait: int) -> Plan:
        """The plan. With `since`, the platform waits up to `wait` seconds for a newer version."""
        query = f"?wait={wait}" + (f"&since={since}" if since is not None else "")
        try:
            return parse_plan(self._call("GET", f"/plan{query}", read_seconds=wait + 10.0))
        except InvalidPlan as unreadable:
            raise PlatformUnreachable(str(unreadable)) from unreadable

    def report(self, document: dict[str, Any], read_seconds: float | None = None) -> ReportResponse:
        answer = self._call("POST", "/reports", document, read_seconds=read_seconds)
        return ReportResponse(
            accepted=answer.get("accepted") is True,
            plan_version=_version(answer.get("planVersion")),
            report_after_seconds=parse_wait_seconds(answer.get("reportAfterSeconds"), MAX_REPORT_AFTER_SECONDS),
            ignored_sessions=_session_ids(answer.get("ignoredSessions", [])),
        )

    def start_session(self, session_id: str, game_id: str) -> int:
        """Start a session. A repeated call with the same id returns the same build. Returns the build number."""
        answer = self._call("POST", "/sessions", {"id": session_id, "gameId": game_id})
        try:
            return parse_build_number(answer["build"])
        except (KeyError, ValueError) as wrong:
            raise PlatformUnreachable(f"its response is not valid: {wrong}") from wrong

    def end_session(self, session_id: str) -> bool:
        """End a session. Returns False if the platform has no such session."""
        try:
            self._call("DELETE", f"/sessions/{session_id}")
        except PlatformRefused as refusal:
            if refusal.status == 404:
                return False
            raise
        return True

    def _call(
        self,
        method: str,
        path: str,
        document: dict[str, Any] | None = None,
        read_seconds: float | None = None,
    ) -> dict[str, Any]:
        read_seconds = self._timeout_seconds if read_seconds is None else read_seconds
        timeout = urllib3.Timeout(connect=min(_CONNECT_SECONDS, read_seconds), read=read_seconds)
        headers = self._headers
        body = None
        if document is not None:
            body = json.dumps(document).encode()
            headers = {**headers, "Content-Type": "application/json"}
        try:
            response = self._pool.request(
                method,
                self._base + path,
                body=body,
                headers=headers,
                timeout=timeout,
                redirect=False,
                preload_content=False,
            )
            try:
                text = _read_body(response)
            finally:
                response.close()  # A response that was read to its end returns to the pool by itself.
        except (HTTPError, OSError) as error:
            raise PlatformUnreachable(describe_network_error(error)) from error
        return _parse_response(response, text)


def _parse_response(response: urllib3.BaseHTTPResponse, text: bytes) -> dict[str, Any]:
    """The JSON object of a 2xx response. Raises PlatformRefused for 4xx except 429, PlatformUnreachable for all
    others."""
    status = response.status
    if 300 <= status < 400:
        raise PlatformUnreachable(f"it answered {status} (a redirect): set --url to the address it redirects to")
    answer = json_object(text) if len(text) <= MAX_RESPONSE_BYTES else None
    if status == 429 or status >= 500:
        message = _text(answer, "message")
        reason = f"it answered {status}" + (f": {message}" if message else "")
        raise PlatformUnreachable(
            reason, retry_after_seconds(response.headers.get("Retry-After"), MAX_RETRY_AFTER_SECONDS)
        )
    if status >= 400:
        message = _text(answer, "message")
        raise PlatformRefused(status, _text(answer, "error"), message or f"the platform answered {status}")
    if status == 204:
        return {}
    if answer is None:
        raise PlatformUnreachable(
            f"its response ({status}) is not a JSON object: check that --url is the platform's address"
        )
    return answer


def _read_body(response: urllib3.BaseHTTPResponse) -> bytes:
    """The body; of a longer body, one byte more than MAX_RESPONSE_BYTES. It is not decompressed: no compression was
    requested, and decompressed data has no size limit."""
    text = bytearray()
    while len(text) <= MAX_RESPONSE_BYTES:
        piece = response.read1(min(_PIECE_BYTES, MAX_RESPONSE_BYTES + 1 - len(text)), decode_content=False)
        if not piece:
            break
        text += piece
    return bytes(text)


def _text(answer: dict[str, Any] | None, name: str) -> str:
    value = answer.get(name) if answer else None
    return one_line(value) if isinstance(value, str) else ""


def _version(value: object) -> int | None:
    try:
        return parse_integer(value, "planVersion", MAX_COUNTER)
    except ValueError:
        return None


def _session_ids(value: object) -> frozenset[str]:
    """The ids, or none if the field is not valid: they are only for the log."""
    try:
        return frozenset(parse_identifier(entry, "session id") for entry in parse_list(value, "ignoredSessions"))
    except ValueError:
        return frozenset()
