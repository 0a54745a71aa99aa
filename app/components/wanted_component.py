"""One entry of an upsert of components."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class WantedComponent:
    """One upsert. `fields` holds the given ones of `parent_external_key`, `width_mm` and `height_mm`; others stay.
    `faces`: side → key of a confirmed asset; other sides stay. `where` is the prefix of its error messages. `new`: it
    must not exist yet."""

    kind: str
    name: str
    external_key: str
    fields: Mapping[str, Any]
    faces: Mapping[str, str]
    where: str = ""
    new: bool = False
