"""an index of the acts that went out, in the order in which the budget counts them

Revision: 0010, after 0009
"""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_bot_act_sent", "bot_act", ["account_id", "action", "permitted_at"])


def downgrade() -> None:
    op.drop_index("ix_bot_act_sent", table_name="bot_act")
