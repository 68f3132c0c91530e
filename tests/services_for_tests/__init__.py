"""A real Postgres and a real Redis for tests: given by URL, found on the machine, or from wheels."""
