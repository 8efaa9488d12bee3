"""Deciding: accept, ask back or refuse, and what an answer to a question means."""
