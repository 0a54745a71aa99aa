"""The partner API as this program calls it: JSON in and out, retried where that is safe, refusals as `Problem`s."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import quote

import urllib3
from urllib3.exceptions import HTTPError

from slipway.cli import VERSION
from slipway.cli.exit_codes import ExitCode
from slipway.cli.command_error import Problem
from slipway.client.backoff import Patience
from slipway.client.printable import printable
from slipway.client.retry_after import retry_after_seconds
from slipway.client.sizes import format_seconds
from slipway.client.transport import in_words, make_pool

_LARGEST_ANSWER = 64 << 20
# The longest limits of the platform are per hour. A day is still a wait that a person can be told of.
MAX_RETRY_AFTER_SECONDS = 24 * 3600.0
_TIMEOUT = urllib3.Timeout(connect=10.0, read=60.0)
FIRST_PATIENCE = 5.0  # seconds: a wrong address should be noticed soon


class Platform:
    """One platform and one key. Every call may be repeated: GETs, DELETEs, and POSTs that are idempotent by
    themselves or carry an Idempotency-Key."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self._headers = {
            "Authorization": f"Bearer {key}",
            "Accept": "application/json",
            "User-Agent": f"slipway/{VERSION}",
        }
        self._pool = make_pool(8)
        self._patience = Patience(FIRST_PATIENCE)

    def be_patient(self, seconds: float) -> None:
        """From here on the platform was seen to answer, and there is work to lose: outlast a restart."""
        self._patience = Patience(seconds)

    def call(self, method: str, path: str, body: object = None, *, idempotency_key: str = "") -> dict[str, Any]:
        """A call below /api/partners. Raises Problem."""
        attempt = 0
        while True:
            attempt += 1
            try:
                answer = self._once(method, path, body, idempotency_key)
            except _Again as again:
                wait = self._patience.wait_after(attempt, again.after)
                if wait is None:
                    raise again.problem from None
                time.sleep(wait)
            else:
                self._patience.succeeded()
                return answer

    def game(self, slug: str, path: str = "", method: str = "GET", body: object = None) -> dict[str, Any]:
        """A call below /api/partners/games/{slug}."""
        return self.call(method, game_path(slug, path), body)

    def _once(self, method: str, path: str, body: object, idempotency_key: str) -> dict[str, Any]:
        headers = self._headers
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers = headers | {"Content-Type": "application/json"}
        if idempotency_key:
            headers = headers | {"Idempotency-Key": idempotency_key}
        try:
            response = self._pool.request(
                method,
                f"{self.url}/api/partners{path}",
                body=data,
                headers=headers,
                timeout=_TIMEOUT,
                redirect=False,
                preload_content=False,
            )
            try:
                text = response.read(_LARGEST_ANSWER)
            finally:
                response.close()  # goes back to the pool by itself when it was read to its end
        except (HTTPError, OSError) as error:
            raise _Again(self._unreachable(in_words(error))) from error
        return self._understood(response.status, response.headers.get("Retry-After"), text)

    def _understood(self, status: int, retry_after: str | None, text: bytes) -> dict[str, Any]:
        if status == 204:
            return {}
        answer = _json_object(text)
        if 200 <= status < 300 and answer is not None:
            return answer
        if 300 <= status < 400:
            raise Problem(
                f"{self.url} answered with a redirect. Give --url the address it leads to.", ExitCode.UNREACHABLE
            )
        if answer is None or "message" not in answer:
            what = f"{self.url} answered {status} in another form than Slipway does"
            problem = Problem(f"{what}. Is that the platform's address?", ExitCode.UNREACHABLE)
            raise _Again(problem) if status >= 500 else problem
        message, word = printable(str(answer["message"])), str(answer.get("error", ""))
        seconds = retry_after_seconds(retry_after, MAX_RETRY_AFTER_SECONDS) or 0.0
        if status == 429:
            again = f"{message} Try again in {format_seconds(seconds)}." if seconds else message
            raise _Again(Problem(again, ExitCode.REFUSED, word, retryAfter=seconds), max(seconds, 1.0))
        if status >= 500:
            raise _Again(Problem(f"{self.url}: {message}", ExitCode.UNREACHABLE, word), seconds)
        if word == "request_in_progress":
            raise _Again(Problem(message, ExitCode.REFUSED, word), 1.0)
        raise Problem(_with_remedy(status, message), _CODES.get(status, ExitCode.REFUSED), word)

    def _unreachable(self, why: str) -> Problem:
        return Problem(
            f"{self.url} cannot be reached: {why}. Check the address and the network, then try again.",
            ExitCode.UNREACHABLE,
        )


_CODES = {401: ExitCode.UNAUTHORIZED, 403: ExitCode.UNAUTHORIZED, 404: ExitCode.NOT_FOUND}


class _Again(Exception):
    """A failure that may pass: tried again after at least `after` seconds, or else told as `problem`."""

    def __init__(self, problem: Problem, after: float = 0.0) -> None:
        super().__init__(str(problem))
        self.problem = problem
        self.after = after


def game_path(slug: str, path: str = "") -> str:
    return f"/games/{quote(slug, safe='')}{path}"


def _with_remedy(status: int, message: str) -> str:
    if status == 401:
        return f"{message} Run `slipway login`, or put a key that works into SLIPWAY_KEY."
    if status == 404:
        return f"{message}{'' if message.endswith('.') else '.'} `slipway games` lists yours."
    return message


def _json_object(text: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):  # the latter of a thousand brackets within each other
        return None
    return document if isinstance(document, dict) else None
