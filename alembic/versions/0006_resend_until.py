"""a resend that only the network's key makes safe has an end

Revision: 0006, after 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job", sa.Column("resend_until", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("job", "resend_until")
