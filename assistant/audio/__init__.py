"""The first room: sources of sound (card, file, pipe, queue), front ends that make one channel of many, playback."""
