"""The `slipway-agent` command. Each subcommand imports what it needs, so that launch scripts start fast."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from slipway.agent import VERSION
from slipway.agent.exit_codes import ExitCode
from slipway.client.sizes import parse_size
from slipway.client.standard_streams import drop_output

MIN_BANDWIDTH = 1 << 10


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code; see `exit_codes` and docs/agents.md."""
    options = _parser().parse_args(arguments)
    try:
        return _flushed(_run_command(options))
    except BrokenPipeError:
        drop_output()
        return ExitCode.UNEXPECTED


def _flushed(code: int) -> int:
    """The exit code, once all output is written. Raises BrokenPipeError."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        drop_output()
        return _fail(f"cannot print: {error}", ExitCode.UNEXPECTED)
    return code


def _run_command(options: argparse.Namespace) -> int:
    if options.command == "run":
        return _run(options)
    if options.command == "verify":
        return _verify(options)
    if options.action == "start":
        return _start_session(options)
    return _end_session(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="slipway-agent", description="Keeps released builds cached on a game server and records its play sessions."
    )
    parser.add_argument("--version", action="version", version=f"slipway-agent {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True)
    _add_run(commands.add_parser("run", help="run the agent until it receives SIGTERM or SIGINT"))
    verify = commands.add_parser("verify", help="check the cached builds, chunk by chunk, and repair them")
    verify.add_argument("game_id", metavar="gameId", nargs="?", help="check the builds of this game only")
    verify.add_argument("--cache", type=Path, required=True, help="the cache directory of the agent")
    verify.add_argument("--repair", action="store_true", help="fetch what is damaged or missing from the build's pack")
    session = commands.add_parser("session", help="start and end play sessions (for launch scripts)")
    actions = session.add_subparsers(dest="action", required=True)
    start = actions.add_parser("start", help="start a session; prints its id and the path of the build")
    start.add_argument("game_id", metavar="gameId")
    start.add_argument(
        "--pid", type=int, required=True, help="process id of the game; the session ends when that process exits"
    )
    end = actions.add_parser("end", help="end a session")
    end.add_argument("session_id", metavar="id")
    for action in (start, end):
        action.add_argument("--cache", type=Path, required=True, help="the cache directory of the agent")
    start.add_argument("--json", action="store_true", help="print one JSON object instead of key=value lines")
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", required=True, help="the platform's address, like https://portal.example")
    parser.add_argument("--cache", type=Path, required=True, help="directory for builds, like /srv/games")
    parser.add_argument("--token-file", type=Path, help="file with the server's token (default: SLIPWAY_TOKEN)")
    parser.add_argument("--ca-file", type=Path, help="PEM file of an additional certificate authority to trust")
    parser.add_argument(
        "--disk-floor",
        type=_size,
        default=_size("2G"),
        metavar="SIZE",
        help="space that downloads leave free, like 500M (default 2G)",
    )
    parser.add_argument(
        "--downloads", type=int, choices=(1, 2, 3, 4), default=2, help="builds to download in parallel (default 2)"
    )
    parser.add_argument(
        "--bandwidth",
        type=_bandwidth,
        metavar="SIZE",
        help="maximum rate of all downloads together in bytes per second, like 20M (default: no limit)",
    )
    _add_storage_hosts(parser)


def _add_storage_hosts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--storage-hosts",
        metavar="HOSTS",
        help="download archives and packs only from these hosts, like storage.example,http://10.0.0.5:9000 "
        "(default: SLIPWAY_AGENT_STORAGE_HOSTS; if that is empty, any host)",
    )


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _bandwidth(text: str) -> int:
    rate = _size(text)
    if rate < MIN_BANDWIDTH:
        raise argparse.ArgumentTypeError(f"{text!r} is too little: give at least 1K, the bytes per second")
    return rate


def _run(options: argparse.Namespace) -> int:
    from slipway.agent import logs
    from slipway.agent.agent_process import run
    from slipway.agent.cache.locks import CacheInUse
    from slipway.agent.settings import InvalidSettings, Settings, parse_platform_url, read_storage_hosts, read_token

    logs.start_logging()
    try:
        settings = Settings(
            url=parse_platform_url(options.url),
            token=read_token(options.token_file, os.environ),
            cache=options.cache.absolute(),
            ca_file=options.ca_file,
            disk_floor=options.disk_floor,
            downloads=options.downloads,
            bandwidth=options.bandwidth,
            storage_hosts=read_storage_hosts(options.storage_hosts, os.environ),
        )
        return _exit_now(run(settings))
    except InvalidSettings as error:
        return _fail(str(error), ExitCode.USAGE)
    except CacheInUse as holder:
        return _fail(
            f"another slipway-agent (pid {holder}) uses {options.cache}: stop it, or give this agent another --cache",
            ExitCode.CACHE_TAKEN,
        )
    except OSError as error:
        return _fail(f"cannot start: {error}", ExitCode.UNEXPECTED)


def _exit_now(code: int) -> NoReturn:
    """Exit without waiting for worker threads: one may be in a read or an fsync for longer than the two seconds that
    a stop may take. Interrupting them loses nothing."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # its reader has gone
            stream.flush()
    os._exit(code)


def _verify(options: argparse.Namespace) -> int:
    from slipway.agent import logs
    from slipway.agent.cache.locks import CacheInUse
    from slipway.agent.sessions.connection_file import NoConnection
    from slipway.agent.verification.verify_command import verify_cache

    logs.start_logging()
    try:
        return verify_cache(options.cache.absolute(), options.game_id, repair=options.repair, write=sys.stdout.write)
    except NoConnection as error:
        return _fail(str(error), ExitCode.NO_AGENT)
    except CacheInUse as holder:
        return _fail(f"another verify (pid {holder}) checks {options.cache}: wait for it", ExitCode.CACHE_TAKEN)
    except BrokenPipeError:
        raise
    except OSError as error:
        return _fail(f"cannot check {options.cache}: {error}", ExitCode.UNEXPECTED)


def _start_session(options: argparse.Namespace) -> int:
    from slipway.agent.sessions.session_commands import SessionCommands, SessionRefused

    try:
        started = SessionCommands(options.cache.absolute()).start(options.game_id, options.pid)
    except SessionRefused as refused:
        return _fail(str(refused), refused.exit_code)
    if started.note:
        _print_error(started.note)
    answer = {
        "id": started.id,
        "gameId": started.game_id,
        "build": started.build,
        "path": str(started.path),
        "launcher": started.launcher,
        "registered": started.registered,
    }
    if options.json:
        sys.stdout.write(json.dumps(answer) + "\n")
    else:
        answer["registered"] = "yes" if started.registered else "no"
        sys.stdout.writelines(f"{name}={value}\n" for name, value in answer.items())
    return ExitCode.OK


def _end_session(options: argparse.Namespace) -> int:
    from slipway.agent.sessions.session_commands import SessionCommands, SessionRefused

    try:
        note = SessionCommands(options.cache.absolute()).end(options.session_id)
    except SessionRefused as refused:
        return _fail(str(refused), refused.exit_code)
    if note:
        _print_error(note)
    return ExitCode.OK


def _print_error(text: str) -> None:
    sys.stderr.write(f"slipway-agent: {text}\n")


def _fail(text: str, code: ExitCode) -> int:
    _print_error(text)
    return code
