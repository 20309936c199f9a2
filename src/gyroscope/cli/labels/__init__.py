"""`gyro labels ...`: outcomes that arrive after the predictions.

One file per verb.
"""
