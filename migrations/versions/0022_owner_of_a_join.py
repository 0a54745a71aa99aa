"""The confirm that makes the object of a staged image has a token of its own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("staged_assets", sa.Column("joiner", sa.String(length=40), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("staged_assets") as batch:
        batch.drop_column("joiner")
