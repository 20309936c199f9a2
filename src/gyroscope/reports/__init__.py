"""Pictures and pages made of records: figures, the self-contained HTML report, the comparison of two profiles.

Called by the pages, the notebook and the command line. Reads records and summaries only, never a store or a clock.
"""
