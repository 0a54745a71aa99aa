"""The calls under `/api/servers/self` of the platform. Every call has a timeout and a bound on what it reads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError

from agent import VERSION
from agent.plan import Plan, PlanUnreadable, read_plan
from agent.transport import in_words

_LARGEST_ANSWER = 16 << 20
_CONNECT_SECONDS = 5.0


class PlatformUnreachable(Exception):
    """No usable answer: the network, or 5xx, or 429. `retry_after` in seconds where the platform named one."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class PlatformRefused(Exception):
    """An answer of 4xx. `code` is the envelope's `error`, `str()` its `message`."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True)
class ReportAnswer:
    accepted: bool
    plan_version: int | None
    report_after_seconds: float


@dataclass(frozen=True)
class StartedSession:
    build: int
    launcher: str


class PlatformClient:
    """`patience_seconds` bounds the wait for a connection, and for an answer where the call names no other."""

    def __init__(self, pool: urllib3.PoolManager, url: str, token: str, patience_seconds: float = 10.0) -> None:
        self._pool = pool
        self._patience = patience_seconds
        self._base = url.rstrip("/") + "/api/servers/self"
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "User-Agent": f"slipway-agent/{VERSION}",
        }

    def plan(self, since: int | None, wait: int) -> Plan:
        """The plan; with `since`, held by the platform up to `wait` seconds until it differs."""
        query = f"?wait={wait}" + (f"&since={since}" if since is not None else "")
        try:
            return read_plan(self._call("GET", f"/plan{query}", read_seconds=wait + 10.0))
        except PlanUnreadable as unreadable:
            raise PlatformUnreachable(str(unreadable)) from unreadable

    def report(self, document: dict[str, Any], read_seconds: float | None = None) -> ReportAnswer:
        answer = self._call("POST", "/reports", document, read_seconds=read_seconds)
        version = answer.get("planVersion")
        return ReportAnswer(
            accepted=bool(answer.get("accepted", True)),
            plan_version=version if isinstance(version, int) else None,
            report_after_seconds=_number(answer.get("reportAfterSeconds")),
        )

    def start_session(self, session_id: str, game_id: str) -> StartedSession:
        """Asking again with the same id gives the same answer."""
        answer = self._call("POST", "/sessions", {"id": session_id, "gameId": game_id})
        try:
            return StartedSession(build=int(answer["build"]), launcher=str(answer["launcher"]))
        except (KeyError, TypeError, ValueError) as wrong:
            raise PlatformUnreachable(f"its answer cannot be read: {wrong}") from wrong

    def end_session(self, session_id: str) -> bool:
        """False when the platform does not know the session."""
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
        read_seconds = self._patience if read_seconds is None else read_seconds
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
                text = response.read(_LARGEST_ANSWER + 1)
            finally:
                response.close()  # Goes back to the pool by itself when the answer was read to its end.
        except (HTTPError, OSError) as error:
            raise PlatformUnreachable(in_words(error)) from error
        return _understood(response, text)


def _understood(response: urllib3.BaseHTTPResponse, text: bytes) -> dict[str, Any]:
    """The JSON object of a 2xx answer; every other answer as the exception that it is."""
    status = response.status
    if 300 <= status < 400:
        raise PlatformUnreachable(f"it answered {status} (a redirect): give --url the address it ends up at")
    answer = _json_object(text)
    if status == 429 or status >= 500:
        message = answer.get("message") if answer else None
        reason = f"it answered {status}" + (f": {message}" if message else "")
        raise PlatformUnreachable(reason, _number(response.headers.get("Retry-After")) or None)
    if status >= 400:
        code = str(answer.get("error", "")) if answer else ""
        message = str(answer.get("message", "")) if answer else ""
        raise PlatformRefused(status, code, message or f"the platform answered {status}")
    if status == 204:
        return {}
    if answer is None:
        raise PlatformUnreachable(f"its answer ({status}) is not a JSON object: is --url the platform's address?")
    return answer


def _json_object(text: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(text) if len(text) <= _LARGEST_ANSWER else None
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _number(value: object) -> float:
    try:
        return max(0.0, float(str(value)))
    except ValueError:
        return 0.0
