"""Reading one environment: every value typed and checked, every refusal in the same form.

A message names the variable, shows what it holds unless that may be secret, and says what to write instead.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from urllib.parse import SplitResult, urlsplit

from limits import parse_many
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
_MOST_DIGITS = 18  # more is no size of anything, and int() of thousands of digits is slow


class SettingsError(ValueError):
    """A setting that cannot be used; the text names the variable, what it holds and what to do."""


def parse_size(name: str, text: str) -> int:
    """`20G` -> bytes. Raises SettingsError naming the variable."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?\s*", text, re.IGNORECASE | re.ASCII)
    if not match or len(match[1]) > _MOST_DIGITS:
        raise SettingsError(f"{name}={text!r} is not a size. Write bytes, or a number with K, M, G or T, such as 20G.")
    return int(Decimal(match[1]) * _UNITS[match[2].upper()])


class Environment:
    """Typed access to the variables of one environment. Every method raises SettingsError; an empty variable is as good
    as none."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def text(self, name: str, default: str = "") -> str:
        return self._variables.get(name, "").strip() or default

    def words(self, name: str) -> tuple[str, ...]:
        return tuple(word.strip() for word in self.text(name).split(",") if word.strip())

    def matching(self, name: str, default: str, pattern: str, what: str) -> str:
        """A text that is wholly `pattern`; `what` says in words what it must be."""
        text = self.text(name, default)
        if not re.fullmatch(pattern, text, re.ASCII):
            raise SettingsError(f"{name}={text!r} {what}.")
        return text

    def number(self, name: str, default: int, least: int = 0, most: int | None = None) -> int:
        text = self.text(name, str(default))
        value = int(text) if re.fullmatch(r"\d{1,18}", text, re.ASCII) else -1
        if value < least or (most is not None and value > most):
            span = f"of at least {least:,}" if most is None else f"from {least:,} to {most:,}"
            raise SettingsError(f"{name}={text!r} must be a whole number {span}.")
        return value

    def seconds(self, name: str, default: float, *, zero: bool = True) -> float:
        text = self.text(name, str(default))
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or value < 0 or (value == 0 and not zero):
            raise SettingsError(f"{name}={text!r} must be a number of seconds{'' if zero else ' above 0'}.")
        return value

    def size(self, name: str, default: str, *, zero: bool = True) -> int:
        text = self.text(name, default)
        value = parse_size(name, text)
        if value == 0 and not zero:
            raise SettingsError(f"{name}={text!r} would let nothing through. Write a size above 0, such as 20G.")
        return value

    def switch(self, name: str, default: bool) -> bool:
        text = self.text(name, "on" if default else "off").lower()
        if text not in {"on", "off", "1", "0", "true", "false", "yes", "no"}:
            raise SettingsError(f"{name}={text!r} must be on or off.")
        return text in {"on", "1", "true", "yes"}

    def rate(self, name: str, default: str) -> str:
        text = self.text(name, default)
        try:
            rates = parse_many(text)
        except ValueError:
            rates = []
        if len(rates) != 1 or rates[0].amount < 1:
            raise SettingsError(f"{name}={text!r} is not a rate. Write one such as `100 per minute`.")
        return text

    def address(self, name: str, default: str = "") -> str | None:
        """Scheme, host and perhaps a port; None when neither the variable nor a default says anything."""
        text = self.text(name, default)
        if not text:
            return None
        parts = _http(text)
        if parts is None or parts.path not in {"", "/"} or parts.query or parts.fragment or "@" in parts.netloc:
            shown = "" if "@" in text else f"={text!r}"
            raise SettingsError(f"{name}{shown} must be an address such as https://s3.example.org, without a path.")
        return text.rstrip("/")

    def base(self, name: str, https: bool) -> str | None:
        """An address that other paths are written behind, such as a CDN's; a path of its own is fine."""
        text = self.text(name)
        if not text:
            return None
        parts = _http(text)
        if parts is None or parts.query or parts.fragment:
            raise SettingsError(f"{name}={text!r} must be an address such as https://cdn.example.org, without a query.")
        if https and parts.scheme == "http":
            raise SettingsError(f"The app is served over https but {name}={text} is plain http, which browsers refuse.")
        return text.rstrip("/")

    def origins(self, name: str) -> tuple[str, ...]:
        """Origins as browsers send them: scheme, host and perhaps a port, in lower case. `*` is none."""
        return tuple(_origin(name, text.rstrip("/")) for text in self.words(name))

    def hosts(self, name: str) -> tuple[str, ...]:
        """Host names without scheme or path, in lower case and without ports; one that begins with a dot stands for all
        names below it too."""
        return tuple(_host(name, word) for word in self.words(name))

    def database(self, name: str, default: str) -> str:
        """The address of an SQLite file or a Postgres database, with the driver that is installed."""
        # The bare scheme would pick psycopg2, which is not.
        text = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", self.text(name, default))
        try:
            url = make_url(text)
        except ArgumentError:
            url = None
        if url is None or (url.drivername, url.database or "") in {("sqlite", ""), ("sqlite", ":memory:")}:
            raise _no_database(name)
        if url.drivername not in {"sqlite", "postgresql+psycopg"}:
            raise _no_database(name)
        return text

    def redis(self, name: str) -> str | None:
        text = self.text(name)
        if text and not re.match(r"rediss?://[^/]", text):  # the text is not shown: it may hold a password
            raise SettingsError(f"{name} must begin with redis:// or rediss:// and name a host.")
        return text or None


def host_in(text: str) -> str | None:
    """The host of a Host header or of such a setting (`name`, `name:port`, `[::1]:port`) as it is compared: lower case,
    in ASCII, without port, brackets and the dot at its end. None for what is no host."""
    found = re.fullmatch(r"(\[[0-9a-f:.]+\]|[^\s:/@\[\]]+)(?::\d{1,5})?", text.lower())
    if not found:
        return None
    try:
        name = found[1] if found[1].isascii() else found[1].encode("idna").decode()
    except UnicodeError:
        return None
    return name.strip("[]").removesuffix(".") or None


def _http(text: str) -> SplitResult | None:
    try:
        parts = urlsplit(text)
        named = parts.hostname and parts.port != 0  # reading the port checks it
    except ValueError:
        return None
    return parts if named and parts.scheme in {"http", "https"} else None


def _origin(name: str, text: str) -> str:
    parts = _http(text)
    if parts is None or text.lower() != f"{parts.scheme}://{parts.netloc}".lower():
        raise SettingsError(
            f"{name} holds {text!r}, which is not an origin. Name each as https://studio.example.org, "
            "without a path, with commas between them."
        )
    return text.lower()


def _host(name: str, word: str) -> str:
    host = host_in(word.removeprefix("."))
    if host is None or "*" in host:
        raise SettingsError(
            f"{name} holds {word!r}, which is not a host name. Name each as slipway.example.org, without a scheme or "
            "path, with commas between them; .example.org stands for all names below it too."
        )
    return f".{host}" if word.startswith(".") else host


def _no_database(name: str) -> SettingsError:
    return SettingsError(
        f"{name} names no database that can be used (it is not shown: it may hold a password). Write "
        "postgresql://user:password@host/database, or sqlite:////path/to/file.db, or leave it out."
    )
