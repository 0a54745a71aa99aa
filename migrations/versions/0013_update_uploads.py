"""Uploads that hold only what changed since another build, and the archives assembled from them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("uploads") as batch:
        batch.add_column(sa.Column("base_number", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("archive_key", sa.String(length=200), nullable=True))
        batch.create_unique_constraint("uq_uploads_archive_key", ["archive_key"])


def downgrade() -> None:
    with op.batch_alter_table("uploads") as batch:
        batch.drop_constraint("uq_uploads_archive_key", type_="unique")
        batch.drop_column("archive_key")
        batch.drop_column("base_number")
