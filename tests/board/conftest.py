"""`make test-board` only: it boots a Debian of its own, which takes root, packages and minutes."""

from __future__ import annotations

import os

VARIABLE = "ASSISTANT_BOARD"
"""A folder for the roots that are made, kept from one run to the next."""

collect_ignore_glob = [] if VARIABLE in os.environ else ["test_*.py"]
