"""The studio's own name for a build, such as "1.4.2"."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_TABLES = ("builds", "uploads")


def upgrade() -> None:
    for table in _TABLES:
        op.add_column(table, sa.Column("version_label", sa.String(length=100), nullable=True))


def downgrade() -> None:
    for table in _TABLES:
        with op.batch_alter_table(table) as batch:
            batch.drop_column("version_label")
