"""`gyro rollouts ...`: single steps of a challenger's way, by hand.

One file per verb. The way back is `gyro rollback`.
"""
