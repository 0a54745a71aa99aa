"""Settings, read from the environment once at start and validated with plain messages.

Sizes accept `500M`, `20G` (binary units) or a plain number of bytes; rates are Flask-Limiter strings such as
`100 per minute`.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from flask import current_app
from limits import parse as parse_rate

MIB = 1024**2
GIB = 1024**3


class SettingsError(ValueError):
    """A setting that cannot be used; the text names the variable, what it holds and what to do."""


@dataclass(frozen=True)
class StorageSettings:
    """Where the bucket is. Three addresses, because the app, browsers and game servers may reach it differently."""

    endpoint: str
    access_key: str
    secret_key: str
    bucket: str
    region: str
    public_endpoint: str
    agent_endpoint: str


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
    sign_in_rate: str
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
    body_timeout: float
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


_UNITS = {"": 1, "K": 1024, "M": MIB, "G": GIB, "T": 1024 * GIB}


def parse_size(name: str, text: str) -> int:
    """`20G` -> bytes. Raises SettingsError naming the variable."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", text, re.IGNORECASE)
    if not match:
        raise SettingsError(f"{name}={text!r} is not a size. Write bytes, or a number with K, M, G or T, such as 20G.")
    return int(float(match[1]) * _UNITS[match[2].upper()])


class _Reader:
    """Typed access to one environment mapping, so that every message has the same shape."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment

    def text(self, name: str, default: str = "") -> str:
        return self.environment.get(name, "").strip() or default

    def number(self, name: str, default: int, least: int = 0) -> int:
        text = self.text(name, str(default))
        if not text.isdecimal() or int(text) < least:
            raise SettingsError(f"{name}={text!r} must be a whole number of at least {least}.")
        return int(text)

    def seconds(self, name: str, default: float) -> float:
        text = self.text(name, str(default))
        try:
            value = float(text)
        except ValueError:
            value = -1
        if value < 0:
            raise SettingsError(f"{name}={text!r} must be a number of seconds.")
        return value

    def size(self, name: str, default: str) -> int:
        return parse_size(name, self.text(name, default))

    def switch(self, name: str, default: bool) -> bool:
        text = self.text(name, "on" if default else "off").lower()
        if text not in {"on", "off", "1", "0", "true", "false", "yes", "no"}:
            raise SettingsError(f"{name}={text!r} must be on or off.")
        return text in {"on", "1", "true", "yes"}

    def rate(self, name: str, default: str) -> str:
        text = self.text(name, default)
        try:
            parse_rate(text)
        except ValueError:
            raise SettingsError(f"{name}={text!r} is not a rate. Write it as `100 per minute`.") from None
        return text

    def words(self, name: str) -> tuple[str, ...]:
        return tuple(word.strip() for word in self.text(name).split(",") if word.strip())


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _url(name: str, text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path not in {"", "/"}:
        raise SettingsError(f"{name}={text!r} must be an address such as https://s3.example.org, without a path.")
    return text.rstrip("/")


def _base(name: str, text: str, https: bool) -> str | None:
    """An address that other paths are written behind, such as a CDN's; a path of its own is fine."""
    if not text:
        return None
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise SettingsError(f"{name}={text!r} must be an address such as https://cdn.example.org, without a query.")
    if https and parts.scheme == "http":
        raise SettingsError(f"The app is served over https but {name}={text} is plain http, which browsers refuse.")
    return text.rstrip("/")


def _origin(text: str) -> str:
    """An origin as browsers send it: scheme, host and perhaps a port, in lower case. `*` is none."""
    parts = urlsplit(text := text.rstrip("/"))
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or text.lower() != f"{parts.scheme}://{parts.netloc}"
    ):
        raise SettingsError(
            f"API_CORS_ORIGINS holds {text!r}, which is not an origin. Name each as https://studio.example.org, "
            "without a path, with commas between them."
        )
    return text.lower()


def _embedded(instance: Path) -> StorageSettings | None:
    """The storage that `make run` keeps under the instance folder, so that `flask` commands find it too."""
    try:
        port = (instance / "storage" / "port").read_text().strip()
        kept = json.loads((instance / "storage" / "credentials").read_text())
    except FileNotFoundError:
        return None
    endpoint = f"http://127.0.0.1:{port}"
    return StorageSettings(endpoint, kept["accessKey"], kept["secretKey"], "slipway", "us-east-1", endpoint, endpoint)


