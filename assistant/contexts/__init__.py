"""The contexts that ship: one folder each, found by name."""
