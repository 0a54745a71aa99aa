"""Settings, read from the environment once at start and checked. A value that cannot be used is refused in plain words.

Sizes accept `500M`, `20G` (binary units) or a plain number of bytes; rates are Flask-Limiter strings such as
`100 per minute`. `app/config/environment.py` defines the types.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from flask import current_app
from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from app.config.environment import (
    Address,
    AddressPrefix,
    Count,
    DatabaseAddress,
    Hosts,
    Origins,
    PositiveSeconds,
    PositiveSize,
    Rate,
    RedisAddress,
    Seconds,
    Size,
    Switch,
    Variables,
    matching,
    parse_number,
    read_variables,
    whole_number,
)
from app.config.environment import SettingsError as SettingsError  # for callers that load settings
from app.config.metrics_settings import ListenRange, MetricsListen, MetricsToken
from app.config.private_files import make_private, write_private
from app.config.storage_settings import StorageSettings, load_storage_settings

MIB = 1024**2
GIB = 1024**3


def _days(text: str) -> timedelta:
    return timedelta(days=parse_number(text, 1, 3650))


def _secret_key(earlier: dict[str, Any]) -> str:
    return _kept_secret(earlier["instance"])


def _sqlite(earlier: dict[str, Any]) -> str:
    return f"sqlite:///{earlier['instance'] / 'slipway.db'}"


def _cookie_name(earlier: dict[str, Any]) -> str:
    # Cookies ignore the port: two instances on one host would sign each other out if they shared a name. The processes
    # of one instance share its secret, and with it the name.
    return f"slipway_{hashlib.sha256(b'cookie:' + earlier['secret_key'].encode()).hexdigest()[:8]}"


class Settings(Variables):
    """Everything that can be set. Durations are seconds, sizes bytes. A default that depends on other settings is made
    from those above it."""

    instance: Path = Field(Path("instance"), validation_alias="SLIPWAY_INSTANCE", validate_default=True)
    secret_key: str = Field(default_factory=_secret_key, validation_alias="SECRET_KEY", repr=False)
    database_url: DatabaseAddress = Field(default_factory=_sqlite, validation_alias="DATABASE_URL", repr=False)
    redis_url: RedisAddress | None = Field(None, validation_alias="REDIS_URL", repr=False)
    base_url: Address | None = Field(None, validation_alias="SLIPWAY_BASE_URL")
    host: str = Field("127.0.0.1", validation_alias="SLIPWAY_HOST")
    port: Annotated[int, whole_number(1, 65535)] = Field(8000, validation_alias="PORT")
    storage: StorageSettings | None = None  # read by `load_storage_settings`

    trusted_proxies: Count = Field(0, validation_alias="TRUSTED_PROXIES")
    trusted_hosts: Hosts = Field((), validation_alias="TRUSTED_HOSTS")
    api_cors_origins: Origins = Field((), validation_alias="API_CORS_ORIGINS")
    cookie_name: Annotated[
        str, matching(r"[\w.-]+", "is not the name of a cookie: use letters, digits, hyphens and underscores")
    ] = Field(default_factory=_cookie_name, validation_alias="SLIPWAY_COOKIE_NAME")

    api_rate: Rate = Field("100 per minute", validation_alias="SLIPWAY_API_RATE")
    upload_rate: Rate = Field("10 per hour", validation_alias="SLIPWAY_UPLOAD_RATE")
    parts_rate: Rate = Field("600 per minute", validation_alias="SLIPWAY_PARTS_RATE")
    sign_in_rate: Rate = Field("10 per 15 minutes", validation_alias="SLIPWAY_SIGN_IN_RATE")
    sign_in_address_rate: Rate = Field("60 per 15 minutes", validation_alias="SLIPWAY_SIGN_IN_ADDRESS_RATE")
    sign_in_account_rate: Rate = Field("100 per hour", validation_alias="SLIPWAY_SIGN_IN_ACCOUNT_RATE")
    # assets-api.md section 9
    presign_rate: Rate = Field("60 per minute", validation_alias="SLIPWAY_PRESIGN_RATE")
    confirm_rate: Rate = Field("60 per minute", validation_alias="SLIPWAY_CONFIRM_RATE")
    new_game_rate: Rate = Field("10 per hour", validation_alias="SLIPWAY_NEW_GAME_RATE")
    component_rate: Rate = Field("60 per minute", validation_alias="SLIPWAY_COMPONENT_RATE")
    component_batch_rate: Rate = Field("10 per minute", validation_alias="SLIPWAY_COMPONENT_BATCH_RATE")
    list_rate: Rate = Field("120 per minute", validation_alias="SLIPWAY_LIST_RATE")

    max_archive_bytes: PositiveSize = Field(20 * GIB, validation_alias="MAX_ARCHIVE_BYTES")
    max_unpacked_bytes: PositiveSize = Field(100 * GIB, validation_alias="MAX_UNPACKED_BYTES")
    upload_lifetime: Annotated[timedelta, BeforeValidator(_days)] = Field(
        timedelta(days=7), validation_alias="SLIPWAY_UPLOAD_DAYS"
    )
    pack_dir: Path | None = Field(None, validation_alias="PACK_DIR")
    pack_disk_bytes: PositiveSize | None = Field(None, validation_alias="PACK_DISK_BYTES")
    pack_free_bytes: Size = Field(2 * GIB, validation_alias="PACK_FREE_BYTES")
    pack_wait: Seconds = Field(600, validation_alias="PACK_WAIT")
    asset_quota_bytes: Size = Field(2 * GIB, validation_alias="ASSET_QUOTA_BYTES")
    asset_base_url: AddressPrefix | None = Field(None, validation_alias="ASSET_BASE_URL")
    derive_wait: Seconds = Field(10, validation_alias="ASSET_DERIVE_WAIT")

    streams: Count = Field(1000, validation_alias="SLIPWAY_STREAMS")
    waiting_polls: Count = Field(512, validation_alias="SLIPWAY_WAITING_POLLS")
    raw_uploads: Annotated[int, whole_number(1)] = Field(8, validation_alias="SLIPWAY_RAW_UPLOADS")
    calls: Annotated[int, whole_number(1)] = Field(128, validation_alias="SLIPWAY_CALLS")
    connections: Annotated[int, whole_number(64)] = Field(4096, validation_alias="SLIPWAY_CONNECTIONS")
    header_timeout: PositiveSeconds = Field(10, validation_alias="SLIPWAY_HEADER_TIMEOUT")
    body_timeout: PositiveSeconds = Field(60, validation_alias="SLIPWAY_BODY_TIMEOUT")
    min_bytes_per_second: PositiveSize = Field(8 * 1024, validation_alias="SLIPWAY_MIN_BYTES_PER_SECOND")
    drain_seconds: Seconds = Field(3600, validation_alias="SLIPWAY_DRAIN_SECONDS")
    work_in_web: Switch = Field(True, validation_alias="SLIPWAY_WORK_IN_WEB")
    metrics_token: MetricsToken | None = Field(None, validation_alias="SLIPWAY_METRICS_TOKEN", repr=False)
    metrics_listen: MetricsListen | None = Field(None, validation_alias="SLIPWAY_METRICS_LISTEN")

    @property
    def https(self) -> bool:
        """Whether browsers reach the app over https."""
        return _is_https(self.base_url)

    @property
    def storage_settings(self) -> StorageSettings:
        """The bucket's settings. Raises SettingsError when there are none."""
        if self.storage is None:
            raise SettingsError(
                f"S3_ENDPOINT is not set, and the embedded storage of {self.instance} has never started, so there is "
                "nowhere to keep builds. Set S3_ENDPOINT, S3_ACCESS_KEY, S3_SECRET_KEY and S3_BUCKET, or start the "
                "embedded storage first: slipway-storage.service or `flask storage run`; `make run` brings its own."
            )
        return self.storage

    @field_validator("instance")
    @classmethod
    def _private_folder(cls, folder: Path) -> Path:
        folder = folder.resolve()
        make_private(folder)
        return folder

    @field_validator("pack_dir")
    @classmethod
    def _absolute_folder(cls, folder: Path | None) -> Path | None:
        return folder.resolve() if folder else None

    @field_validator("metrics_listen")
    @classmethod
    def _token_beyond_loopback(cls, listen: ListenRange | None, info: ValidationInfo) -> ListenRange | None:
        if listen and not listen.is_local and not info.data.get("metrics_token"):
            raise SettingsError(
                f"SLIPWAY_METRICS_LISTEN={listen.host}:{listen.first} can be reached from other machines, and there is "
                "no SLIPWAY_METRICS_TOKEN. Set one, or listen on 127.0.0.1."
            )
        return listen

    @field_validator("asset_base_url")
    @classmethod
    def _https_like_the_app(cls, prefix: str | None, info: ValidationInfo) -> str | None:
        if prefix and _is_https(info.data.get("base_url")) and prefix.lower().startswith("http:"):
            raise SettingsError(
                f"The app is served over https but ASSET_BASE_URL={prefix} is plain http, which browsers refuse."
            )
        return prefix


def _is_https(address: str | None) -> bool:
    return bool(address and address.startswith("https://"))


def settings() -> Settings:
    """The running app's settings."""
    found: Settings = current_app.config["SLIPWAY"]
    return found


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read and check every setting. Raises SettingsError with a message an operator can act on."""
    variables = os.environ if environment is None else environment
    found = read_variables(Settings, variables)
    storage = load_storage_settings(variables, found.instance, found.host, https=found.https)
    return found.model_copy(update={"storage": storage})


def _kept_secret(instance: Path) -> str:
    """The session-signing secret of this instance. Made on first use and kept with mode 0600."""
    path = instance / "secret_key"
    if not path.exists():
        write_private(path, secrets.token_urlsafe(48), replace=False)
    secret = path.read_text()
    if not secret:
        raise SettingsError(
            f"{path} is empty. Remove it and start again: a new one is made, and everybody must sign in again."
        )
    return secret
