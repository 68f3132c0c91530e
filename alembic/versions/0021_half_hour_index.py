"""analytics finds the half hours that changed without reading all of them

Revision: 0021, after 0020
"""

from __future__ import annotations

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_metric_half_hour_time", "metric_half_hour", ["half_hour"])


def downgrade() -> None:
    op.drop_index("ix_metric_half_hour_time", table_name="metric_half_hour")
