"""One Delta table per model: its one writer, its typed reader, and what survives a power cut.

Only the recorder writes; everybody reads.
"""
