"""A client for the partner API. It retries calls where that is safe, and raises refusals as CommandError."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import urllib3
from urllib3.exceptions import HTTPError

from slipway.cli import VERSION
from slipway.cli.command_error import CommandError
from slipway.cli.exit_codes import ExitCode
from slipway.client.backoff import RetryBudget
from slipway.client.json_documents import json_object
from slipway.client.printable import printable
from slipway.client.retry_after import retry_after_seconds
from slipway.client.sizes import format_seconds
from slipway.client.transport import describe_network_error, make_pool

_MAX_RESPONSE_BYTES = 64 << 20
# The platform's longest rate limits are per hour. A wait of up to a day can be reported to a person.
MAX_RETRY_AFTER_SECONDS = 24 * 3600.0
_TIMEOUT = urllib3.Timeout(connect=10.0, read=60.0)
FIRST_RETRY_SECONDS = 5.0  # so that a wrong address is reported soon


class PlatformClient:
    """Calls one platform with one key. Every call can be retried: GET, DELETE, and POSTs that are idempotent or have an
    Idempotency-Key."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self._headers = {
            "Authorization": f"Bearer {key}",
            "Accept": "application/json",
            "User-Agent": f"slipway/{VERSION}",
        }
        self._pool = make_pool(8)
        self._retry_budget = RetryBudget(FIRST_RETRY_SECONDS)

    def set_retry_budget(self, seconds: float) -> None:
        """Retry for this long from now on. To be called once the platform has responded and work could be lost."""
        self._retry_budget = RetryBudget(seconds)

    def call(
        self, method: str, path: str, body: object = None, *, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """A call below /api/partners, with these headers besides the common ones. Raises CommandError."""
        return self.call_for_status(method, path, body, headers=headers)[1]

    def call_for_status(
        self, method: str, path: str, body: object = None, *, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """`call()`, with the status of the response."""
        attempt = 0
        while True:
            attempt += 1
            try:
                answer = self._once(method, path, body, headers or {})
            except _RetryableError as again:
                wait = self._retry_budget.wait_after(attempt, again.after)
                if wait is None:
                    raise again.problem from None
                time.sleep(wait)
            else:
                self._retry_budget.succeeded()
                return answer

    def game(self, slug: str, path: str = "", method: str = "GET", body: object = None) -> dict[str, Any]:
        """A call below /api/partners/games/{slug}."""
        return self.call(method, game_path(slug, path), body)

    def _once(
        self, method: str, path: str, body: object, more_headers: Mapping[str, str]
    ) -> tuple[int, dict[str, Any]]:
        headers = {**self._headers, **more_headers}
        data = None
        if body is not None:
            data = _utf8(json.dumps(body, ensure_ascii=False))
            headers = headers | {"Content-Type": "application/json"}
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
                text = response.read(_MAX_RESPONSE_BYTES)
            finally:
                response.close()  # a response that was read to its end returns to the pool by itself
        except (HTTPError, OSError) as error:
            raise _RetryableError(self._unreachable(describe_network_error(error))) from error
        return response.status, self._parse_response(path, response.status, response.headers.get("Retry-After"), text)

    def _parse_response(self, path: str, status: int, retry_after: str | None, text: bytes) -> dict[str, Any]:
        if status == 204:
            return {}
        answer = json_object(text)
        if 200 <= status < 300 and answer is not None:
            return answer
        if 300 <= status < 400:
            raise CommandError(
                f"{self.url} answered with a redirect. Set --url to the address it redirects to.", ExitCode.UNREACHABLE
            )
        if answer is None or "message" not in answer:
            what = f"{self.url} answered {status}, but not in the form of a Slipway platform"
            problem = CommandError(f"{what}. Check that --url is the platform's address.", ExitCode.UNREACHABLE)
            raise _RetryableError(problem) if status >= 500 else problem
        message, word = printable(str(answer["message"])), str(answer.get("error", ""))
        seconds = retry_after_seconds(retry_after, MAX_RETRY_AFTER_SECONDS) or 0.0
        if status == 429:
            again = f"{message} Try again in {format_seconds(seconds)}." if seconds else message
            raise _RetryableError(CommandError(again, ExitCode.REFUSED, word, retryAfter=seconds), max(seconds, 1.0))
        if status >= 500:
            raise _RetryableError(CommandError(f"{self.url}: {message}", ExitCode.UNREACHABLE, word), seconds)
        if word == "request_in_progress":
            raise _RetryableError(CommandError(message, ExitCode.REFUSED, word), 1.0)
        raise CommandError(_with_remedy(path, status, message), _EXIT_CODES.get(status, ExitCode.REFUSED), word)

    def _unreachable(self, why: str) -> CommandError:
        remedy = "Check the address and the network, then try again."
        if why.startswith(("TLS failed: self-signed", "TLS failed: unable to get local issuer")):
            remedy = "If the certificate is of a private authority, name its file in SSL_CERT_FILE."
        return CommandError(f"{self.url} cannot be reached: {why}. {remedy}", ExitCode.UNREACHABLE)


_EXIT_CODES = {401: ExitCode.UNAUTHORIZED, 403: ExitCode.UNAUTHORIZED, 404: ExitCode.NOT_FOUND}


class _RetryableError(Exception):
    """A failure that may be temporary. Retry after at least `after` seconds, or raise `problem`."""

    def __init__(self, problem: CommandError, after: float = 0.0) -> None:
        super().__init__(str(problem))
        self.problem = problem
        self.after = after


def game_path(slug: str, path: str = "") -> str:
    return f"/games/{quote(_utf8(slug), safe='')}{path}"


def _utf8(text: str) -> bytes:
    """The text in UTF-8. With `LC_ALL=C` Python may read arguments and file names as ASCII, and keeps their other bytes
    as surrogates. Those bytes are UTF-8 in most cases."""
    return text.encode("utf-8", sys.getfilesystemencodeerrors()).decode("utf-8", "replace").encode()


def _with_remedy(path: str, status: int, message: str) -> str:
    """The message with a command that answers the question it raises."""
    if status == 401:
        return f"{message} Run `slipway login`, or set SLIPWAY_KEY to a valid key."
    if status != 404:
        return message
    message = message if message.endswith(".") else f"{message}."
    _, _, slug, *below = path.partition("?")[0].split("/")
    if message.startswith("No game "):
        return f"{message} Run `slipway games` to list yours."
    if below[:1] == ["uploads"]:
        return f"{message} Run `slipway status {slug}` to list its uploads."
    return f"{message} Run `slipway builds {slug}` to list its builds."
