"""Control's HTTP: the pages for people, the API for programs, `/metrics` for Prometheus.

Assembly builds `Parts` and serves `create_app(parts)`. Shells only: they translate what the stores hold.
"""
