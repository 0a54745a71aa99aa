"""API keys: create, authenticate, roll, revoke."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from app.accounts.actors import Actor
from app.accounts.audit_log import record
from app.accounts.display_names import checked_name
from app.accounts.partners import DASHBOARD_APP
from app.accounts.secrets import fingerprint, hint, new_secret
from app.data.database import announce, writing
from app.data.extensions import db
from app.data.models.base import now
from app.data.models.partner import SCOPES, ApiKey, App, Partner
from app.refusals import Conflict, Forbidden, InvalidRequest, NotFound, Unauthorized
from app.topics.names import KEYS_TOPIC

ROLL_OVERLAP = timedelta(hours=24)
MAX_LIFETIME_DAYS = 3650


def create_key(
    partner: Partner,
    app_name: str,
    scopes: Sequence[str],
    actor: Actor,
    name: str = "",
    lifetime_days: int | None = None,
) -> tuple[ApiKey, str]:
    """A key for an app of the partner (made if no app has this name), and its text, which is shown once. It expires
    after `lifetime_days`, or never."""
    app_name = checked_name(app_name, 100, "The app's name", "app")
    name = checked_name(name, 100, "The key's name", min_length=0)
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise InvalidRequest(f"A key's scopes are some of {', '.join(SCOPES)}.", {"scopes": "unknown or none"})
    scopes = [scope for scope in SCOPES if scope in scopes]  # each once, in one order
    if lifetime_days is not None and not 1 <= lifetime_days <= MAX_LIFETIME_DAYS:
        raise InvalidRequest(
            f"A key expires after 1 to {MAX_LIFETIME_DAYS:,} days, or never.", {"expires": "out of range"}
        )
    made_at, secret = now(), new_secret("pp")
    partner_id = partner.id
    with writing() as session:
        _lock_names(session, partner_id)
        app = session.scalar(select(App).where(App.partner_id == partner_id, App.name == app_name))
        if app is None:
            app = App(partner_id=partner_id, name=app_name)
            session.add(app)
            session.flush()
        key = ApiKey(
            app=app,
            name=name,
            secret_hash=fingerprint(secret),
            hint=hint(secret),
            scopes=scopes,
            created_by=actor.name,
            created_at=made_at,
            expires_at=made_at + timedelta(days=lifetime_days) if lifetime_days else None,
        )
        session.add(key)
        record(session, actor, "key.created", f"{app_name} · {key.hint}", partner_id=partner_id, scopes=scopes)
    return key, secret


def authenticate(secret: str | None) -> ApiKey:
    """The active key with this text. Raises Unauthorized."""
    if not secret:
        raise Unauthorized("No API key was sent. Send it as `Authorization: Bearer pp_…`.")
    key = db.session.scalar(select(ApiKey).where(ApiKey.secret_hash == fingerprint(secret)))
    if key is None:
        raise Unauthorized("This API key is unknown. Create one in the dashboard under Settings, API keys.")
    if key.revoked_at:
        raise Unauthorized(f"The key {key.hint} was revoked. {_MAKE_ANOTHER}")
    if key.expires_at and key.expires_at <= now():
        why = "was rolled, and its overlap has ended" if key.rolled else "has expired"
        raise Unauthorized(f"The key {key.hint} {why}: it worked until {_in_utc(key.expires_at)}. {_MAKE_ANOTHER}")
    return key


_MAKE_ANOTHER = "Create another in the dashboard under Settings, API keys."


def _in_utc(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


class ScopedKey(Protocol):
    """The part of a key that a check of its scopes needs."""

    @property
    def hint(self) -> str: ...
    @property
    def scopes(self) -> Sequence[str]: ...


def require_scope(key: ScopedKey, scope: str) -> None:
    """Raises Forbidden if the key lacks this scope."""
    if scope not in key.scopes:
        noun = "scope" if len(key.scopes) == 1 else "scopes"
        raise Forbidden(
            f"The key {key.hint} has the {noun} {', '.join(key.scopes)}; this call needs '{scope}'. "
            "Create a key with that scope."
        )


def roll_key(key: ApiKey, actor: Actor, overlap: timedelta = ROLL_OVERLAP) -> tuple[ApiKey, str]:
    """A new key like this one, with the same lifetime, and its text, shown once. The old key works for `overlap`
    longer, but not beyond its own end, so that nothing stops while clients change to the new one. Raises Conflict for
    a key that was revoked, rolled or has expired."""
    made_at, secret, key_id = now(), new_secret("pp"), key.id
    with writing() as session:
        # Rolling twice at the same moment must not make two keys: lock the row first, then read it.
        session.execute(select(ApiKey.id).where(ApiKey.id == key_id).with_for_update())
        if key.revoked_at or key.rolled:
            raise Conflict(f"The key {key.hint} was revoked or rolled already. Create a new key instead.")
        if key.expires_at and key.expires_at <= made_at:
            raise Conflict(f"The key {key.hint} has expired. Create a new key instead.")
        lifetime = key.expires_at - key.created_at if key.expires_at else None
        key.expires_at = end_after_roll(key, made_at, overlap)
        key.rolled = True
        announce(KEYS_TOPIC)
        new = ApiKey(
            app=key.app,
            name=key.name,
            secret_hash=fingerprint(secret),
            hint=hint(secret),
            scopes=list(key.scopes),
            created_by=actor.name,
            created_at=made_at,
            expires_at=made_at + lifetime if lifetime else None,
        )
        session.add(new)
        record(
            session, actor, "key.rolled", f"{key.app.name} · {key.hint}", partner_id=key.app.partner_id, new=new.hint
        )
    return new, secret


def end_after_roll(key: ApiKey, at: datetime, overlap: timedelta = ROLL_OVERLAP) -> datetime:
    """Until when the key works if it is rolled at `at`. A roll never makes a key's life longer."""
    end = at + overlap
    return min(end, key.expires_at) if key.expires_at else end


