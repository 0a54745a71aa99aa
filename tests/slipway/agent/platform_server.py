"""The platform's side of the agent protocol, small and in memory, for tests of the agent alone.

It keeps to the protocol's rules (versions, held polls, boots, sessions), not to how the platform is built.
"""

from __future__ import annotations

import json
import re
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Thread
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.slipway.agent.packed_games import PackedGame, transfer_bytes
from tests.slipway.agent.sample_games import Game
from tests.slipway.agent.storage_server import StorageServer

TOKEN = "srv_not-a-real-token-8f3a"
Answer = tuple[int, dict[str, Any]]
DOWN: Answer = (503, {"error": "service_unavailable", "message": "Down for maintenance"})


@dataclass
class Published:
    game: Game
    path: str
    sha256: str
    size: int
    retry: int = 0


@dataclass
class Platform:
    """State and rules; every change happens under `changed`."""

    storage: StorageServer
    changed: Condition = field(default_factory=Condition)
    version: int = 1
    builds: dict[tuple[str, int], Published] = field(default_factory=dict)
    released: dict[str, list[int]] = field(default_factory=dict)
    reports: list[dict[str, Any]] = field(default_factory=list)
    sessions: dict[str, tuple[str, int]] = field(default_factory=dict)
    missed: set[str] = field(default_factory=set)
    believed: set[tuple[str, int]] = field(default_factory=set)  # cached there, whatever the reports say
    ended: list[str] = field(default_factory=list)
    plans_asked: list[str] = field(default_factory=list)
    raw_plans: list[bytes] = field(default_factory=list)  # answers to the next calls, sent as they are
    raw_receipts: list[bytes] = field(default_factory=list)
    boot: str | None = None
    boot_sequence: int = 0
    boot_stopped: bool = False
    conflicts: int = 0
    down: bool = False
    packs: dict[tuple[str, int], PackedGame] = field(default_factory=dict)
    preparing: set[tuple[str, int]] = field(default_factory=set)
    keep_previous: int = 0
    believed_kept: bool = False  # the previous build is kept, although the next one is not cached yet

    def release(self, game_id: str, build: int, game: Game, *, sha256: str = "", size: int = 0) -> None:
        """Make `game` the released build of `game_id`. `sha256` and `size` are lies where given."""
        path = f"/archives/{game_id}/{build}"
        with self.changed:
            self.storage.objects[path] = game.archive
            self.builds[game_id, build] = Published(game, path, sha256 or game.sha256, size or game.size)
            self.released.setdefault(game_id, []).append(build)
            self._bump()

    def publish_pack(self, game_id: str, build: int, packed: PackedGame) -> None:
        """Offer the pack of a released build, and updates from the builds that `packed` was made after."""
        with self.changed:
            for name, content in packed.objects.items():
                self.storage.objects[f"/packs/{game_id}/{build}/{name}"] = content
            self.packs[game_id, build] = packed
            self.preparing.discard((game_id, build))
            self._bump()

    def announce_pack(self, game_id: str, build: int) -> None:
        """The pack of a build is being made."""
        with self.changed:
            self.preparing.add((game_id, build))
            self._bump()

    def delete_game(self, game_id: str) -> None:
        with self.changed:
            del self.released[game_id]
            self._bump()

    def retry_now(self, game_id: str, build: int) -> None:
        with self.changed:
            self.builds[game_id, build].retry += 1
            self._bump()

    def go_down(self) -> None:
        """Answer 503 to everything, held polls included."""
        with self.changed:
            self.down = True
            self.changed.notify_all()

    def row(self, game_id: str, build: int) -> dict[str, Any] | None:
        """What the last report says of a build."""
        report = self.reports[-1] if self.reports else {"builds": []}
        rows = (row for row in report["builds"] if (row["gameId"], row["build"]) == (game_id, build))
        return next(rows, None)

    def phase(self, game_id: str, build: int) -> str | None:
        row = self.row(game_id, build)
        return row["phase"] if row else None

    def phases_seen(self, game_id: str, build: int) -> list[str]:
        """The phases reported of a build, in order, each once in a row."""
        seen: list[str] = []
        for report in self.reports:
            for row in report["builds"]:
                if (row["gameId"], row["build"]) == (game_id, build) and (not seen or seen[-1] != row["phase"]):
                    seen.append(row["phase"])
        return seen

    def plan(self, since: int | None, wait: float) -> Answer:
        deadline = time.monotonic() + wait
        with self.changed:
            self.changed.wait_for(
                lambda: self.version != since or self.down or time.monotonic() >= deadline, timeout=wait
            )
            if self.down:
                return DOWN
            wanted = self._wanted()
            held = {(row["gameId"], row["build"]): row["phase"] for row in self._last_rows()}
            evict = [key for key, phase in held.items() if key not in wanted and phase != "removed"]
            return 200, {
                "version": self.version,
                "server": {"id": "srv-01"},
                "pollAfterSeconds": 0,
                "builds": [self._entry(key, active) for key, active in wanted.items()],
                "evict": [{"gameId": game_id, "build": build} for game_id, build in evict],
            }

    def report(self, report: dict[str, Any]) -> Answer:
        with self.changed:
            if report["bootId"] != self.boot:
                if self.boot and report["previousBootId"] != self.boot and not self.boot_stopped:
                    self.conflicts += 1
                    self.changed.notify_all()
                    return 409, {"error": "two_agents", "message": "Two agents use the token of srv-01"}
                self.boot, self.boot_sequence = report["bootId"], 0
            accepted = report["sequence"] > self.boot_sequence
            if accepted:
                self._apply_plan(report)
            return 200, {"accepted": accepted, "planVersion": self.version, "reportAfterSeconds": 1}

    def start_session(self, document: dict[str, Any]) -> Answer:
        with self.changed:
            session_id, game_id = document["id"], document["gameId"]
            if game_id not in self.released:
                return 404, {"error": "not_found", "message": f"No game with id '{game_id}'"}
            status = 201
            if session_id in self.sessions:
                status, build = 200, self.sessions[session_id][1]
            else:
                cached = [
                    number
                    for number in self.released[game_id]
                    if (game_id, number) in self.believed or self.phase(game_id, number) == "cached"
                ]
                if not cached:
                    return 409, {"error": "not_cached", "message": "Nothing released is cached on srv-01"}
                build = cached[-1]
                self.sessions[session_id] = (game_id, build)
            game = self.builds[game_id, build].game
            path = f"{game_id}/{build}/{game.top_directory}"
            answer = {"id": session_id, "gameId": game_id, "build": build, "path": path}
            return status, answer | {"launcher": game.launcher}

    def end_session(self, session_id: str) -> Answer:
        with self.changed:
            if session_id in self.ended:
                return 204, {}
            if session_id not in self.sessions:
                return 404, {"error": "not_found", "message": "No such session"}
            self._end(session_id)
            return 204, {}

    def _apply_plan(self, report: dict[str, Any]) -> None:
        """Sessions missing from two reports have ended; those we did not know began while we were away."""
        before = self._planned()
        self.boot_sequence, self.boot_stopped = report["sequence"], report["stopping"]
        self.reports.append(report)
        listed = {session["id"]: (session["gameId"], session["build"]) for session in report["sessions"]}
        for session_id in self.sessions.keys() - listed.keys():
            if session_id in self.missed:
                self._end(session_id)
        self.missed = self.sessions.keys() - listed.keys()
        self.sessions.update(listed)
        if self._planned() != before:
            self._bump()
        self.changed.notify_all()

    def _end(self, session_id: str) -> None:
        del self.sessions[session_id]
        self.ended.append(session_id)

    def _wanted(self) -> dict[tuple[str, int], bool]:
        """Released builds (True), and the one before until the released one is cached (False)."""
        wanted: dict[tuple[str, int], bool] = {}
        for game_id, numbers in self.released.items():
            wanted[game_id, numbers[-1]] = True
            if len(numbers) > 1 and (self.keep_previous or self.phase(game_id, numbers[-1]) != "cached"):
                wanted[game_id, numbers[-2]] = False
        return wanted

    def _planned(self) -> dict[tuple[str, int], tuple[bool, bool]]:
        """What a plan says of each build: whether it is the released one, and whether it is kept."""
        return {key: (active, not active and self._is_kept(key)) for key, active in self._wanted().items()}

    def _is_kept(self, key: tuple[str, int]) -> bool:
        is_next_cached = self.phase(key[0], self.released[key[0]][-1]) == "cached"
        return bool(self.keep_previous) and (is_next_cached or self.believed_kept)

    def _entry(self, key: tuple[str, int], active: bool) -> dict[str, Any]:
        published = self.builds[key]
        return {
            "keep": not active and self._is_kept(key),
            "pack": {"preparing": True} if key in self.preparing else self._pack(key),
            "gameId": key[0],
            "slug": "paper-lanterns",
            "build": key[1],
            "size": published.size,
            "checksum": f"sha256:{published.sha256}",
            "unpackedBytes": published.game.unpacked_bytes,
            "topDirectory": published.game.top_directory,
            "launcher": published.game.launcher,
            "archiveUrl": self.storage.presign(published.path),
            "urlExpiresAt": "2026-01-01T00:00:00Z",
            "active": active,
            "retry": published.retry,
        }

    def _pack(self, key: tuple[str, int]) -> dict[str, Any] | None:
        packed = self.packs.get(key)
        if packed is None:
            return None

        def stored(name: str) -> dict[str, Any]:
            path = f"/packs/{key[0]}/{key[1]}/{name}"
            return {"url": self.storage.presign(path), "bytes": len(packed.objects[name])}

        updates = []
        for older, update in packed.updates.items():
            if self.phase(key[0], older) == "cached":
                patch = stored(f"patch.{older}") | {"sha256": update.patch_sha256} if update.patch else None
                delta = stored(f"delta.{older}") if update.delta else None
                updates.append(
                    {"build": older, "bytes": transfer_bytes(packed, update), "delta": delta, "patch": patch}
                )
        reference = packed.reference
        index = stored("index") | {"sha256": reference.sha256, "size": reference.size}
        return stored("pack") | {"index": index, "updates": updates}

    def _last_rows(self) -> list[dict[str, Any]]:
        return list(self.reports[-1]["builds"]) if self.reports else []

    def _bump(self) -> None:
        self.version += 1
        self.changed.notify_all()


