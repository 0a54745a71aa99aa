"""The types of settings: what each kind of variable may hold.

Every parser takes the text of a variable and returns its value. It raises ValueError with the end of a sentence that
begins with the variable's name; `app/config/settings.py` adds the name. No text that may hold a password is shown.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Annotated, TypeVar
from urllib.parse import SplitResult, urlsplit

from limits import parse_many
from pydantic import BeforeValidator, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
_MAX_DIGITS = 18  # a longer number is no real size, and int() of thousands of digits is slow


class SettingsError(ValueError):
    """A setting that cannot be used. The text names the variable, what it holds and what to do."""


def parse_size(text: str) -> int:
    """`20G` -> bytes."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", text, re.IGNORECASE | re.ASCII)
    if not match or len(match[1]) > _MAX_DIGITS:
        raise ValueError(f"={text!r} is not a size. Write bytes, or a number with K, M, G or T, such as 20G.")
    return int(Decimal(match[1]) * _UNITS[match[2].upper()])


def _positive_size(text: str) -> int:
    size = parse_size(text)
    if size == 0:
        raise ValueError(f"={text!r} would let nothing through. Write a size above 0, such as 20G.")
    return size


def parse_number(text: str, minimum: int = 0, maximum: int | None = None) -> int:
    """Decimal digits alone: int() and pydantic also accept `1_000`, `+5` and `1.0`."""
    value = int(text) if re.fullmatch(rf"\d{{1,{_MAX_DIGITS}}}", text, re.ASCII) else -1
    if value < minimum or (maximum is not None and value > maximum):
        span = f"of at least {minimum:,}" if maximum is None else f"from {minimum:,} to {maximum:,}"
        raise ValueError(f"={text!r} must be a whole number {span}.")
    return value


def whole_number(minimum: int = 0, maximum: int | None = None) -> BeforeValidator:
    return BeforeValidator(partial(parse_number, minimum=minimum, maximum=maximum))


def matching(pattern: str, complaint: str) -> BeforeValidator:
    """A text that matches all of `pattern`."""

    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError(f"={text!r} {complaint}.")
        return text

    return BeforeValidator(parse)


def _seconds(text: str) -> float:
    value = _float(text)
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"={text!r} must be a number of seconds.")
    return value


def _positive_seconds(text: str) -> float:
    value = _float(text)
    if not math.isfinite(value) or value <= 0:
        raise ValueError(f"={text!r} must be a number of seconds above 0.")
    return value


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _switch(text: str) -> bool:
    if text.lower() not in {"on", "off", "1", "0", "true", "false", "yes", "no"}:
        raise ValueError(f"={text.lower()!r} must be on or off.")
    return text.lower() in {"on", "1", "true", "yes"}


def _rate(text: str) -> str:
    try:
        rates = parse_many(text)
    except ValueError:
        rates = []
    if len(rates) != 1 or rates[0].amount < 1:
        raise ValueError(f"={text!r} is not a rate. Write one such as `100 per minute`.")
    return text


def _address(text: str) -> str:
    parts = _http(text)
    if parts is None or parts.path not in {"", "/"} or parts.query or parts.fragment or "@" in parts.netloc:
        shown = "" if "@" in text else f"={text!r}"
        raise ValueError(f"{shown} must be an address such as https://s3.example.org, without a path.")
    return text.rstrip("/")


def _address_prefix(text: str) -> str:
    parts = _http(text)
    if parts is None or parts.query or parts.fragment:
        raise ValueError(f"={text!r} must be an address such as https://cdn.example.org, without a query.")
    return text.rstrip("/")


def _http(text: str) -> SplitResult | None:
    try:
        parts = urlsplit(text)
        named = parts.hostname and parts.port != 0  # reading the port checks it
    except ValueError:
        return None
    return parts if named and parts.scheme in {"http", "https"} else None


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _origins(text: str) -> tuple[str, ...]:
    return tuple(_origin(word.rstrip("/")) for word in _words(text))


def _origin(word: str) -> str:
    parts = _http(word)
    if parts is None or word.lower() != f"{parts.scheme}://{parts.netloc}".lower():
        raise ValueError(
            f" holds {word!r}, which is not an origin. Name each as https://studio.example.org, without a path, with "
            "commas between them."
        )
    return word.lower()


