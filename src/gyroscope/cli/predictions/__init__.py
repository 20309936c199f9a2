"""`gyro predictions`: what was asked and answered, read, queried, exported; and taken in from models served elsewhere.

One file a verb. They translate words of the command line; the reading and writing is done in the rooms below.
"""
