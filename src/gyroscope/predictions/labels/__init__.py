"""Every outcome that was ever sent, each in exactly one state, and its join with predictions.

Control and the command line call it; it reads the index of ids and never writes a table.
"""