class PlatformServer:
    """Platform over HTTP."""

    def __init__(self, storage: StorageServer) -> None:
        self.platform = Platform(storage)
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.platform))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> PlatformServer:
        Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.platform.go_down()
        self._http.shutdown()
        self._http.server_close()


def _handler(platform: Platform) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            since = int(query["since"][0]) if "since" in query else None
            platform.plans_asked.append(self.path)
            if self._answered_raw(platform.raw_plans):
                return
            self._guarded(lambda: platform.plan(since, float(query["wait"][0])))

        def do_POST(self) -> None:
            document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            reports = self.path.endswith("/reports")
            if reports and self._answered_raw(platform.raw_receipts):
                return
            call = platform.report if reports else platform.start_session
            self._guarded(lambda: call(document))

        def do_DELETE(self) -> None:
            match = re.fullmatch(r"/api/servers/self/sessions/(\w+)", self.path)
            assert match
            self._guarded(lambda: platform.end_session(match[1]))

        def _answered_raw(self, answers: list[bytes]) -> bool:
            with platform.changed:
                if not answers:
                    return False
                answer = answers.pop(0)
                platform.changed.notify_all()
            self.close_connection = True
            with suppress(OSError):  # it may not want all of a long one
                self.wfile.write(answer)
            return True

        def _guarded(self, call: Any) -> None:
            if platform.down:
                status, answer = DOWN
            elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
                status, answer = 401, {"error": "unauthorized", "message": "Unknown or revoked token"}
            else:
                status, answer = call()
            body = b"" if status == 204 else json.dumps(answer).encode()
            try:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:  # The agent was killed while its poll was held.
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
            """Quiet: what was reported is in `reports`."""

    return Handler
