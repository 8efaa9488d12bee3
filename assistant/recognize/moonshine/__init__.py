"""Moonshine tiny-en under the context's grammar. `create` is the entry point; nothing heavy is imported before."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def create(
    *, cache: Path, threads: int = 1, beam: int = 16, prune: float = 10.0, lambda_: float = 0.4, **more: Any
) -> Any:
    """The engine with the configuration's `recognize` settings; see MoonshineOptions for `more`."""
    from assistant.recognize.moonshine.beam import BeamOptions
    from assistant.recognize.moonshine.engine import Moonshine, MoonshineOptions

    return Moonshine(MoonshineOptions(cache, threads, BeamOptions(beam, prune, lambda_), **more))
