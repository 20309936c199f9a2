"""The replica: answers questions over HTTP with one version of one model, and writes each down before it replies.

`replica.py` serves a `ReplicaPlan`; `plane.py` is the work, whatever the transport; `dialects/` translate. It never
decides how many replicas there are or which version is wanted.
"""
