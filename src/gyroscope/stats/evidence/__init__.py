"""Evidence that something changed, at a rate of false alarms that the user sets.

A stream is one number per window. `fit_baselines` learns what is normal from reference windows, `replay` turns later
windows into evidence and alarms. Monitoring calls this for every family of streams; nothing here knows what a stream
means, and nothing here pages anybody.
"""

from gyroscope.stats.evidence.alarms import Alarm, Course, Member, State
from gyroscope.stats.evidence.baselines import LEAST_WINDOWS, Baselines, fit_baselines
from gyroscope.stats.evidence.detector import replay
from gyroscope.stats.evidence.families import SHARES, Family, Feedback, learned_shares
from gyroscope.stats.evidence.scoring import scores
from gyroscope.stats.evidence.streams import Streams, stream

__all__ = [
    "LEAST_WINDOWS",
    "SHARES",
    "Alarm",
    "Baselines",
    "Course",
    "Family",
    "Feedback",
    "Member",
    "State",
    "Streams",
    "fit_baselines",
    "learned_shares",
    "replay",
    "scores",
    "stream",
]
