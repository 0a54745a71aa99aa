"""Settings, read from the environment once at start and validated with plain messages.

Sizes accept `500M`, `20G` (binary units) or a plain number of bytes; rates are Flask-Limiter strings such as
`100 per minute`. How each kind of value is read is in `app/config/environment.py`.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from flask import current_app

from app.config.environment import Environment
from app.config.environment import SettingsError as SettingsError  # whoever loads settings catches it
from app.config.hosts import host_of, is_loopback
from app.config.private_files import make_private
from app.config.storage_settings import StorageSettings

MIB = 1024**2
GIB = 1024**3


@dataclass(frozen=True)
class Settings:
    """Everything that can be set. Durations are seconds, sizes bytes."""

    instance: Path
    secret_key: str
    database_url: str
    storage: StorageSettings | None
    redis_url: str | None
    base_url: str | None
    host: str
    port: int
    https: bool
    trusted_proxies: int
    trusted_hosts: tuple[str, ...]
    api_rate: str
    upload_rate: str
    parts_rate: str
    upload_lifetime: timedelta
    sign_in_rate: str
    sign_in_address_rate: str
    sign_in_account_rate: str
    presign_rate: str
    confirm_rate: str
    new_game_rate: str
    component_rate: str
    component_batch_rate: str
    list_rate: str
    max_archive_bytes: int
    max_unpacked_bytes: int
    asset_quota_bytes: int
    asset_base_url: str | None
    derive_wait: float
    api_cors_origins: tuple[str, ...]
    streams: int
    waiting_polls: int
    raw_uploads: int
    header_timeout: float
    body_timeout: float
    min_bytes_per_second: int
    connections: int
    drain_seconds: float
    work_in_web: bool
    cookie_name: str

    @property
    def storage_settings(self) -> StorageSettings:
        """The bucket's settings, or a plain refusal where none are given."""
        if self.storage is None:
            raise SettingsError(
                "S3_ENDPOINT is not set, so there is nowhere to keep builds. Set S3_ENDPOINT, S3_ACCESS_KEY, "
                "S3_SECRET_KEY and S3_BUCKET, or start with `make run`, which brings its own storage."
            )
        return self.storage


def settings() -> Settings:
    """The running app's settings."""
    found: Settings = current_app.config["SLIPWAY"]
    return found


def _embedded(instance: Path) -> dict[str, str]:
    """The storage that `make run` keeps under the instance folder, so that `flask` commands find it too."""
    try:
        port = (instance / "storage" / "port").read_text().strip()
        kept = json.loads((instance / "storage" / "credentials").read_text())
    except FileNotFoundError:
        return {}
    found = {
        "S3_ENDPOINT": f"http://127.0.0.1:{port}",
        "S3_ACCESS_KEY": kept["accessKey"],
        "S3_SECRET_KEY": kept["secretKey"],
    }
    with suppress(FileNotFoundError):  # a folder of the version before, until storage starts in it
        kept = json.loads((instance / "storage" / "upload-credentials").read_text())
        found |= {"S3_UPLOAD_ACCESS_KEY": kept["accessKey"], "S3_UPLOAD_SECRET_KEY": kept["secretKey"]}
    return found


def _storage(read: Environment, embedded: dict[str, str], host: str, https: bool) -> StorageSettings | None:
    if read.text("S3_ENDPOINT"):
        embedded = {}  # its credentials are not of the storage that is named
    endpoint = read.address("S3_ENDPOINT", embedded.get("S3_ENDPOINT", ""))
    if endpoint is None:
        return None
    access, secret = (read.text(name, embedded.get(name, "")) for name in ("S3_ACCESS_KEY", "S3_SECRET_KEY"))
    missing = [name for name, value in (("S3_ACCESS_KEY", access), ("S3_SECRET_KEY", secret)) if not value]
    if missing:
        raise SettingsError(f"S3_ENDPOINT is set but {' and '.join(missing)} is not. Set it beside S3_ENDPOINT.")
    upload_access, upload_secret = _upload_signer(read, embedded)
    public = read.address("S3_PUBLIC_ENDPOINT", endpoint) or endpoint
    _check_public(public, host, https)
    return StorageSettings(
        endpoint=endpoint,
        access_key=access,
        secret_key=secret,
        bucket=read.matching(
            "S3_BUCKET",
            "slipway",
            r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
            "is not the name of a bucket: those have 3 to 63 lowercase letters, digits and hyphens",
        ),
        region=read.text("S3_REGION", "us-east-1"),
        public_endpoint=public,
        agent_endpoint=read.address("S3_AGENT_ENDPOINT", public) or public,
        upload_access_key=upload_access or None,
        upload_secret_key=upload_secret or None,
    )


def _upload_signer(read: Environment, embedded: dict[str, str]) -> tuple[str, str]:
    names = ("S3_UPLOAD_ACCESS_KEY", "S3_UPLOAD_SECRET_KEY")
    access, secret = (read.text(name, embedded.get(name, "")) for name in names)
    if bool(access) != bool(secret):
        given, missing = names if access else reversed(names)
        raise SettingsError(f"{given} is set but {missing} is not. Set both, or neither (docs/storage.md).")
    return access, secret


