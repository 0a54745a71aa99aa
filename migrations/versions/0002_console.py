"""What the console keeps: quotas, invitations, names of keys, paused servers, bytes a minute."""

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
    with op.batch_alter_table("members") as members:
        members.add_column(sa.Column("last_seen_at", sa.DateTime(), nullable=True))
    with op.batch_alter_table("apps") as apps:
        apps.add_column(sa.Column("description", sa.String(length=200), nullable=False, server_default=""))
    with op.batch_alter_table("api_keys") as api_keys:
        api_keys.add_column(sa.Column("name", sa.String(length=100), nullable=False, server_default=""))
    with op.batch_alter_table("servers") as servers:
        servers.add_column(sa.Column("token_hint", sa.String(length=24), nullable=False, server_default=""))
        servers.add_column(sa.Column("paused_at", sa.DateTime(), nullable=True))
    op.create_table(
        "invitations",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("partner_id", sa.String(length=40), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["partners.id"], name="fk_invitations_partner_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_invitations"),
        sa.UniqueConstraint("partner_id", "email", name="uq_invitations_partner_id_email"),
        sa.UniqueConstraint("token_hash", name="uq_invitations_token_hash"),
    )
    op.create_index("ix_invitations_partner_id", "invitations", ["partner_id"])
    op.create_table(
        "transfer_minutes",
        sa.Column("server_id", sa.String(length=40), nullable=False),
        sa.Column("partner_id", sa.String(length=40), nullable=False),
        sa.Column("minute", sa.DateTime(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["server_id"], ["servers.id"], name="fk_transfer_minutes_server_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["partners.id"], name="fk_transfer_minutes_partner_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("server_id", "partner_id", "minute", name="pk_transfer_minutes"),
    )
    op.create_index("ix_transfer_minutes_minute", "transfer_minutes", ["minute"])


def downgrade() -> None:
    op.drop_table("transfer_minutes")
    op.drop_table("invitations")
    with op.batch_alter_table("servers") as servers:
        servers.drop_column("paused_at")
        servers.drop_column("token_hint")
    with op.batch_alter_table("api_keys") as api_keys:
        api_keys.drop_column("name")
    with op.batch_alter_table("apps") as apps:
        apps.drop_column("description")
    with op.batch_alter_table("members") as members:
        members.drop_column("last_seen_at")
    with op.batch_alter_table("uploads") as uploads:
        uploads.drop_column("reserved_bytes")
    with op.batch_alter_table("partners") as partners:
        partners.drop_column("build_quota_bytes")
