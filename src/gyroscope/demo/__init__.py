"""The demo: a year of real flights through the whole house, in minutes.

Called by `gyro demo`; it trains, serves, replays and reports with the same parts that users get. Never mocks one.
"""
