"""Where the bucket is, and with whose credentials it is spoken to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from app.config.environment import SettingsError as SettingsError  # whoever loads settings catches it


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
    # The identity that signs addresses for writing; None where the first one does that too.
    upload_access_key: str | None = None
    upload_secret_key: str | None = field(default=None, repr=False)

    @property
    def upload_signer(self) -> StorageSettings:
        """The same storage, as the identity that signs addresses for writing."""
        if self.upload_access_key is None or self.upload_secret_key is None:
            return self
        return replace(self, access_key=self.upload_access_key, secret_key=self.upload_secret_key)
