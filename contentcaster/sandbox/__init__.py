"""The sandbox network: a real HTTP server that behaves like two published networks.

It speaks the Mastodon client API and the AT Protocol calls that publishing needs, records every request with its
arrival time, lists every visible effect, and injects faults on demand. Nothing in ContentCaster knows it by name:
the ordinary connectors reach it over HTTP like any other server. Start it with `contentcaster sandbox` or
`contentcaster.sandbox.server`.
"""
