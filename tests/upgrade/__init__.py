"""What a release leaves behind in the database, and what the next one makes of it.

releases/VERSION.jsonl   the rows of an installation of that release, recorded once (record.py) and never changed
release.py               puts such rows into a database, as that release would have written them
"""
