"""API keys: made, recognised, revoked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select

from app.database import writing
from app.extensions import db
from app.models import ApiKey, App, Partner, now
from app.models.partner import SCOPES
from app.partners.actors import Actor
from app.partners.audit import record
from app.partners.secrets import fingerprint, hint, new_secret
from app.refusals import Forbidden, InvalidRequest, Unauthorized

# Writing "last used" on every call would make every read a write.
LAST_USED_EVERY = timedelta(minutes=1)


def create_key(partner: Partner, app_name: str, scopes: Sequence[str], actor: Actor) -> tuple[ApiKey, str]:
    """A key for an app of the partner (made if there is none of that name) and its text, which is shown once."""
    app_name = app_name.strip()
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise InvalidRequest(f"A key's scopes are some of {', '.join(SCOPES)}.", {"scopes": "unknown or none"})
    if not 1 <= len(app_name) <= 100:
        raise InvalidRequest("The app's name must have 1 to 100 characters.", {"app": "1 to 100 characters"})
    secret = new_secret("pp")
    partner_id = partner.id
    with writing() as session:
        app = session.scalar(select(App).where(App.partner_id == partner_id, App.name == app_name))
        if app is None:
            app = App(partner_id=partner_id, name=app_name)
            session.add(app)
            session.flush()
        key = ApiKey(
            app=app, secret_hash=fingerprint(secret), hint=hint(secret), scopes=list(scopes), created_by=actor.name
        )
        session.add(key)
        record(session, actor, "key.created", f"{app_name} · {key.hint}", partner_id=partner_id, scopes=list(scopes))
    return key, secret


def authenticate(secret: str | None) -> ApiKey:
    """The living key with this text. Raises Unauthorized."""
    if not secret:
        raise Unauthorized("No API key was sent. Send it as `Authorization: Bearer pp_…`.")
    key = db.session.scalar(select(ApiKey).where(ApiKey.secret_hash == fingerprint(secret)))
    if key is None:
        raise Unauthorized("This API key is not known here. Make one in the dashboard under Settings, API keys.")
    if key.revoked_at or (key.expires_at and key.expires_at <= now()):
        raise Unauthorized(f"The key {key.hint} was revoked or has expired. Make a new one in the dashboard.")
    return key


def note_use(key: ApiKey) -> None:
    """Remember when the key was last used, to the minute."""
    if key.last_used_at is None or now() - key.last_used_at > LAST_USED_EVERY:
        with writing():
            key.last_used_at = now()


def require_scope(key: ApiKey, scope: str) -> None:
    """Raises Forbidden when the key was not made for this."""
    if scope not in key.scopes:
        raise Forbidden(
            f"The key {key.hint} has the scopes {', '.join(key.scopes)}; this call needs '{scope}'. "
            "Make a key with that scope."
        )


def revoke_key(key: ApiKey, actor: Actor) -> None:
    """End a key now. Revoking it again changes nothing."""
    with writing() as session:
        if key.revoked_at is None:
            key.revoked_at = now()
            record(session, actor, "key.revoked", f"{key.app.name} · {key.hint}", partner_id=key.app.partner_id)
