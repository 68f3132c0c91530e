"""an index of the acts that went out, in the order in which the budget counts them

Revision: 0013, after 0012
"""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_bot_act_sent", "bot_act", ["account_id", "action", "permitted_at"])


def downgrade() -> None:
    op.drop_index("ix_bot_act_sent", table_name="bot_act")
