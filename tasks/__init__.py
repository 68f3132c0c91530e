"""Huey: five instances, one module each, so that servers can run `huey_consumer tasks.publish.huey` and the like.

A message is a hint that carries one job id. What a task does is wake this process's sender, which looks at the
ledger; retries, order, rate limits and results are the ledger's business, never Huey's.
"""
