"""Packs and the updates between them, the builds that servers keep for rolling back, and bytes sent and saved."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_COUNTED = ("builds", "games")


def upgrade() -> None:
    op.create_table(
        "build_packs",
        sa.Column("build_id", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("maker", sa.String(length=40), nullable=True),
        sa.Column("makings_begun", sa.Integer(), nullable=False),
        sa.Column("touched_at", sa.DateTime(), nullable=False),
        sa.Column("bytes_done", sa.BigInteger(), nullable=False),
        sa.Column("bytes_total", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("awaited_until", sa.DateTime(), nullable=True),
        sa.Column("folder", sa.String(length=100), nullable=True),
        sa.Column("pack_bytes", sa.BigInteger(), nullable=False),
        sa.Column("index_bytes", sa.BigInteger(), nullable=False),
        sa.Column("index_sha256", sa.String(length=64), nullable=True),
        sa.Column("index_size", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.DateTime(), nullable=True),
        sa.Column("update_folder", sa.String(length=100), nullable=True),
        sa.ForeignKeyConstraint(["build_id"], ["builds.id"], name="fk_build_packs_build_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("build_id", name="pk_build_packs"),
        sa.UniqueConstraint("folder", name="uq_build_packs_folder"),
    )
    op.create_index("ix_build_packs_state", "build_packs", ["state"])
    op.create_table(
        "pack_updates",
        sa.Column("build_id", sa.String(length=40), nullable=False),
        sa.Column("from_build_id", sa.String(length=40), nullable=False),
        sa.Column("folder", sa.String(length=100), nullable=False),
        sa.Column("delta_bytes", sa.BigInteger(), nullable=True),
        sa.Column("patch_bytes", sa.BigInteger(), nullable=True),
        sa.Column("patch_sha256", sa.String(length=64), nullable=True),
        sa.Column("fetched_bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["build_id"], ["build_packs.build_id"], name="fk_pack_updates_build_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["from_build_id"], ["builds.id"], name="fk_pack_updates_from_build_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("build_id", "from_build_id", name="pk_pack_updates"),
    )
    op.create_index("ix_pack_updates_from_build_id", "pack_updates", ["from_build_id"])
    op.add_column("servers", sa.Column("keep_previous", sa.Integer(), server_default="1", nullable=False))
    op.add_column("replicas", sa.Column("kept", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("replicas", sa.Column("source", sa.String(length=16), nullable=True))
    op.add_column("replicas", sa.Column("source_build", sa.Integer(), nullable=True))
    op.add_column("replicas", sa.Column("fallback", sa.String(length=500), nullable=True))
    for table in _COUNTED:
        for column in ("sent_bytes", "saved_bytes"):
            op.add_column(table, sa.Column(column, sa.BigInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    for table in reversed(_COUNTED):
        with op.batch_alter_table(table) as batch:
            for column in ("saved_bytes", "sent_bytes"):
                batch.drop_column(column)
    with op.batch_alter_table("replicas") as batch:
        for column in ("fallback", "source_build", "source", "kept"):
            batch.drop_column(column)
    with op.batch_alter_table("servers") as batch:
        batch.drop_column("keep_previous")
    op.drop_table("pack_updates")
    op.drop_table("build_packs")
