"""For tests, ours and those of anyone's plug-in: a clock to hold, a conformance check per protocol, the recordings."""

from assistant.testing.clock import HeldClock
from assistant.testing.conformance import NonConformance, check_recognizer
from assistant.testing.recordings import find_recordings

__all__ = ["HeldClock", "NonConformance", "check_recognizer", "find_recordings"]
