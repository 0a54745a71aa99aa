"""Bytes per hour and game, and when a release was cached everywhere."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_KEY = ("server_id", "minute", "partner_id", "game_id")
_OLD_KEY = ("server_id", "partner_id", "minute")

# The live build's copies tell when it was cached everywhere; for releases before it nothing does. Servers that were
# added after the release do not count.
_MEASURE_LIVE_BUILDS = """
UPDATE releases SET cached_everywhere_at = (
    SELECT max(coalesce(replicas.cached_at, replicas.since)) FROM replicas
    JOIN servers ON servers.id = replicas.server_id
    WHERE replicas.build_id = releases.build_id AND servers.retired_at IS NULL
    AND servers.created_at <= releases.released_at
)
WHERE id IN (SELECT max(id) FROM releases GROUP BY game_id)
AND build_id IS NOT NULL
AND EXISTS (SELECT 1 FROM servers WHERE retired_at IS NULL)
AND NOT EXISTS (
    SELECT 1 FROM servers WHERE servers.retired_at IS NULL AND NOT EXISTS (
        SELECT 1 FROM replicas WHERE replicas.server_id = servers.id
        AND replicas.build_id = releases.build_id AND replicas.phase = 'cached'
    )
)
"""
_NOT_BEFORE_THE_RELEASE = "UPDATE releases SET cached_everywhere_at = released_at WHERE cached_everywhere_at < released_at"


def upgrade() -> None:
    _make_minutes_again(_KEY, "server_id, minute, partner_id, '', bytes", "server_id, minute, partner_id, game_id, bytes")
    op.create_index("ix_transfer_minutes_game_id_minute", "transfer_minutes", ["game_id", "minute"])
    op.create_table(
        "transfer_hours",
        sa.Column("hour", sa.DateTime(), nullable=False),
        sa.Column("game_id", sa.String(length=40), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hour", "game_id", name="pk_transfer_hours"),
    )
    op.create_index("ix_transfer_hours_game_id_hour", "transfer_hours", ["game_id", "hour"])
    op.add_column("releases", sa.Column("cached_everywhere_at", sa.DateTime(), nullable=True))
    op.execute(_MEASURE_LIVE_BUILDS)
    op.execute(_NOT_BEFORE_THE_RELEASE)


def downgrade() -> None:
    with op.batch_alter_table("releases") as batch:
        batch.drop_column("cached_everywhere_at")
    op.drop_table("transfer_hours")
    op.drop_index("ix_transfer_minutes_game_id_minute", "transfer_minutes")
    _make_minutes_again(
        _OLD_KEY,
        "server_id, minute, partner_id, sum(bytes)",
        "server_id, minute, partner_id, bytes",
        " GROUP BY server_id, minute, partner_id",
    )


def _make_minutes_again(key: tuple[str, ...], values: str, columns: str, grouped: str = "") -> None:
    """Make the table with another key. Its rows wait in a table beside it, because both need the same names."""
    op.execute(f"CREATE TABLE moved_minutes AS SELECT {values} FROM transfer_minutes{grouped}")
    op.drop_table("transfer_minutes")
    named = {
        "server_id": sa.Column("server_id", sa.String(length=40), nullable=False),
        "minute": sa.Column("minute", sa.DateTime(), nullable=False),
        "partner_id": sa.Column("partner_id", sa.String(length=40), nullable=False),
        "game_id": sa.Column("game_id", sa.String(length=40), nullable=False),
    }
    op.create_table(
        "transfer_minutes",
        *(named[name] for name in key),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["server_id"], ["servers.id"], name="fk_transfer_minutes_server_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["partner_id"], ["partners.id"], name="fk_transfer_minutes_partner_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint(*key, name="pk_transfer_minutes"),
    )
    op.create_index("ix_transfer_minutes_minute", "transfer_minutes", ["minute"])
    op.execute(f"INSERT INTO transfer_minutes ({columns}) SELECT * FROM moved_minutes")
    op.drop_table("moved_minutes")
