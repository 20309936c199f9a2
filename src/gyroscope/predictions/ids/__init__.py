"""Where the attempts at each request lie: sorted runs of hashed ids.

The recorder writes it, labels read it; it holds nothing that the table does not.
"""
