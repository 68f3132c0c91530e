"""a video's codec, read from its file

Revision: 0019, after 0018
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("media", sa.Column("codec", sa.String(24), nullable=False, server_default=sa.text("''")))


def downgrade() -> None:
    op.drop_column("media", "codec")
