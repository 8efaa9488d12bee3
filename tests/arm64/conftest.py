"""`make test-arm64` only: it takes root, a few hundred megabytes of packages and minutes of emulation."""

from __future__ import annotations

import os

VARIABLE = "ASSISTANT_ARM64"
"""A folder for emulator, roots and packages, kept from one run to the next."""

collect_ignore_glob = [] if VARIABLE in os.environ else ["test_*.py"]
