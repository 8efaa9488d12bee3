"""The process that compiles one context: `python -m assistant.recognize.moonshine.compiling`, started by apart.py.

Context, model files and target come pickled on standard input; what was compiled is in the cache file when it ends
with 0. It ends with whoever started it.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import sys

from assistant.errors import AssistantError
from assistant.recognize.moonshine.grammar import compile_grammar, save_grammar
from assistant.recognize.moonshine.model import Model

NICENESS = 5
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> int:
    """Compile what is on standard input; the exit code."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.nice(NICENESS)
    context, files, file = pickle.load(sys.stdin.buffer)  # noqa: S301  from the process that started this one
    try:
        save_grammar(compile_grammar(context, Model(files)), file)
    except AssistantError:  # said by whoever compiles it next, in its own process
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
