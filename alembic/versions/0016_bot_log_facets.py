"""the bot log is filtered by facets: one number and one index for bot, rule, channel, action and outcome together

Revision: 0016, after 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_DIMENSIONS = ("bot", "rule_id", "account_id", "action", "outcome")
_COLUMNS = ", ".join(_DIMENSIONS)
_REPLACED = {
    "ix_bot_log_bot": ["bot"],
    "ix_bot_log_rule": ["rule_id"],
    "ix_bot_log_account": ["account_id"],
    "ix_bot_log_action": ["action"],
    "ix_bot_log_outcome": ["outcome"],
    "ix_bot_log_bot_outcome": ["bot", "outcome"],
    "ix_bot_log_rule_outcome": ["rule_id", "outcome"],
    "ix_bot_log_account_outcome": ["account_id", "outcome"],
}


def upgrade() -> None:
    op.create_table(
        "bot_log_facet",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("bot", sa.String(12), nullable=False),
        sa.Column("rule_id", sa.String(26), nullable=False),
        sa.Column("account_id", sa.String(26), nullable=False),
        sa.Column("action", sa.String(12), nullable=False),
        sa.Column("outcome", sa.String(12), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bot_log_facet")),
    )
    op.create_index("uq_bot_log_facet", "bot_log_facet", list(_DIMENSIONS), unique=True)
    op.add_column("bot_log", sa.Column("facet", sa.Integer(), server_default="0", nullable=False))
    op.execute(f"INSERT INTO bot_log_facet ({_COLUMNS}) SELECT DISTINCT {_COLUMNS} FROM bot_log")
    same = " AND ".join(f"f.{name} = bot_log.{name}" for name in _DIMENSIONS)
    op.execute(f"UPDATE bot_log SET facet = (SELECT f.id FROM bot_log_facet f WHERE {same})")
    op.create_index("ix_bot_log_facet", "bot_log", ["facet", "id"])
    for name in _REPLACED:
        op.drop_index(name, table_name="bot_log")
    if op.get_bind().dialect.name == "postgresql":
        # Counts by the index alone need the visibility map: kept up by inserts, not only by a fifth of the table.
        op.execute(
            "ALTER TABLE bot_log SET (autovacuum_vacuum_insert_scale_factor = 0.01,"
            " autovacuum_vacuum_insert_threshold = 10000)"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "ALTER TABLE bot_log RESET (autovacuum_vacuum_insert_scale_factor, autovacuum_vacuum_insert_threshold)"
        )
    for name, columns in _REPLACED.items():
        op.create_index(name, "bot_log", [*columns, "id"])
    op.drop_index("ix_bot_log_facet", table_name="bot_log")
    op.drop_column("bot_log", "facet")
    op.drop_table("bot_log_facet")
