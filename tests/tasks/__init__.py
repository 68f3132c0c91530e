"""Whole worker processes against the sandbox network: what stands after kill -9, a lost Redis, a planted message."""
