"""Headers of stored answers, and which answers are made anew when a request is repeated."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("answered_requests") as table:
        table.add_column(sa.Column("headers", sa.JSON(), nullable=True))
        table.add_column(sa.Column("made_anew", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    # What is made anew holds no answer that the code before could repeat.
    op.execute("DELETE FROM answered_requests WHERE made_anew")
    with op.batch_alter_table("answered_requests") as table:
        table.drop_column("made_anew")
        table.drop_column("headers")
