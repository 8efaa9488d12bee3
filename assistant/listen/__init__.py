"""Listening: where in a stream of frames somebody speaks, and where an utterance begins and ends."""
