"""The promises of the engine, each shown on SQLite and on Postgres."""
