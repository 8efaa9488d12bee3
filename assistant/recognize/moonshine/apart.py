"""Has a context compiled in a process of its own (compiling.py), a little less eagerly than who listens.

What compiling takes would stay with the recogniser for the months that it runs, and commands that are heard meanwhile
would share one interpreter with it.
"""

from __future__ import annotations

import copyreg
import pickle
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from assistant.grammar.tree import Context
from assistant.recognize.moonshine.model import ModelFiles

PROGRAM = "assistant.recognize.moonshine.compiling"


def compile_apart(context: Context, files: ModelFiles, file: Path) -> bool:
    """Compile `context` into the cache file; blocks. False where that did not work, for whatever reason."""
    order = pickle.dumps((context, files, file))
    try:
        done = subprocess.run([sys.executable, "-m", PROGRAM], input=order, check=False)
    except OSError:  # no memory for another process
        return False
    return done.returncode == 0


def _read_only(found: dict[Any, Any]) -> Mapping[Any, Any]:
    return MappingProxyType(found)


def _reduced(mapping: MappingProxyType[Any, Any]) -> tuple[Any, tuple[dict[Any, Any]]]:
    return _read_only, (dict(mapping),)


# Contexts hold read-only mappings, which pickle does not know by itself.
copyreg.pickle(MappingProxyType, _reduced)
