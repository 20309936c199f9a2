"""Predictions that were made elsewhere: checked by the signature, then written into segments like any other.

The API, the command line and the library call it; it never writes a table.
"""
