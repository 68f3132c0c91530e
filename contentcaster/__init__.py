"""ContentCaster: a self-hosted, admin-first social publishing console."""

__version__ = "0.1.0"
