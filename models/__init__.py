"""Bundles that ship with the program, as importable package data."""
