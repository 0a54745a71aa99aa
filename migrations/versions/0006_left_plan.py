"""When a build last left the plan of a server; never, for one that only the server says it holds."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("replicas") as batch:
        batch.add_column(sa.Column("left_plan_at", sa.DateTime(), nullable=True))
    # Which of the unwanted were planned once was not kept. All of them, as of now: sessions that were begun on them while
    # the platform was down for this very migration are then taken in.
    replicas = sa.table("replicas", sa.column("wanted", sa.Boolean()), sa.column("left_plan_at", sa.DateTime()))
    moment = datetime.now(UTC).replace(tzinfo=None)
    op.execute(replicas.update().where(replicas.c.wanted == sa.false()).values(left_plan_at=moment))


def downgrade() -> None:
    with op.batch_alter_table("replicas") as batch:
        batch.drop_column("left_plan_at")