def _storage(read: _Reader, instance: Path, host: str, https: bool) -> StorageSettings | None:
    if not read.text("S3_ENDPOINT"):
        return _embedded(instance)
    missing = [name for name in ("S3_ACCESS_KEY", "S3_SECRET_KEY") if not read.text(name)]
    if missing:
        raise SettingsError(f"S3_ENDPOINT is set but {' and '.join(missing)} is not. Set it beside S3_ENDPOINT.")
    endpoint = _url("S3_ENDPOINT", read.text("S3_ENDPOINT"))
    public = _url("S3_PUBLIC_ENDPOINT", read.text("S3_PUBLIC_ENDPOINT", endpoint))
    if not _is_loopback(host) and _is_loopback(urlsplit(public).hostname or ""):
        raise SettingsError(
            f"SLIPWAY_HOST={host} listens beyond this machine, but browsers would be sent to {public}, which only this "
            "machine can reach. Set S3_PUBLIC_ENDPOINT to an address that browsers can reach."
        )
    if https and public.startswith("http://"):
        raise SettingsError(
            f"The app is served over https but S3_PUBLIC_ENDPOINT={public} is plain http, which browsers refuse to "
            "load from an https page. Give storage an https address."
        )
    return StorageSettings(
        endpoint=endpoint,
        access_key=read.text("S3_ACCESS_KEY"),
        secret_key=read.text("S3_SECRET_KEY"),
        bucket=read.text("S3_BUCKET", "slipway"),
        region=read.text("S3_REGION", "us-east-1"),
        public_endpoint=public,
        agent_endpoint=_url("S3_AGENT_ENDPOINT", read.text("S3_AGENT_ENDPOINT", public)),
    )


def _kept_secret(instance: Path) -> str:
    """The session-signing secret of this instance, made on first use and kept with mode 0600."""
    path = instance / "secret_key"
    try:
        return path.read_text()
    except FileNotFoundError:
        pass
    secret = secrets.token_urlsafe(48)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:  # another process was first
        return path.read_text()
    with os.fdopen(descriptor, "w") as file:
        file.write(secret)
    return secret


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read and check every setting. Raises SettingsError with a message an operator can act on."""
    read = _Reader(os.environ if environment is None else environment)
    instance = Path(read.text("SLIPWAY_INSTANCE", "instance")).resolve()
    instance.mkdir(mode=0o700, parents=True, exist_ok=True)
    host = read.text("SLIPWAY_HOST", "127.0.0.1")
    port = read.number("PORT", 8000, least=1)
    base_url = read.text("SLIPWAY_BASE_URL") or None
    https = bool(base_url and base_url.startswith("https://"))
    database_url = read.text("DATABASE_URL", f"sqlite:///{instance / 'slipway.db'}")
    # The bare scheme would pick psycopg2, which is not installed.
    database_url = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", database_url)
    return Settings(
        instance=instance,
        secret_key=read.text("SECRET_KEY") or _kept_secret(instance),
        database_url=database_url,
        storage=_storage(read, instance, host, https),
        redis_url=read.text("REDIS_URL") or None,
        base_url=base_url.rstrip("/") if base_url else None,
        host=host,
        port=port,
        https=https,
        trusted_proxies=read.number("TRUSTED_PROXIES", 0),
        trusted_hosts=read.words("TRUSTED_HOSTS"),
        api_rate=read.rate("SLIPWAY_API_RATE", "100 per minute"),
        upload_rate=read.rate("SLIPWAY_UPLOAD_RATE", "10 per hour"),
        parts_rate=read.rate("SLIPWAY_PARTS_RATE", "600 per minute"),
        sign_in_rate=read.rate("SLIPWAY_SIGN_IN_RATE", "10 per 5 minutes"),
        # assets-api.md section 9
        presign_rate=read.rate("SLIPWAY_PRESIGN_RATE", "60 per minute"),
        confirm_rate=read.rate("SLIPWAY_CONFIRM_RATE", "60 per minute"),
        new_game_rate=read.rate("SLIPWAY_NEW_GAME_RATE", "10 per hour"),
        component_rate=read.rate("SLIPWAY_COMPONENT_RATE", "60 per minute"),
        component_batch_rate=read.rate("SLIPWAY_COMPONENT_BATCH_RATE", "10 per minute"),
        list_rate=read.rate("SLIPWAY_LIST_RATE", "120 per minute"),
        max_archive_bytes=read.size("MAX_ARCHIVE_BYTES", "20G"),
        max_unpacked_bytes=read.size("MAX_UNPACKED_BYTES", "100G"),
        asset_quota_bytes=read.size("ASSET_QUOTA_BYTES", "2G"),
        asset_base_url=_base("ASSET_BASE_URL", read.text("ASSET_BASE_URL"), https),
        derive_wait=read.seconds("ASSET_DERIVE_WAIT", 10),
        api_cors_origins=tuple(_origin(text) for text in read.words("API_CORS_ORIGINS")),
        streams=read.number("SLIPWAY_STREAMS", 1000),
        waiting_polls=read.number("SLIPWAY_WAITING_POLLS", 32),
        raw_uploads=read.number("SLIPWAY_RAW_UPLOADS", 8, least=1),
        body_timeout=read.seconds("SLIPWAY_BODY_TIMEOUT", 60),
        drain_seconds=read.seconds("SLIPWAY_DRAIN_SECONDS", 3600),
        work_in_web=read.switch("SLIPWAY_WORK_IN_WEB", True),
        # Cookies ignore the port: two instances on one host would sign each other out with one name.
        cookie_name=read.text("SLIPWAY_COOKIE_NAME", f"slipway_{port}"),
    )
