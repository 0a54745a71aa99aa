"""A game of Starlight's, spoken to through the domain and through its app."""

from __future__ import annotations

from tests.app.api.v1.conftest import studio

__all__ = ["studio"]
