"""A signed request with which `flask doctor` finds out what the app sees of a client behind the proxies."""

from __future__ import annotations

from itsdangerous import BadSignature, URLSafeTimedSerializer

HEADER = "X-Slipway-Doctor"
PATH = "/doctor/request"
_SECONDS = 60


def probe_signature(secret_key: str) -> str:
    """The value of HEADER. It is valid for a minute."""
    return _serializer(secret_key).dumps("what do you see?")


def is_probe(secret_key: str, signature: str) -> bool:
    """Whether a program with the same secret signed it within the last minute."""
    try:
        _serializer(secret_key).loads(signature, max_age=_SECONDS)
    except BadSignature:
        return False
    return True


def _serializer(secret_key: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(secret_key, salt="slipway-doctor")
