"""What of an image everybody may fetch: the file without its metadata."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("blobs") as table:
        table.add_column(sa.Column("public_key", sa.String(length=200), nullable=True))
        table.add_column(sa.Column("public_size", sa.Integer(), nullable=True))
        table.add_column(sa.Column("public_sha256", sa.String(length=64), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("blobs") as table:
        table.drop_column("public_sha256")
        table.drop_column("public_size")
        table.drop_column("public_key")
