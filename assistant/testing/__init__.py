"""For tests, ours and those of anyone's plug-in: a clock to hold, a source of sound to fill by hand, a
conformance check per protocol, the recordings.
"""

from assistant.audio.queued import QueueSource
from assistant.testing.clock import HeldClock
from assistant.testing.conformance import NonConformance, check_recognizer
from assistant.testing.policies import check_policy
from assistant.testing.recordings import find_recordings
from assistant.testing.skills import check_skill, make_request

__all__ = [
    "HeldClock",
    "NonConformance",
    "QueueSource",
    "check_policy",
    "check_recognizer",
    "check_skill",
    "find_recordings",
    "make_request",
]
