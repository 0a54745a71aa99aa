"""A worker that makes an update to a build has a claim that ends."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("build_packs", sa.Column("update_claimed_until", sa.DateTime(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("build_packs") as batch:
        batch.drop_column("update_claimed_until")
