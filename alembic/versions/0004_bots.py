"""bots: rules, rails, acts, prospects and a log that stays quick with millions of lines

Revision: 0004, after 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_WORDS = "target || ' ' || why || ' ' || rule_name || ' ' || channel"

_SIGNS = "!\"#$%%&''()*+,-./:;<=>?@[\\]^_`{|}~“”…·"


def upgrade() -> None:
    op.create_table(
        "bot_log",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("bot", sa.String(length=12), nullable=False),
        sa.Column("rule_id", sa.String(length=26), nullable=False),
        sa.Column("rule_name", sa.String(length=120), nullable=False),
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("channel", sa.String(length=255), nullable=False),
        sa.Column("action", sa.String(length=12), nullable=False),
        sa.Column("target", sa.String(length=255), nullable=False),
        sa.Column("target_url", sa.Text(), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("detail", sa.String(length=40), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("budget", sa.String(length=60), nullable=False),
        sa.Column("actor", sa.String(length=120), nullable=False),
        sa.Column("job_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("act_id", sa.String(length=26), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bot_log")),
    )
    op.create_index("ix_bot_log_account", "bot_log", ["account_id", "id"], unique=False)
    op.create_index("ix_bot_log_act", "bot_log", ["act_id", "id"], unique=False)
    op.create_index("ix_bot_log_bot_outcome", "bot_log", ["bot", "outcome", "id"], unique=False)
    op.create_index("ix_bot_log_rule_outcome", "bot_log", ["rule_id", "outcome", "id"], unique=False)
    op.create_index("ix_bot_log_account_outcome", "bot_log", ["account_id", "outcome", "id"], unique=False)
    op.create_index("ix_bot_log_action", "bot_log", ["action", "id"], unique=False)
    op.create_index("ix_bot_log_at", "bot_log", ["at", "id"], unique=False)
    op.create_index("ix_bot_log_bot", "bot_log", ["bot", "id"], unique=False)
    op.create_index("ix_bot_log_outcome", "bot_log", ["outcome", "id"], unique=False)
    op.create_index("ix_bot_log_rule", "bot_log", ["rule_id", "id"], unique=False)
    op.create_table(
        "bot_switch",
        sa.Column("id", sa.String(length=10), nullable=False),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stopped_by", sa.String(length=120), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bot_switch")),
    )
    op.create_table(
        "bot_channel",
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("rails", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("warm_up_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stopped_by", sa.String(length=120), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("is_flagged_as_bot", sa.Boolean(), nullable=True),
        sa.Column("followers", sa.Integer(), nullable=True),
        sa.Column("following", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_bot_channel_account_id_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_bot_channel")),
    )
    op.create_table(
        "bot_followers",
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("followers", sa.Integer(), nullable=False),
        sa.Column("following", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
            name=op.f("fk_bot_followers_account_id_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "at", name=op.f("pk_bot_followers")),
    )
    op.create_table(
        "bot_rule",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("bot", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("mode", sa.String(length=40), nullable=False),
        sa.Column("spec", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("cursor", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("next_run_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_run_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_outcome", sa.Text(), nullable=False),
        sa.Column("created_by", sa.String(length=120), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_bot_rule_account_id_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bot_rule")),
    )
    op.create_index(op.f("ix_bot_rule_account_id"), "bot_rule", ["account_id"], unique=False)
    op.create_index("ix_bot_rule_due", "bot_rule", ["is_enabled", "next_run_at"], unique=False)
    op.create_table(
        "bot_act",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("dedupe_key", sa.String(length=180), nullable=False),
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("rule_id", sa.String(length=26), nullable=True),
        sa.Column("bot", sa.String(length=40), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("target_ref", sa.String(length=400), nullable=False),
        sa.Column("target", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("is_ai", sa.Boolean(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("job_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("snoozes_told", sa.Integer(), nullable=False),
        sa.Column("slot_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("permitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.String(length=120), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_bot_act_account_id_account")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_bot_act_job_id_job")),
        sa.ForeignKeyConstraint(["rule_id"], ["bot_rule.id"], name=op.f("fk_bot_act_rule_id_bot_rule")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bot_act")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_bot_act_dedupe_key")),
    )
    op.create_index("ix_bot_act_budget", "bot_act", ["account_id", "action", "slot_at"], unique=False)
    op.create_index("ix_bot_act_job", "bot_act", ["job_id"], unique=True)
    op.create_index("ix_bot_act_state", "bot_act", ["state", "created_at", "id"], unique=False)
    op.create_table(
        "bot_prospect",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("rule_id", sa.String(length=26), nullable=True),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("ref", sa.String(length=400), nullable=False),
        sa.Column("candidate", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("source", sa.String(length=255), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_bot_prospect_account_id_account")
        ),
        sa.ForeignKeyConstraint(["rule_id"], ["bot_rule.id"], name=op.f("fk_bot_prospect_rule_id_bot_rule")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bot_prospect")),
    )
    op.create_index(
        "ix_bot_prospect_score", "bot_prospect", ["account_id", "state", "score", "id"], unique=False
    )
    op.create_index("uq_bot_prospect_ref", "bot_prospect", ["account_id", "kind", "ref"], unique=True)
    op.create_table(
        "bot_seen",
        sa.Column("rule_id", sa.String(length=26), nullable=False),
        sa.Column("ref", sa.String(length=400), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["rule_id"], ["bot_rule.id"], name=op.f("fk_bot_seen_rule_id_bot_rule"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("rule_id", "ref", name=op.f("pk_bot_seen")),
    )
    op.create_index(op.f("ix_bot_seen_at"), "bot_seen", ["at"], unique=False)
    if op.get_bind().dialect.name == "postgresql":
        # Punctuation becomes space: a handle or an address is found by any of its parts. Only ASCII is listed, as
        # character classes know no other letters in a database with the C locale.
        op.execute(
            "ALTER TABLE bot_log ADD COLUMN fts_bot_log tsvector GENERATED ALWAYS AS (to_tsvector('simple'::regconfig,"
            f" translate(lower({_WORDS}), '{_SIGNS}', repeat(' ', {len(_SIGNS) - 1})))) STORED"
        )
        op.execute("CREATE INDEX fts_bot_log_words ON bot_log USING gin (fts_bot_log)")
        return
    op.execute(
        "CREATE VIRTUAL TABLE fts_bot_log USING fts5(target, why, rule_name, channel, content='bot_log',"
        " content_rowid='id', detail='none', prefix='2 3 4')"
    )
    op.execute(
        "CREATE TRIGGER fts_bot_log_insert AFTER INSERT ON bot_log BEGIN INSERT INTO fts_bot_log"
        "(rowid, target, why, rule_name, channel) VALUES (new.id, new.target, new.why, new.rule_name, new.channel); END"
    )
    op.execute(
        "CREATE TRIGGER fts_bot_log_delete AFTER DELETE ON bot_log BEGIN INSERT INTO fts_bot_log"
        "(fts_bot_log, rowid, target, why, rule_name, channel)"
        " VALUES ('delete', old.id, old.target, old.why, old.rule_name, old.channel); END"
    )


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        op.execute("DROP TABLE fts_bot_log")
    op.drop_table("bot_seen")
    op.drop_table("bot_prospect")
    op.drop_table("bot_act")
    op.drop_table("bot_rule")
    op.drop_table("bot_followers")
    op.drop_table("bot_channel")
    op.drop_table("bot_switch")
    op.drop_table("bot_log")
