"""What a pack takes that the partner's quota stopped, so that it is made when there is room."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("build_packs", sa.Column("needed_bytes", sa.BigInteger(), nullable=False, server_default="0"))
    # Until now, such packs ended as failed, and waited for a command.
    op.execute(
        "UPDATE build_packs SET state = 'no_room' "
        "WHERE state = 'failed' AND reason LIKE '% and the quota of % has no more left for it.%'"
    )


def downgrade() -> None:
    with op.batch_alter_table("build_packs") as batch:
        batch.drop_column("needed_bytes")
