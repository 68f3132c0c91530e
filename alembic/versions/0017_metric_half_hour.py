"""analytics reads sums per half hour, by channel and author, by either, and over all

Revision: 0017, after 0016
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_SUMS = ("posts", "measured", "engagements", "likes", "reposts", "replies", "views", "views_measured")
_SMALL = ("posts", "measured", "views_measured")


def upgrade() -> None:
    op.create_table(
        "metric_half_hour",
        sa.Column("account_id", sa.String(26), nullable=False),
        sa.Column("author_id", sa.String(26), nullable=False),
        sa.Column("half_hour", sa.Integer(), autoincrement=False, nullable=False),
        *[
            sa.Column(name, sa.Integer() if name in _SMALL else sa.BigInteger(), nullable=False)
            for name in _SUMS
        ],
        sa.PrimaryKeyConstraint("account_id", "author_id", "half_hour", name=op.f("pk_metric_half_hour")),
    )
    op.create_index("ix_metric_half_hour_author", "metric_half_hour", ["author_id", "half_hour"])
    columns = ", ".join(_SUMS)
    sums = ", ".join(f"SUM({name})" for name in _SUMS)
    for account in ("account_id", "''"):
        for author in ("author_id", "''"):
            keys = ", ".join([*(name for name in (account, author) if name != "''"), "bucket / 2"])
            op.execute(
                f"INSERT INTO metric_half_hour (account_id, author_id, half_hour, {columns})"
                f" SELECT {account}, {author}, bucket / 2, {sums} FROM metric_rollup GROUP BY {keys}"
            )


def downgrade() -> None:
    op.drop_index("ix_metric_half_hour_author", table_name="metric_half_hour")
    op.drop_table("metric_half_hour")
