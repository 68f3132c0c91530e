"""Compiling the console once and serving it, the REST API and the websocket from one port."""
