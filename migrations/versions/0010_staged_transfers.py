"""The multipart transfer into which a staged image is sent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("staged_assets", sa.Column("multipart_id", sa.String(length=1024), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("staged_assets") as batch:
        batch.drop_column("multipart_id")