def is_active() -> ColumnElement[bool]:
    """Whether a key works: it was not revoked and has not expired."""
    return and_(ApiKey.revoked_at.is_(None), or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now()))


def apps_of(partner: Partner) -> list[tuple[App, list[ApiKey]]]:
    """Every app of a partner with its active keys, newest first. Two queries."""
    apps = db.session.scalars(select(App).where(App.partner_id == partner.id).order_by(App.created_at)).all()
    keys = db.session.scalars(
        select(ApiKey)
        .where(ApiKey.app_id.in_([app.id for app in apps]), is_active())
        .order_by(ApiKey.created_at.desc())
    ).all()
    return [(app, [key for key in keys if key.app_id == app.id]) for app in apps]


def key_of(partner: Partner, key_id: str) -> ApiKey:
    """A key of this partner. Raises NotFound (also for another partner's)."""
    key = db.session.get(ApiKey, key_id)
    if key is None or key.app.partner_id != partner.id:
        raise NotFound("This key does not exist.")
    return key


def app_of(partner: Partner, app_id: str) -> App:
    """An app of this partner. Raises NotFound (also for another partner's)."""
    app = db.session.get(App, app_id)
    if app is None or app.partner_id != partner.id:
        raise NotFound("This app does not exist.")
    return app


def create_app(partner: Partner, name: str, description: str, actor: Actor) -> App:
    """An app that can own keys. Raises InvalidRequest, or Conflict when the name is taken."""
    name, description = _checked_names(name, description)
    partner_id = partner.id
    with writing() as session:
        _lock_names(session, partner_id)
        if session.scalar(select(App).where(App.partner_id == partner_id, App.name == name)):
            raise Conflict(f"There is an app named '{name}' already. Choose another name.")
        app = App(partner_id=partner_id, name=name, description=description)
        session.add(app)
        session.flush()
        record(session, actor, "app.created", name, partner_id=partner_id, app=app.id)
    return app


def rename_app(partner: Partner, app_id: str, name: str, description: str, actor: Actor) -> App:
    """Raises NotFound, InvalidRequest, or Conflict when the name is taken or the app is built in."""
    name, description = _checked_names(name, description)
    partner_id = partner.id
    with writing() as session:
        _lock_names(session, partner_id)
        app = app_of(partner, app_id)
        if app.name == DASHBOARD_APP:
            raise Conflict(f"'{DASHBOARD_APP}' is built in and cannot be renamed: it owns what members upload.")
        other = session.scalar(select(App).where(App.partner_id == partner_id, App.name == name))
        if other is not None and other.id != app.id:
            raise Conflict(f"There is an app named '{name}' already. Choose another name.")
        app.name, app.description = name, description
        announce(KEYS_TOPIC)
        record(session, actor, "app.renamed", name, partner_id=partner_id, app=app.id)
    return app


def _lock_names(session: Session, partner_id: str) -> None:
    # Locked until the transaction ends, so that two apps cannot get the same name at the same moment.
    session.get_one(Partner, partner_id, with_for_update={"key_share": True})


def _checked_names(name: str, description: str) -> tuple[str, str]:
    description = checked_name(description, 200, "The description", "description", min_length=0)
    return checked_name(name, 100, "The app's name"), description


def revoke_key(key: ApiKey, actor: Actor) -> None:
    """End a key now. Revoking it again changes nothing."""
    with writing() as session:
        if key.revoked_at is None:
            key.revoked_at = now()
            announce(KEYS_TOPIC)
            record(session, actor, "key.revoked", f"{key.app.name} · {key.hint}", partner_id=key.app.partner_id)
