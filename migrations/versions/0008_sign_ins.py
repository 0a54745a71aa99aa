"""Sign-ins kept on the server; an e-mail address with an account in each partner; partners whose names are not unique."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

OPERATORS = sa.text("partner_id IS NULL")


def upgrade() -> None:
    op.create_table(
        "sign_ins",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("member_id", sa.String(length=40), nullable=False),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("browser", sa.String(length=80), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(), nullable=False),
        sa.Column("ends_at", sa.DateTime(), nullable=False),
        sa.Column("ended_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name="fk_sign_ins_member_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_sign_ins"),
        sa.UniqueConstraint("token_hash", name="uq_sign_ins_token_hash"),
    )
    op.create_index("ix_sign_ins_member_id", "sign_ins", ["member_id"])
    op.create_index("ix_sign_ins_last_seen_at", "sign_ins", ["last_seen_at"])
    with op.batch_alter_table("members") as members:
        members.drop_column("session_stamp")
        members.drop_constraint("uq_members_email", type_="unique")
        members.create_unique_constraint("uq_members_partner_id_email", ["partner_id", "email"])
        members.create_index("ix_members_email", ["email"])
        members.create_index(
            "uq_members_operator_email", ["email"], unique=True, sqlite_where=OPERATORS, postgresql_where=OPERATORS
        )
    with op.batch_alter_table("partners") as partners:
        partners.drop_constraint("uq_partners_name", type_="unique")


def downgrade() -> None:
    _make_unique("partners", "name", "{name:.100} ({id})")
    with op.batch_alter_table("partners") as partners:
        partners.create_unique_constraint("uq_partners_name", ["name"])
    _make_unique("members", "email", "{id}@renamed.invalid")
    with op.batch_alter_table("members") as members:
        members.drop_index("uq_members_operator_email")
        members.drop_index("ix_members_email")
        members.drop_constraint("uq_members_partner_id_email", type_="unique")
        members.create_unique_constraint("uq_members_email", ["email"])
        members.add_column(sa.Column("session_stamp", sa.String(length=40), nullable=True))
    members_table = sa.table("members", sa.column("id"), sa.column("session_stamp"))
    connection = op.get_bind()
    for member_id in connection.scalars(sa.select(members_table.c.id)).all():  # everybody signs in anew
        stamp = f"stamp_{secrets.token_hex(11)}"
        connection.execute(
            members_table.update().where(members_table.c.id == member_id).values(session_stamp=stamp)
        )
    with op.batch_alter_table("members") as members:
        members.alter_column("session_stamp", existing_type=sa.String(length=40), nullable=False)
    op.drop_table("sign_ins")


def _make_unique(table_name: str, column: str, renamed: str) -> None:
    """The oldest row keeps its value; later ones that have the same get another."""
    table = sa.table(table_name, sa.column("id"), sa.column(column), sa.column("created_at"))
    connection, seen = op.get_bind(), set()
    for row in connection.execute(sa.select(table).order_by(table.c.created_at, table.c.id)).all():
        value = getattr(row, column)
        if value in seen:
            new = renamed.format(id=row.id, **{column: value})
            connection.execute(table.update().where(table.c.id == row.id).values({column: new}))
        seen.add(value)
