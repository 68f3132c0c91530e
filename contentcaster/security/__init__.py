"""Passwords, sessions, permissions, the token vault and the egress client."""
