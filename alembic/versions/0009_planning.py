"""queue slots, series of posts, imports, and the words of posts for full-text search

Revision: 0009, after 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
_SIGNS = (
    "!\"#$%%&''()*+,-./:;<=>?@[\\]^_`{|}~¡¿§«»‹›“”„‚‘’…·•–—‒―†‡€£¥©®™°"
    "、。「」『』【】《》〈〉・！？：；，．（）\u00a0\u00ad\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
    "\u2028\u2029\u202f\u2060\u2066\u2067\u2068\u2069\u3000\ufeff"
)
"""What parts words. SQLite goes by Unicode's classes; Postgres, in a database with the C locale, knows none."""

_MAX_CHARACTERS = 100_000
"""A tsvector holds at most a megabyte."""


def upgrade() -> None:
    op.create_table(
        "slot_plan",
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_slot_plan_account_id_account"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_slot_plan")),
    )
    op.create_table(
        "slot_time",
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("weekday", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("minute", sa.Integer(), autoincrement=False, nullable=False),
        sa.CheckConstraint("weekday BETWEEN 0 AND 6", name=op.f("ck_slot_time_weekday")),
        sa.CheckConstraint("minute BETWEEN 0 AND 1439", name=op.f("ck_slot_time_minute")),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["slot_plan.account_id"],
            name=op.f("fk_slot_time_account_id_slot_plan"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "weekday", "minute", name=op.f("pk_slot_time")),
    )
    op.create_table(
        "slot_booking",
        sa.Column("account_id", sa.String(length=26), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("post_id", sa.String(length=26), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
            name=op.f("fk_slot_booking_account_id_account"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["post_id"], ["post.id"], name=op.f("fk_slot_booking_post_id_post"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "at", name=op.f("pk_slot_booking")),
    )
    op.create_index(op.f("ix_slot_booking_post_id"), "slot_booking", ["post_id"])
    op.create_table(
        "series",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("author_id", sa.String(length=26), nullable=False),
        sa.Column("template", _JSON, nullable=False),
        sa.Column("rule", sa.String(length=500), nullable=False),
        sa.Column("first_wall_time", sa.String(length=32), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["author_id"], ["app_user.id"], name=op.f("fk_series_author_id_app_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series")),
    )
    op.create_index("ix_series_state_author", "series", ["state", "author_id"])
    op.create_index(op.f("ix_series_author_id"), "series", ["author_id"])
    op.create_table(
        "series_occurrence",
        sa.Column("series_id", sa.String(length=26), nullable=False),
        sa.Column("wall_time", sa.String(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("post_id", sa.String(length=26), nullable=True),
        sa.Column("post_version", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["series_id"],
            ["series.id"],
            name=op.f("fk_series_occurrence_series_id_series"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["post_id"], ["post.id"], name=op.f("fk_series_occurrence_post_id_post"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("series_id", "wall_time", name=op.f("pk_series_occurrence")),
    )
    op.create_index(op.f("ix_series_occurrence_post_id"), "series_occurrence", ["post_id"])
    op.create_table(
        "import_batch",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("owner_id", sa.String(length=26), nullable=False),
        sa.Column("filename", sa.String(length=255), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("encoding", sa.String(length=20), nullable=False),
        sa.Column("delimiter", sa.String(length=4), nullable=False),
        sa.Column("row_count", sa.Integer(), nullable=False),
        sa.Column("choices", _JSON, nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("post_ids", _JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["owner_id"], ["app_user.id"], name=op.f("fk_import_batch_owner_id_app_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_batch")),
    )
    op.create_index(op.f("ix_import_batch_owner_id"), "import_batch", ["owner_id"])
    op.create_table(
        "post_words",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("post_id", sa.String(length=26), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["post_id"], ["post.id"], name=op.f("fk_post_words_post_id_post"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_post_words")),
        sa.UniqueConstraint("post_id", name=op.f("uq_post_words_post_id")),
    )
    if op.get_bind().dialect.name == "postgresql":
        _index_on_postgres()
    else:
        _index_on_sqlite()


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for name, table in (("post", "post"), ("target", "target"), ("variant", "target")):
            op.execute(f"DROP TRIGGER fts_{name}_words ON {table}")
        for function in ("fts_post_changed()", "fts_target_changed()", "fts_refresh_words(varchar)"):
            op.execute(f"DROP FUNCTION {function}")
    else:
        for name in ("post_insert", "post_update", "target_insert", "target_update", "target_delete"):
            op.execute(f"DROP TRIGGER fts_{name}")
        op.execute("DROP TABLE fts_post_words")
    for table in (
        "post_words",
        "import_batch",
        "series_occurrence",
        "series",
        "slot_booking",
        "slot_time",
        "slot_plan",
    ):
        op.drop_table(table)


def _index_on_postgres() -> None:
    words = (
        "left(concat_ws(' ', p.text, (SELECT string_agg(v, ' ') FROM jsonb_array_elements_text(p.thread) v),"
        " (SELECT string_agg(v, ' ') FROM jsonb_array_elements_text(p.labels) v),"
        f" (SELECT string_agg(t.text, ' ') FROM target t WHERE t.post_id = p.id)), {_MAX_CHARACTERS})"
    )
    fill = f"INSERT INTO post_words (post_id, words) SELECT p.id, {words} FROM post p"
    # translate, not a regular expression: character classes know no other letters in a database with the C locale.
    op.execute(
        "ALTER TABLE post_words ADD COLUMN fts_post_words tsvector GENERATED ALWAYS AS"
        f" (to_tsvector('simple'::regconfig, translate(lower(words), '{_SIGNS}', repeat(' ', {len(_SIGNS) - 1})))) STORED"
    )
    op.execute(fill)
    op.execute("CREATE INDEX fts_post_words_words ON post_words USING gin (fts_post_words)")
    op.execute(
        f"CREATE FUNCTION fts_refresh_words(wanted varchar) RETURNS void LANGUAGE sql AS $$ {fill} WHERE p.id = wanted"
        " ON CONFLICT (post_id) DO UPDATE SET words = excluded.words WHERE post_words.words <> excluded.words $$"
    )
    for function, column in (("fts_post_changed", "id"), ("fts_target_changed", "post_id")):
        op.execute(
            f"CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" PERFORM fts_refresh_words(CASE WHEN TG_OP = 'DELETE' THEN OLD.{column} ELSE NEW.{column} END);"
            " RETURN NULL; END $$"
        )
    op.execute(
        "CREATE TRIGGER fts_post_words AFTER INSERT OR UPDATE OF text, thread, labels ON post"
        " FOR EACH ROW EXECUTE FUNCTION fts_post_changed()"
    )
    op.execute(
        "CREATE TRIGGER fts_target_words AFTER INSERT OR UPDATE OF text ON target FOR EACH ROW WHEN (NEW.text IS NOT NULL)"
        " EXECUTE FUNCTION fts_target_changed()"
    )
    op.execute(
        "CREATE TRIGGER fts_variant_words AFTER UPDATE OF text OR DELETE ON target FOR EACH ROW"
        " EXECUTE FUNCTION fts_target_changed()"
    )


def _index_on_sqlite() -> None:
    words = (
        "substr(p.text || ' ' || coalesce((SELECT group_concat(value, ' ') FROM json_each(p.thread)), '')"
        " || ' ' || coalesce((SELECT group_concat(value, ' ') FROM json_each(p.labels)), '')"
        " || ' ' || coalesce((SELECT group_concat(t.text, ' ') FROM target t WHERE t.post_id = p.id), ''),"
        f" 1, {_MAX_CHARACTERS})"
    )
    fill = f"INSERT INTO post_words (post_id, words) SELECT p.id, {words} FROM post p WHERE"
    refresh = f"{fill} p.id = {{}} ON CONFLICT (post_id) DO UPDATE SET words = excluded.words"
    # As Postgres compares: "é" is not "e".
    op.execute(
        "CREATE VIRTUAL TABLE fts_post_words USING fts5(words, content='post_words', content_rowid='id',"
        " tokenize='unicode61 remove_diacritics 0', prefix='2 3 4')"
    )
    remove = "INSERT INTO fts_post_words (fts_post_words, rowid, words) VALUES ('delete', old.id, old.words);"
    add = "INSERT INTO fts_post_words (rowid, words) VALUES (new.id, new.words);"
    op.execute(f"CREATE TRIGGER fts_words_insert AFTER INSERT ON post_words BEGIN {add} END")
    op.execute(f"CREATE TRIGGER fts_words_delete AFTER DELETE ON post_words BEGIN {remove} END")
    op.execute(
        "CREATE TRIGGER fts_words_update AFTER UPDATE OF words ON post_words WHEN old.words <> new.words"
        f" BEGIN {remove} {add} END"
    )
    op.execute(f"{fill} true")
    for name, event, column in (
        ("post_insert", "INSERT ON post", "new.id"),
        ("post_update", "UPDATE OF text, thread, labels ON post", "new.id"),
        ("target_insert", "INSERT ON target WHEN new.text IS NOT NULL", "new.post_id"),
        ("target_update", "UPDATE OF text ON target WHEN old.text IS NOT new.text", "new.post_id"),
        ("target_delete", "DELETE ON target WHEN old.text IS NOT NULL", "old.post_id"),
    ):
        op.execute(f"CREATE TRIGGER fts_{name} AFTER {event} BEGIN {refresh.format(column)}; END")
