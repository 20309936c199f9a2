"""Incidents: what monitors are sure of, one record per cause, with its state, its story and its evidence.

Control hands causes in after each round; pages, reports and the command line read them and change their state.
It measures nothing and sends nothing.
"""

from gyroscope.alerts.incident import Incident, Note, State, Transition
from gyroscope.alerts.store import Incidents

__all__ = ["Incident", "Incidents", "Note", "State", "Transition"]
