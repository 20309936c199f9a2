"""Serving side by side with peers: the same model files and numbers, interleaved, servers on one core, load on another.

`models.py` makes what is served, `contestants.py` says how each server is started and asked, `closed.py` (wrk) and
`paced.py` send requests, `rounds.py` interleaves; one `sNN_*.py` a claim or a group that shares its rounds.
"""
