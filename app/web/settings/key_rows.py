"""API keys as rows of the keys page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from app.data.models.base import now
from app.data.models.partner import ApiKey, App
from app.web.frame.formats import Moment, Phrase

_NEW_KEY_AGE = timedelta(days=7)
_ENDS_SOON = timedelta(days=14)
_NEVER: Phrase = ("Never",)


@dataclass(frozen=True)
class KeyLine:
    """One key. `used`: its last use. `ends_soon`: whether it needs a successor now; `rolled`: whether it has one."""

    id: str
    name: str
    hint: str
    scopes: Sequence[str]
    created: Moment
    used: Phrase
    expires: Phrase
    ends_soon: bool
    rolled: bool


@dataclass(frozen=True)
class AppKeys:
    id: str
    name: str
    description: str
    keys: Sequence[KeyLine]


@dataclass(frozen=True)
class NewKey:
    """A key that was just made, with its secret, which is shown only in this response. `old` is the key it replaces."""

    key: ApiKey
    secret: str
    old: ApiKey | None = None

    @property
    def note(self) -> Phrase:
        scopes = f"Scopes: {', '.join(self.key.scopes)}."
        if self.key.expires_at:
            ends: Phrase = (f"{scopes} It expires on ", Moment(self.key.expires_at, "day"), ".")
        else:
            ends = (scopes,)
        if self.old is None or self.old.expires_at is None:
            return ends
        return (*ends, f" The old key {self.old.hint} works until ", Moment(self.old.expires_at, "coming"), ".")


def app_keys(app: App, keys: Sequence[ApiKey]) -> AppKeys:
    """An app with its keys."""
    return AppKeys(app.id, app.name, app.description, [_line(key) for key in keys])


def _line(key: ApiKey) -> KeyLine:
    name, expires, ends_soon = key.name or "Unnamed", _NEVER, False
    if key.expires_at:
        ends_soon = key.expires_at - now() < _ENDS_SOON
        expires = (Moment(key.expires_at, "end" if ends_soon else "day"),)
    if key.rolled:
        name = f"{name}, old"
    created = Moment(key.created_at, "made")
    return KeyLine(key.id, name, key.hint, key.scopes, created, _last_use(key), expires, ends_soon, key.rolled)


def _last_use(key: ApiKey) -> Phrase:
    if key.last_used_at:
        return (Moment(key.last_used_at, "recent"),)
    return ("Not used yet" if now() - key.created_at < _NEW_KEY_AGE else "Never used",)
