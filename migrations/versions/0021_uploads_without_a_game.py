"""Uploads that begin before their game exists."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("uploads") as batch:
        batch.add_column(sa.Column("partner_id", sa.String(length=40), nullable=True))
        batch.alter_column("game_id", existing_type=sa.String(length=40), nullable=True)
        batch.create_foreign_key("fk_uploads_partner_id", "partners", ["partner_id"], ["id"], ondelete="CASCADE")
        batch.create_index("ix_uploads_partner_id", ["partner_id"])


def downgrade() -> None:
    # The sweep then finds their bytes as bytes without a row.
    op.execute(sa.text("DELETE FROM uploads WHERE game_id IS NULL"))
    with op.batch_alter_table("uploads") as batch:
        batch.drop_index("ix_uploads_partner_id")
        batch.drop_constraint("fk_uploads_partner_id", type_="foreignkey")
        batch.alter_column("game_id", existing_type=sa.String(length=40), nullable=False)
        batch.drop_column("partner_id")
