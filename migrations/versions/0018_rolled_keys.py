"""Keys with an end that were not rolled."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("rolled", sa.Boolean(), nullable=False, server_default=sa.false()))
    # Until now, only rolling a key gave it an end.
    keys = sa.table("api_keys", sa.column("rolled", sa.Boolean()), sa.column("expires_at", sa.DateTime()))
    op.execute(keys.update().where(keys.c.expires_at.is_not(None)).values(rolled=True))


def downgrade() -> None:
    with op.batch_alter_table("api_keys") as batch:
        batch.drop_column("rolled")
