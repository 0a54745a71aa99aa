"""The list of files of a build is kept when its pack is freed, and made when somebody asks for it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("build_packs", sa.Column("list_folder", sa.String(100), nullable=True))
    op.add_column(
        "build_packs", sa.Column("list_requested", sa.Boolean(), nullable=False, server_default=sa.false())
    )


def downgrade() -> None:
    # The sweep of the version before removes the lists: no row names them there.
    op.execute("DELETE FROM build_packs WHERE state = 'listed' OR list_requested")
    with op.batch_alter_table("build_packs") as batch:
        batch.drop_column("list_requested")
        batch.drop_column("list_folder")