def _hosts(text: str) -> tuple[str, ...]:
    return tuple(_host(word) for word in _words(text))


def _host(word: str) -> str:
    host = host_in(word.removeprefix("."))
    if host is None or "*" in host:
        raise ValueError(
            f" holds {word!r}, which is not a host name. Name each as slipway.example.org, without a scheme or path, "
            "with commas between them; .example.org stands for all names below it too."
        )
    return f".{host}" if word.startswith(".") else host


def host_in(text: str) -> str | None:
    """The host in `name`, `name:port` or `[::1]:port`, in the form in which hosts are compared: lower case, ASCII,
    without port, brackets and trailing dot. None when the text is not a host."""
    found = re.fullmatch(r"(\[[0-9a-f:.]+\]|[^\s:/@\[\]]+)(?::\d{1,5})?", text.lower())
    if not found:
        return None
    try:
        name = found[1] if found[1].isascii() else found[1].encode("idna").decode()
    except UnicodeError:
        return None
    return name.strip("[]").removesuffix(".") or None


def _database(text: str) -> str:
    # The bare scheme would pick psycopg2, which is not installed.
    text = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", text)
    try:
        url = make_url(text)
    except ArgumentError:
        url = None
    in_memory = url is not None and (url.drivername, url.database or "") in {("sqlite", ""), ("sqlite", ":memory:")}
    if url is None or in_memory or url.drivername not in {"sqlite", "postgresql+psycopg"}:
        raise ValueError(
            " names no database that can be used (it is not shown: it may hold a password). Write "
            "postgresql://user:password@host/database, or sqlite:////path/to/file.db, or leave it out."
        )
    return text


def _redis(text: str) -> str:
    if not re.match(r"rediss?://[^/]", text):  # the text is not shown: it may hold a password
        raise ValueError(" must begin with redis:// or rediss:// and name a host.")
    return text


Size = Annotated[int, BeforeValidator(parse_size)]
PositiveSize = Annotated[int, BeforeValidator(_positive_size)]
Count = Annotated[int, whole_number()]
Seconds = Annotated[float, BeforeValidator(_seconds)]
PositiveSeconds = Annotated[float, BeforeValidator(_positive_seconds)]
Switch = Annotated[bool, BeforeValidator(_switch)]
# Of Flask-Limiter, such as `100 per minute`; one rate alone.
Rate = Annotated[str, BeforeValidator(_rate)]
# Scheme, host and perhaps a port.
Address = Annotated[str, BeforeValidator(_address)]
# An address that other paths are appended to, such as a CDN's. It may have a path.
AddressPrefix = Annotated[str, BeforeValidator(_address_prefix)]
# Origins as browsers send them: scheme, host and perhaps a port, in lower case. `*` is not accepted.
Origins = Annotated[tuple[str, ...], BeforeValidator(_origins)]
# Host names without scheme, path and port, in lower case. One that begins with a dot stands for all names below it too.
Hosts = Annotated[tuple[str, ...], BeforeValidator(_hosts)]
# The address of an SQLite file or a Postgres database, with the installed driver.
DatabaseAddress = Annotated[str, BeforeValidator(_database)]
RedisAddress = Annotated[str, BeforeValidator(_redis)]


class Variables(BaseSettings):
    """Settings whose `validation_alias` is the name of the environment variable. Frozen."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True, validate_default=False)

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: object, **__: object
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The mapping that `read_variables` got is the only source."""
        return (init_settings,)


V = TypeVar("V", bound=Variables)


def read_variables(kind: type[V], environment: Mapping[str, str]) -> V:
    """Read and check the variables that `kind` declares. An empty variable counts as missing. Raises SettingsError for
    the first variable that cannot be used."""
    names = {field.validation_alias for field in kind.model_fields.values()}
    given = {name: text.strip() for name, text in environment.items() if name in names and text.strip()}
    try:
        return kind(**given)
    except ValidationError as error:
        refusal = _refusal(error.errors()[0])
    raise refusal  # outside of the handler: the library's error holds the values


def _refusal(error: ErrorDetails) -> SettingsError:
    cause = error["ctx"]["error"]
    return cause if isinstance(cause, SettingsError) else SettingsError(f"{error['loc'][0]}{cause}")
