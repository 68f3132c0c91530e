"""Twins: small servers that answer as a network's published documents say. Each names its source.

A twin proves that a connector follows the document, not that the network follows it too; docs/networks.md says which
connectors were also proven on a real server.
"""
