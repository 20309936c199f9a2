"""`gyro monitor ...`: what monitors see and would have done, on a model's own history.

One file per verb. Neither changes anything.
"""
