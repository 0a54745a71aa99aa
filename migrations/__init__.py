"""Alembic's scripts, installed with the portal."""
