"""Only one confirm at a time makes the object of a staged image."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("staged_assets", sa.Column("joined_until", sa.DateTime(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("staged_assets") as batch:
        batch.drop_column("joined_until")
