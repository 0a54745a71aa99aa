"""What somebody typed into a form that was not accepted: it is kept, so that they can send it again.

Passwords are never kept. A sealed value is signed, so that a page of another site cannot put fields into the form that
is sent after signing in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import current_app, request
from itsdangerous import BadSignature, URLSafeTimedSerializer

from app.web.frame.current_user import local_address

MAX_AGE = 3600  # seconds between the form and the sign-in
MAX_CHARACTERS = 100_000  # of all names and values together; the sealed value must fit into a form

_NOT_KEPT = {"csrf_token", "typed"}


@dataclass(frozen=True)
class TypedFields:
    """`address`: where the form is sent. `fields`: (name, value), in the order of the form. `had_files`: the form had
    files, which cannot be kept."""

    address: str
    fields: Sequence[tuple[str, str]]
    had_files: bool = False

    @property
    def shown(self) -> list[tuple[str, str]]:
        """(label, value) of the fields that have a value."""
        return [(name.replace("_", " ").capitalize(), value) for name, value in self.fields if value.strip()]


def is_secret(name: str) -> bool:
    """Whether a form field with this name is never kept."""
    return "password" in name


def typed_fields() -> TypedFields | None:
    """The fields of the current request's form; None if there are none, too many, or the form is from another site."""
    if request.method != "POST" or not _is_from_here():
        return None
    fields = [(name, value) for name, value in request.form.items(multi=True) if _is_kept(name)]
    if not fields or sum(len(name) + len(value) for name, value in fields) > MAX_CHARACTERS:
        return None
    return TypedFields(request.full_path.rstrip("?"), fields, bool(request.files))


def _is_kept(name: str) -> bool:
    return name not in _NOT_KEPT and not is_secret(name)


def _is_from_here() -> bool:
    """Browsers name the site of the form's page in one of two headers. Our Referrer-Policy makes `Origin` null."""
    origin = request.headers.get("Origin", "null")
    return (
        origin in {"null", request.host_url.rstrip("/")}
        and request.headers.get("Sec-Fetch-Site", "same-origin") == "same-origin"
    )


def seal(typed: TypedFields) -> str:
    """The fields as text for a hidden field."""
    return str(_serializer().dumps([typed.address, list(typed.fields), typed.had_files]))


def unseal(text: str) -> TypedFields | None:
    """The fields in a sealed text; None if it is not ours or older than MAX_AGE."""
    try:
        address, fields, had_files = _serializer().loads(text, max_age=MAX_AGE)
    except BadSignature:
        return None
    if not local_address(address, ""):
        return None
    return TypedFields(address, [(name, value) for name, value in fields], had_files)


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.config["SECRET_KEY"], salt="typed-fields")
