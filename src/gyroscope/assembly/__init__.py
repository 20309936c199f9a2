"""Builds the house from settings: stores, processes, door. Construction only; nothing here measures or decides.

The command line, the demo and the processes themselves (`python -m gyroscope.assembly`) come in through here.
"""

from gyroscope.assembly.house import House
from gyroscope.assembly.lifecycle import UpReport, address, down, new_link, status, up

__all__ = ["House", "UpReport", "address", "down", "new_link", "status", "up"]
