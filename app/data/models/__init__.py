"""The tables, one file per aggregate. Importing this package loads every table into the metadata."""

from app.data.models import asset, audit_record, base, component, game, pack, partner, server, upload

__all__ = ["asset", "audit_record", "base", "component", "game", "pack", "partner", "server", "upload"]
