"""The attempts of servers to fetch builds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_OUTCOMES = "('running', 'cached', 'failed', 'stopped')"


def upgrade() -> None:
    op.create_table(
        "replica_attempts",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("replica_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("source", sa.String(length=16), nullable=True),
        sa.Column("source_build", sa.Integer(), nullable=True),
        sa.Column("began_at", sa.DateTime(), nullable=False),
        sa.Column("fetched_at", sa.DateTime(), nullable=True),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.Column("first_bytes", sa.BigInteger(), nullable=False),
        sa.Column("last_bytes", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(f"outcome IN {_OUTCOMES}", name="outcome"),
        sa.ForeignKeyConstraint(
            ["replica_id"], ["replicas.id"], name="fk_replica_attempts_replica_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_replica_attempts"),
    )
    op.create_index("ix_replica_attempts_replica_id_id", "replica_attempts", ["replica_id", "id"])


def downgrade() -> None:
    op.drop_table("replica_attempts")
