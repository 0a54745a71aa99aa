"""A pack that a server could not use is checked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("build_packs", sa.Column("suspected", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("build_packs", sa.Column("checked_at", sa.DateTime(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("build_packs") as batch:
        batch.drop_column("checked_at")
        batch.drop_column("suspected")
