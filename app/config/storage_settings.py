"""Where the bucket is, and which credentials are used for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

from pydantic import Field

from app.config.environment import Address, SettingsError, Variables, matching, read_variables
from app.config.hosts import host_of, is_loopback

BucketName = Annotated[
    str,
    matching(
        r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
        "is not the name of a bucket: those have 3 to 63 lowercase letters, digits and hyphens",
    ),
]


@dataclass(frozen=True)
class StorageSettings:
    """Where the bucket is. Three addresses, because the app, browsers and game servers may reach it differently."""

    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    bucket: str
    region: str
    public_endpoint: str
    agent_endpoint: str
    # The identity that signs addresses for writing. None where the first identity does that too.
    upload_access_key: str | None = None
    upload_secret_key: str | None = field(default=None, repr=False)

    @property
    def upload_signer(self) -> StorageSettings:
        """The same storage, with the identity that signs addresses for writing."""
        if self.upload_access_key is None or self.upload_secret_key is None:
            return self
        return replace(self, access_key=self.upload_access_key, secret_key=self.upload_secret_key)


class StorageVariables(Variables):
    """The variables of the bucket, as they are in the environment."""

    endpoint: Address | None = Field(None, validation_alias="S3_ENDPOINT")
    access_key: str | None = Field(None, validation_alias="S3_ACCESS_KEY")
    secret_key: str | None = Field(None, validation_alias="S3_SECRET_KEY", repr=False)
    upload_access_key: str | None = Field(None, validation_alias="S3_UPLOAD_ACCESS_KEY")
    upload_secret_key: str | None = Field(None, validation_alias="S3_UPLOAD_SECRET_KEY", repr=False)
    public_endpoint: Address | None = Field(None, validation_alias="S3_PUBLIC_ENDPOINT")
    agent_endpoint: Address | None = Field(None, validation_alias="S3_AGENT_ENDPOINT")
    bucket: BucketName = Field("slipway", validation_alias="S3_BUCKET")
    region: str = Field("us-east-1", validation_alias="S3_REGION")


def load_storage_settings(
    environment: Mapping[str, str], instance: Path, host: str, *, https: bool
) -> StorageSettings | None:
    """The bucket that the environment names, else the one that `make run` keeps in the instance folder, else None.
    `host` is where the app listens. Raises SettingsError."""
    if not environment.get("S3_ENDPOINT", "").strip():
        # Only then: its credentials do not belong to a storage that the environment names.
        environment = _embedded(instance) | {name: text for name, text in environment.items() if text.strip()}
    found = read_variables(StorageVariables, environment)
    if found.endpoint is None:
        return None
    if not found.access_key or not found.secret_key:
        keys = (("S3_ACCESS_KEY", found.access_key), ("S3_SECRET_KEY", found.secret_key))
        missing = " and ".join(name for name, value in keys if not value)
        raise SettingsError(f"S3_ENDPOINT is set but {missing} is not. Set it beside S3_ENDPOINT.")
    if bool(found.upload_access_key) != bool(found.upload_secret_key):
        names = ("S3_UPLOAD_ACCESS_KEY", "S3_UPLOAD_SECRET_KEY")
        given, missing = names if found.upload_access_key else reversed(names)
        raise SettingsError(f"{given} is set but {missing} is not. Set both, or neither (docs/storage.md).")
    public = found.public_endpoint or found.endpoint
    _check_public(public, host, https)
    return StorageSettings(
        endpoint=found.endpoint,
        access_key=found.access_key,
        secret_key=found.secret_key,
        bucket=found.bucket,
        region=found.region,
        public_endpoint=public,
        agent_endpoint=found.agent_endpoint or public,
        upload_access_key=found.upload_access_key,
        upload_secret_key=found.upload_secret_key,
    )


def _embedded(instance: Path) -> dict[str, str]:
    """The storage that `make run` keeps in the instance folder, so that `flask` commands find it too."""
    try:
        port = (instance / "storage" / "port").read_text().strip()
        root = json.loads((instance / "storage" / "credentials").read_text())
    except FileNotFoundError:
        return {}
    found = {
        "S3_ENDPOINT": f"http://127.0.0.1:{port}",
        "S3_ACCESS_KEY": root["accessKey"],
        "S3_SECRET_KEY": root["secretKey"],
    }
    with suppress(FileNotFoundError):  # an older version made the folder, and storage has not started in it since
        signer = json.loads((instance / "storage" / "upload-credentials").read_text())
        found |= {"S3_UPLOAD_ACCESS_KEY": signer["accessKey"], "S3_UPLOAD_SECRET_KEY": signer["secretKey"]}
    return found


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
