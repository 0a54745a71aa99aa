"""A partner's quota of build bytes, and what an upload reserves of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("partners") as partners:
        partners.add_column(sa.Column("build_quota_bytes", sa.BigInteger(), nullable=True))
    with op.batch_alter_table("uploads") as uploads:
        uploads.add_column(sa.Column("reserved_bytes", sa.BigInteger(), nullable=False, server_default="0"))


def downgrade() -> None:
    with op.batch_alter_table("uploads") as uploads:
        uploads.drop_column("reserved_bytes")
    with op.batch_alter_table("partners") as partners:
        partners.drop_column("build_quota_bytes")
