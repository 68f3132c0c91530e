"""`python -m contentcaster` is the `contentcaster` command."""

from contentcaster.cli import app

app()
