"""The log for people and notebooks: the newest rows, SQL, selections, exports.

The command line and the library call it; nothing here writes a table.
"""
