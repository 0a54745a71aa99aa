"""What a caller wants a component to be: one entry of an upsert."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class WantedComponent:
    """One upsert. `fields` holds what was named of `parent_external_key`, `width_mm` and `height_mm`; what is not in it
    stays. `faces`: side → key of a confirmed asset; sides that are not in it stay. `where` leads its messages. `new`:
    it must not be there yet."""

    kind: str
    name: str
    external_key: str
    fields: Mapping[str, Any]
    faces: Mapping[str, str]
    where: str = ""
    new: bool = False
