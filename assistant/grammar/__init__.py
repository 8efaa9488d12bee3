"""Contexts: what can be said and what it means."""
