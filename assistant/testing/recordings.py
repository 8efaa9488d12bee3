"""Finds the recordings that tests and benchmarks use; they are no part of the repository."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "ASSISTANT_DATA"
DEFAULT = "../shared/data"

_REPOSITORY = Path(__file__).resolve().parents[2]


def find_recordings(folder: str = "") -> Path | None:
    """The recordings' folder ($ASSISTANT_DATA, else ../shared/data) or one below it; None where it is absent."""
    root = Path(os.environ.get(VARIABLE) or _REPOSITORY / DEFAULT)
    path = root / folder
    return path.resolve() if path.is_dir() else None
