"""Checks of this machine's part of the installation, for `flask doctor`."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import redis
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from app.config.settings import GIB, Settings, settings
from app.data.schema_version import migration_missing
from app.process.check_result import CheckResult, failed, ok, skipped
from slipway.client.sizes import format_limit, format_size

MIN_SECRET_LENGTH = 32
MIN_FREE_BYTES = GIB  # for the database, its write-ahead log, and logs
_OTHERS = 0o077
_SECRETS = ("secret_key", "storage/credentials", "storage/upload-credentials", "slipway.db")
# `flask` reads them; they may hold S3_SECRET_KEY and DATABASE_URL.
_ENVIRONMENT_FILES = (".env", ".flaskenv")


def database_is_ready() -> CheckResult:
    """Whether the database answers and has the tables of this version."""
    url = settings().database_url
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        why = str(getattr(error, "orig", error)).strip().partition("\n")[0]
        return failed(f"The database does not answer: {why}. Is DATABASE_URL right?")
    finally:
        engine.dispose()
    if missing := migration_missing(url):
        return failed(missing)
    kind = "Postgres" if engine.dialect.name == "postgresql" else "SQLite"
    return ok(f"{kind} answers and has the tables of this version.")


def redis_answers() -> CheckResult:
    """Whether Valkey or Redis answers, if it is used."""
    url = settings().redis_url
    if url is None:
        return skipped("REDIS_URL is not set: one process serves everything.")
    try:
        with redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        return failed(f"The server of REDIS_URL does not answer ({type(error).__name__}).")
    return ok("The server of REDIS_URL answers.")


def disk_has_room() -> CheckResult:
    """Whether the instance folder and the folder for packs have free space."""
    own = settings()
    needed = {own.instance: MIN_FREE_BYTES}
    packs = own.pack_dir or own.instance / "packs"
    needed[packs] = max(own.pack_free_bytes, needed.get(packs, 0))
    lines = []
    for folder, wanted in needed.items():
        there = next(path for path in (folder, *folder.parents) if path.exists())
        if not os.access(there, os.W_OK):
            return failed(f"{there} cannot be written to by this user.")
        free = shutil.disk_usage(there).free
        if free < wanted:
            return failed(
                f"{folder} has {format_size(free)} free, and {format_limit(wanted)} are needed. Free some space, or "
                "set SLIPWAY_INSTANCE or PACK_DIR to a folder on a larger disk."
            )
        lines.append(f"{folder} has {format_size(free)} free.")
    return ok(" ".join(lines))


def secrets_are_private() -> CheckResult:
    """Whether only the owner can read the secrets, and SECRET_KEY is long enough."""
    own = settings()
    if len(own.secret_key) < MIN_SECRET_LENGTH:
        return failed(
            f"SECRET_KEY has {len(own.secret_key)} characters, so it can be guessed. Use at least {MIN_SECRET_LENGTH} "
            "random ones, or leave it out: the instance folder then keeps one."
        )
    for path in _secret_files(own):
        found = path.stat()  # of a link's target too
        mode = stat.S_IMODE(found.st_mode)
        if mode & _OTHERS:
            return failed(f"Others can use {path} (mode {mode:04o}). Run `chmod go= {path}`.")
        if found.st_uid not in {os.geteuid(), 0}:
            return failed(f"{path} belongs to another user, who can read and change it. Run `chown` as root.")
    return ok("Only this user can read the secrets.")


def _secret_files(own: Settings) -> Iterator[Path]:
    names = [own.instance, *(own.instance / name for name in _SECRETS), *map(Path, _ENVIRONMENT_FILES)]
    yield from (path for path in names if path.exists())
