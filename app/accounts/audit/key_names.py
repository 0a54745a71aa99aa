"""The names of the keys that entries of the audit log have as actor or as subject.

An entry stores a key as "CI · pp_8fK2…x9Qd": its app and its hint. People know it by its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import select

from app.data.database import in_batches
from app.data.extensions import db
from app.data.models.partner import ApiKey, App

_BEFORE_HINT = " · "
# (partner id, hint) -> name, of keys that have one, also of those that no longer work.
KeyNames = Mapping[tuple[str | None, str], str]


@dataclass(frozen=True)
class KeyText:
    """`text`: as stored, or "CI · Nightly builds" for a key with a name. `hint`: of that key, or ""."""

    text: str
    hint: str = ""


def hint_in(stored: str) -> str:
    """The hint at the end of "CI · pp_8fK2…x9Qd", or ""."""
    _, dot, hint = stored.rpartition(_BEFORE_HINT)
    return hint if dot and hint.startswith("pp_") else ""


def key_names(stored: Iterable[tuple[str | None, str]]) -> KeyNames:
    """The names of the keys in some texts of entries, as (partner id, text). One query per 5,000 keys."""
    found: dict[tuple[str | None, str], str] = {}
    for batch in in_batches(sorted({hint for _, text in stored if (hint := hint_in(text))})):
        query = select(App.partner_id, ApiKey.hint, ApiKey.name).join(ApiKey.app)
        rows = db.session.execute(query.where(ApiKey.hint.in_(batch), ApiKey.name != ""))
        found |= {(partner_id, hint): name for partner_id, hint, name in rows}
    return found


def key_text(partner_id: str | None, stored: str, names: KeyNames) -> KeyText:
    """A text of an entry of this partner, as people read it."""
    hint = hint_in(stored)
    name = names.get((partner_id, hint)) if hint else None
    return KeyText(f"{stored.removesuffix(hint)}{name}", hint) if name else KeyText(stored)
