"""Indexes in the order in which lists are read."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_ADDED = (
    ("games", ("partner_id", "created_at", "id")),
    ("games", ("partner_id", "updated_at", "id")),
    ("replicas", ("build_id", "phase")),
    ("audit_entries", ("partner_id", "id")),
    ("audit_entries", ("game_id", "id")),
    ("audit_entries", ("game_id", "action", "id")),
    ("releases", ("game_id", "id")),
)
# The beginnings of those above.
_REPLACED = (
    ("games", "partner_id"),
    ("replicas", "build_id"),
    ("audit_entries", "partner_id"),
    ("audit_entries", "game_id"),
    ("releases", "game_id"),
)


def upgrade() -> None:
    for table, columns in _ADDED:
        op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))
    for table, column in _REPLACED:
        op.drop_index(f"ix_{table}_{column}", table_name=table)


def downgrade() -> None:
    for table, column in _REPLACED:
        op.create_index(f"ix_{table}_{column}", table, [column])
    for table, columns in _ADDED:
        op.drop_index(f"ix_{table}_{'_'.join(columns)}", table_name=table)
