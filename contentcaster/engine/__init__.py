"""The publishing engine: one ledger for every outward effect. Knows no network and no UI.

models.job        the rows                     sender       runs claimed jobs, many at once, on the second
ledger            every change of a job        reconciler   finds what was lost, lapsed or left unknown
hints             tells Huey that work waits   failures     what people do with failed tasks
post_status       what people see of it        heartbeat    whether it is alive, truthfully
"""
