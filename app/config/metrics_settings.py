"""The types of the settings of /metrics."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator

from app.config.hosts import is_loopback

MAX_PORTS = 64


@dataclass(frozen=True)
class ListenRange:
    """An address with the ports `first` to `last`. Each process takes the first free one."""

    host: str
    first: int
    last: int

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)


def _listen_range(text: str) -> ListenRange:
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+):(\d{1,5})(?:-(\d{1,5}))?", text, re.ASCII)
    first, last = (int(found[2]), int(found[3] or found[2])) if found else (0, 0)
    if found is None or not 1 <= first <= last <= 65535 or last - first >= MAX_PORTS:
        raise ValueError(
            f"={text!r} must be an address with a port or up to {MAX_PORTS} ports, such as 127.0.0.1:9101-9104."
        )
    return ListenRange(found[1].strip("[]"), first, last)


def _token(text: str) -> str:
    if not re.fullmatch(r"[\x21-\x7e]{16,200}", text):
        raise ValueError(" must have 16 to 200 letters, digits or signs, without spaces (it is not shown).")
    return text


MetricsListen = Annotated[ListenRange, BeforeValidator(_listen_range)]
MetricsToken = Annotated[str, BeforeValidator(_token)]