def _check_public(public: str, host: str, https: bool) -> None:
    if not is_loopback(host) and is_loopback(host_of(public)):
        raise SettingsError(
            f"SLIPWAY_HOST={host} listens beyond this machine, but browsers would be sent to {public}, which only this "
            "machine can reach. Set S3_PUBLIC_ENDPOINT to an address that browsers can reach."
        )
    if https and public.startswith("http://"):
        raise SettingsError(
            f"The app is served over https but S3_PUBLIC_ENDPOINT={public} is plain http, which browsers refuse to "
            "load from an https page. Give storage an https address."
        )


def _kept_secret(instance: Path) -> str:
    """The session-signing secret of this instance, made on first use and kept with mode 0600."""
    path = instance / "secret_key"
    if not path.exists():
        # Written whole and then given its name, so that a process that starts beside this one never reads half of it.
        draft = instance / f"secret_key.{secrets.token_hex(8)}"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(48))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process was first: its secret counts
            os.link(draft, path)
        draft.unlink()
    secret = path.read_text()
    if not secret:
        raise SettingsError(
            f"{path} is empty. Remove it and start again: a new one is made, and everybody signs in anew."
        )
    return secret


def _instance(read: Environment) -> Path:
    folder = Path(read.text("SLIPWAY_INSTANCE", "instance")).resolve()
    make_private(folder)
    return folder


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read and check every setting. Raises SettingsError with a message an operator can act on."""
    read = Environment(os.environ if environment is None else environment)
    instance = _instance(read)
    host = read.text("SLIPWAY_HOST", "127.0.0.1")
    port = read.number("PORT", 8000, least=1, most=65535)
    base_url = read.address("SLIPWAY_BASE_URL")
    https = bool(base_url and base_url.startswith("https://"))
    return Settings(
        instance=instance,
        secret_key=read.text("SECRET_KEY") or _kept_secret(instance),
        database_url=read.database("DATABASE_URL", f"sqlite:///{instance / 'slipway.db'}"),
        storage=_storage(read, _embedded(instance), host, https),
        redis_url=read.redis("REDIS_URL"),
        base_url=base_url,
        host=host,
        port=port,
        https=https,
        trusted_proxies=read.number("TRUSTED_PROXIES", 0),
        trusted_hosts=read.hosts("TRUSTED_HOSTS"),
        api_rate=read.rate("SLIPWAY_API_RATE", "100 per minute"),
        upload_rate=read.rate("SLIPWAY_UPLOAD_RATE", "10 per hour"),
        parts_rate=read.rate("SLIPWAY_PARTS_RATE", "600 per minute"),
        upload_lifetime=timedelta(days=read.number("SLIPWAY_UPLOAD_DAYS", 7, least=1, most=3650)),
        sign_in_rate=read.rate("SLIPWAY_SIGN_IN_RATE", "10 per 15 minutes"),
        sign_in_address_rate=read.rate("SLIPWAY_SIGN_IN_ADDRESS_RATE", "60 per 15 minutes"),
        sign_in_account_rate=read.rate("SLIPWAY_SIGN_IN_ACCOUNT_RATE", "100 per hour"),
        # assets-api.md section 9
        presign_rate=read.rate("SLIPWAY_PRESIGN_RATE", "60 per minute"),
        confirm_rate=read.rate("SLIPWAY_CONFIRM_RATE", "60 per minute"),
        new_game_rate=read.rate("SLIPWAY_NEW_GAME_RATE", "10 per hour"),
        component_rate=read.rate("SLIPWAY_COMPONENT_RATE", "60 per minute"),
        component_batch_rate=read.rate("SLIPWAY_COMPONENT_BATCH_RATE", "10 per minute"),
        list_rate=read.rate("SLIPWAY_LIST_RATE", "120 per minute"),
        max_archive_bytes=read.size("MAX_ARCHIVE_BYTES", "20G", zero=False),
        max_unpacked_bytes=read.size("MAX_UNPACKED_BYTES", "100G", zero=False),
        asset_quota_bytes=read.size("ASSET_QUOTA_BYTES", "2G"),
        asset_base_url=read.base("ASSET_BASE_URL", https),
        derive_wait=read.seconds("ASSET_DERIVE_WAIT", 10),
        api_cors_origins=read.origins("API_CORS_ORIGINS"),
        streams=read.number("SLIPWAY_STREAMS", 1000),
        waiting_polls=read.number("SLIPWAY_WAITING_POLLS", 32),
        raw_uploads=read.number("SLIPWAY_RAW_UPLOADS", 8, least=1),
        header_timeout=read.seconds("SLIPWAY_HEADER_TIMEOUT", 10, zero=False),
        min_bytes_per_second=read.size("SLIPWAY_MIN_BYTES_PER_SECOND", "8K", zero=False),
        connections=read.number("SLIPWAY_CONNECTIONS", 4096, least=64),
        body_timeout=read.seconds("SLIPWAY_BODY_TIMEOUT", 60, zero=False),
        drain_seconds=read.seconds("SLIPWAY_DRAIN_SECONDS", 3600),
        work_in_web=read.switch("SLIPWAY_WORK_IN_WEB", True),
        # Cookies ignore the port: two instances on one host would sign each other out with one name.
        cookie_name=read.matching(
            "SLIPWAY_COOKIE_NAME",
            f"slipway_{port}",
            r"[\w.-]+",
            "is not the name of a cookie: use letters, digits, hyphens and underscores",
        ),
    )
