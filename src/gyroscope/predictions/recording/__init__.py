"""From segments to tables, exactly once: the recorder and what it does with a batch of records.

It never serves and never measures.
"""
