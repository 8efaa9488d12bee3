"""A private voice assistant that understands spoken commands on the board itself, in noise."""
