"""Recognisers: sound to meanings."""
